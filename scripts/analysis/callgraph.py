"""Who calls whom: pyan3's graph of some Python files, drawn by Graphviz. Both are inside.

pyan3 would call Graphviz by itself, but passes over what goes wrong there and writes the half of a
picture; so it writes the graph alone here.
"""

from __future__ import annotations

import io
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts import process
from scripts.errors import CommandFailed, SettingsError, SlipwayError, ToolError, ToolMissing
from scripts.report import write_text
from scripts.sources import shown, unread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scripts.progress import Progress

USUAL_FILE = ".slipway/callgraph.svg"
FORMATS = (".svg", ".dot", ".tgf", ".graphml")
"""SVG is drawn by Graphviz; the others are written by pyan3 alone: for Graphviz elsewhere, as text,
and for yEd."""
_DRAWN_WITHIN_S = 600.0


@dataclass(frozen=True)
class CallGraph:
    """A graph that was written: ``boxed`` tells whether functions stand in boxes by module."""

    path: Path
    files: int
    nodes: int
    calls: int
    boxed: bool


def write_callgraph(
    root: Path, sources: Sequence[Path], path: Path, progress: Progress
) -> CallGraph:
    """Write the graph of who calls whom among the functions of some files.

    Args:
        root: The workspace.
        sources: The Python files.
        path: Where to write it; its suffix is one of ``FORMATS`` and says which format.
        progress: Told what is done.

    Raises:
        SettingsError: There is no such format.
        SlipwayError: A file is no Python, or the graph cannot be written.
        ToolError: pyan3 or Graphviz failed, or is missing.
    """
    if path.suffix not in FORMATS:
        raise SettingsError(
            f"{path} has none of the formats that a call graph can be written in.",
            hint=f"End its name with one of {', '.join(FORMATS)}.",
        )
    with progress.phase("reading calls", total=len(sources), unit="files"):
        visitor = _read(root, sources)
    with progress.phase("drawing"):
        text, boxed, graph = _rendered(visitor, path.suffix)
    if not graph.edges:
        progress.say("None of these functions calls another one of them.")
    write_text(path, text)
    return CallGraph(path, len(sources), _count(graph), len(graph.edges), boxed)


def _read(root: Path, sources: Sequence[Path]) -> Any:  # noqa: ANN401  pyan3 has no types
    try:
        from pyan.analyzer import CallGraphVisitor  # noqa: PLC0415  only inside
    except ModuleNotFoundError as error:
        raise ToolMissing(
            "pyan3, which reads the calls, is not installed.",
            hint="Write pyan3 into environment.txt, then `./inv lock` and `./inv up`.",
        ) from error
    for source in sources:
        try:
            compile(source.read_bytes(), str(source), "exec", dont_inherit=True)
        except (OSError, SyntaxError, ValueError, RecursionError) as error:
            raise SlipwayError(
                f"{shown(source, root)} cannot be read as Python: {unread(error)}.",
                hint="Mend it, or name other files behind --.",
            ) from error
    try:
        return CallGraphVisitor([str(source) for source in sources], logger=_silent())
    except Exception as error:  # what it cannot follow ends it with whatever error comes of that
        raise ToolError(
            f"pyan3 cannot follow this code: {type(error).__name__}: {error}.",
            hint="Name fewer files behind --, to find the one that it stumbles over.",
        ) from error


def _rendered(visitor: Any, suffix: str) -> tuple[str, bool, Any]:  # noqa: ANN401  as above
    """Return the graph's text, whether it has boxes, and the graph."""
    from pyan import writers  # noqa: PLC0415  only inside

    text = io.StringIO()
    graph = _graph(visitor, boxed=True)
    if suffix == ".tgf":
        writers.TgfWriter(graph, output=text, logger=_silent()).run()
        return text.getvalue(), False, graph
    if suffix == ".graphml":
        writers.YedWriter(graph, output=text, logger=_silent()).run()
        return text.getvalue(), True, graph
    if suffix == ".dot":
        return _dot(graph), True, graph
    try:
        return _drawn(_dot(graph)), True, graph
    except CommandFailed as error:
        # Graphviz has a fault of old with boxes (init_rank): some graphs it cannot lay out in them.
        if error.returncode < 0:
            raise
        graph = _graph(visitor, boxed=False)
        return _drawn(_dot(graph)), False, graph


def _graph(visitor: Any, *, boxed: bool) -> Any:  # noqa: ANN401  as above
    from pyan.visgraph import VisualGraph  # noqa: PLC0415  only inside

    options = {
        "draw_defines": False, "draw_uses": True, "colored": True, "grouped_alt": False,
        "grouped": boxed, "nested_groups": boxed, "annotated": not boxed,
    }  # fmt: skip
    graph = VisualGraph.from_visitor(visitor, options=options, logger=_silent())
    _rename(graph)
    return graph


def _rename(graph: Any) -> None:  # noqa: ANN401  as above
    """Give everything a name that Graphviz takes: pyan3 leaves the dash of ``my-script.py`` in."""
    graph.id = re.sub(r"\W", "_", graph.id)
    for node in graph.nodes:
        node.id = re.sub(r"\W", "_", node.id)
    for part in graph.subgraphs:
        _rename(part)


def _count(graph: Any) -> int:  # noqa: ANN401  as above
    return len(graph.nodes) + sum(_count(part) for part in graph.subgraphs)


def _dot(graph: Any) -> str:  # noqa: ANN401  as above
    from pyan.writers import DotWriter  # noqa: PLC0415  only inside

    text = io.StringIO()
    DotWriter(graph, options=["rankdir=LR"], output=text, logger=_silent()).run()
    return text.getvalue()


def _drawn(dot: str) -> str:
    elsewhere = "A graph in the formats .dot, .tgf and .graphml is written without it: --to FILE."
    try:
        return process.run(["dot", "-Tsvg"], stdin=dot, timeout_s=_DRAWN_WITHIN_S).stdout
    except ToolMissing as error:
        raise ToolMissing(
            "`dot`, which draws the graph, is not installed.",
            hint=f"Write graphviz into apt.txt, then `./inv up`. {elsewhere}",
        ) from error
    except CommandFailed as error:
        error.hint = f"Name fewer files behind --. {elsewhere}"
        raise


def _silent() -> logging.Logger:
    logger = logging.getLogger("scripts.analysis.callgraph.pyan3")
    logger.setLevel(logging.CRITICAL)
    return logger
