"""How the analysis of code looks: what was drawn and where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.report import count_text

if TYPE_CHECKING:
    from scripts.analysis.callgraph import CallGraph
    from scripts.analysis.profiling import Profile


def callgraph_line(graph: CallGraph) -> str:
    """Return what was drawn, and what a person should know of how."""
    drawn = (
        f"{graph.path}: {count_text(graph.calls, 'call')} between "
        f"{count_text(graph.nodes, 'name')} of {count_text(graph.files, 'file')}"
    )
    plain = graph.path.suffix == ".svg" and not graph.boxed
    return f"{drawn}; Graphviz could not draw boxes around the modules" if plain else drawn


def profile_line(profile: Profile) -> str:
    """Return where a profile is, and what the command ended with if that was not 0."""
    code = profile.command_code
    ended = f"; the command's exit code is {code}" if code else ""
    if profile.path is None:
        return f"There is no profile{ended}."
    seen = "every call" if profile.samples is None else count_text(profile.samples, "sample")
    return f"{profile.path}: {seen}{ended}"
