"""How a project's set-up and the demo look: their results as rich renderables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from scripts.project.model import StepStatus
from scripts.report import bytes_text, count_text, duration_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from scripts.demo.model import DemoResult, Version
    from scripts.project.model import InitResult

_MARKS = {
    StepStatus.DONE: ("+", "green"),
    StepStatus.UNCHANGED: ("=", "dim"),
    StepStatus.KEPT: ("!", "yellow"),
}


def init_view(result: InitResult) -> RenderableType:
    """Return what became of each setting, and what to do with the changes."""
    steps = _rows()
    for step in result.steps:
        mark, style = _MARKS[step.status]
        steps.add_row(Text(mark, style), Text(step.name, style), Text(step.detail))
    if not result.changed:
        return Group(steps, Text("Nothing to change.", "green"))
    commit = "Set up. To share it: git add .dvc .dvcignore && git commit"
    return Group(steps, Text(commit, "green"))


def demo_view(result: DemoResult) -> RenderableType:
    """Return how the data travelled and, version by version, whether it came back."""
    report = result.report
    counts = report.counts
    moved = (
        f"{report.source} → {report.target}: {count_text(counts['planned'], 'object')} planned, "
        f"{counts['intact']:,} proven ({bytes_text(report.bytes_intact)})"
    )
    versions = _rows()
    for version in result.versions:
        versions.add_row(*_version(version))
    total = (
        f"{count_text(result.files, 'file')}, {bytes_text(result.size_bytes)}, "
        f"{duration_text(result.elapsed_s)}"
    )
    verdict = (
        Text(f"Bit by bit identical: {total}.", "bold green")
        if result.identical
        else Text(f"NOT identical: {total}.", "bold red")
    )
    return Group(
        Text(moved), Text("A clean clone pulled from the object store alone:"),
        Padding(versions, (0, 0, 0, 2)), verdict, Text(f"Look around: {result.directory}", "dim"),
    )  # fmt: skip


def _version(version: Version) -> tuple[Text, Text, Text, Text]:
    good = not version.different
    told = "identical" if good else f"{count_text(len(version.different), 'file')} different"
    style = "green" if good else "bold red"
    size = f"{count_text(version.files, 'file')}, {bytes_text(version.size_bytes)}"
    return (
        Text("✓" if good else "✗", style), Text(version.name), Text(size), Text(told, style)
    )  # fmt: skip


def _rows() -> Table:
    return Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
