"""How the environment looks: what a new lock changes, and how it differs from the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from scripts.environment.requirements import Kind
from scripts.report import count_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from scripts.environment.lock import LockChange
    from scripts.environment.requirements import RequirementsReport

_STYLES = {
    Kind.UNREADABLE: "bold red",
    Kind.MISSING: "bold red",
    Kind.UNDECLARED: "yellow",
    Kind.UNUSED: "dim",
}


def lock_view(changes: Sequence[LockChange]) -> RenderableType:
    """Return one row per package that is now pinned differently."""
    if not changes:
        return Text("Nothing to do: the locks already hold what is asked for.", style="green")
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("lock", "package", "before", "now"):
        table.add_column(column)
    for change in changes:
        table.add_row(change.lock, change.package, change.before or "-", change.after or "-")
    return table


def requirements_view(report: RequirementsReport) -> RenderableType:
    """Return one row per difference between code, environment.txt and what is installed."""
    read = (
        f"{count_text(report.files, 'file')} read, "
        f"{count_text(report.modules, 'module')} of others imported, "
        f"{count_text(report.requirements, 'requirement')} declared"
    )
    if not report.findings:
        return Text(f"Nothing is missing, undeclared or unused: {read}.", style="green")
    table = Table(box=box.SIMPLE_HEAD, title=read, title_justify="left", title_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("seen", overflow="fold")
    table.add_column("what to do", overflow="fold")
    for finding in report.findings:
        kind = Text(finding.kind.value, style=_STYLES[finding.kind])
        table.add_row(kind, Text(finding.name), Text(finding.reason), Text(finding.hint))
    return table
