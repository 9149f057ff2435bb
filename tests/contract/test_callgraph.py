"""Real pyan3 and real Graphviz on small and on large code."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from scripts.analysis.callgraph import CallGraph, write_callgraph
from scripts.errors import SettingsError, SlipwayError, ToolError, ToolMissing
from scripts.progress import SilentProgress
from scripts.sources import find_sources

REPOSITORY = Path(__file__).resolve().parents[2]
CODE = "def f():\n    return g()\n\n\ndef g():\n    return 1\n"


def draw(root: Path, path: Path, *sources: Path) -> CallGraph:
    return write_callgraph(root, find_sources(sources or [root]), path, SilentProgress())


def labels(svg: Path) -> list[str]:
    root = ET.parse(svg).getroot()  # noqa: S314  our own file
    return [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]


def test_who_calls_whom_is_drawn_in_boxes_by_module(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(CODE)
    drawn = draw(tmp_path, tmp_path / "out" / "calls.svg")
    assert (drawn.files, drawn.calls, drawn.boxed) == (1, 1, True)
    assert {"f", "g", "one"} <= set(labels(drawn.path))


def test_names_that_graphviz_would_stumble_over_are_drawn(tmp_path: Path) -> None:
    (tmp_path / "my-script é.py").write_text(CODE)
    drawn = draw(tmp_path, tmp_path / "calls.svg")
    assert "my-script é" in labels(drawn.path)


def test_what_graphviz_cannot_put_into_boxes_is_drawn_whole_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its layout of clusters fails on some graphs of 200 names; which, changes with any of them."""
    dot = tmp_path / "bin" / "dot"
    dot.parent.mkdir()
    dot.write_text(
        '#!/bin/sh\ngraph=$(cat)\ncase "$graph" in\n*"subgraph cluster_scripts"*)\n'
        '    echo "Error: trouble in init_rank" >&2; exit 1 ;;\nesac\n'
        f'printf "%s" "$graph" | {shutil.which("dot")} "$@"\n'
    )
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", f"{dot.parent}:{os.environ['PATH']}")
    links = REPOSITORY / "scripts" / "links"
    drawn = draw(REPOSITORY, tmp_path / "links.svg", links)
    shown = labels(drawn.path)
    assert "check_types" in " ".join(shown) or len(shown) > 150
    assert not drawn.boxed
    assert drawn.calls > 200


@pytest.mark.parametrize("suffix", [".dot", ".tgf", ".graphml"])
def test_other_formats_need_no_graphviz(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one.py").write_text(CODE)
    monkeypatch.setenv("PATH", str(tmp_path))
    drawn = draw(tmp_path, tmp_path / f"calls{suffix}")
    text = drawn.path.read_text()
    if suffix == ".graphml":
        assert len(list(ET.fromstring(text).iter())) > 10  # noqa: S314  our own file
    assert "g" in text
    with pytest.raises(ToolMissing, match="`dot`, which draws the graph, is not") as caught:
        draw(tmp_path, tmp_path / "calls.svg")
    assert "apt.txt" in caught.value.hint
    assert not (tmp_path / "calls.svg").exists()


def test_a_file_that_is_no_python_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(CODE)
    (tmp_path / "two.py").write_text("def f(:\n")
    with pytest.raises(SlipwayError, match=r"two.py cannot be read as Python: line 1: invalid"):
        draw(tmp_path, tmp_path / "calls.svg")
    assert not (tmp_path / "calls.svg").exists()


def test_an_unknown_format_is_told_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="none of the formats"):
        draw(tmp_path, tmp_path / "calls.png", REPOSITORY / "tasks.py")


def test_code_that_pyan3_stumbles_over_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyan.analyzer import CallGraphVisitor  # noqa: PLC0415  only inside

    (tmp_path / "one.py").write_text(CODE)

    def stumble(*_: object) -> None:
        raise KeyError("one")

    monkeypatch.setattr(CallGraphVisitor, "process", stumble)
    with pytest.raises(ToolError, match="pyan3 cannot follow this code: KeyError"):
        draw(tmp_path, tmp_path / "calls.svg")
