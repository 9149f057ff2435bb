"""How the network looks from inside: one row for each thing that work needs it for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from scripts.container.net import NetReport


def net_view(report: NetReport) -> RenderableType:
    """Return the table; a column for hints only where something failed."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    table.add_column("what", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("seen", overflow="fold")
    if report.failed:
        table.add_column("failed at")
        table.add_column("what to do", overflow="fold")
    for row in report.rows:
        mark = Text("✗", style="bold red") if row.layer else Text("✓", style="green")
        cells = [mark, Text(row.name), Text(f"{row.elapsed_s * 1000:.0f} ms"), Text(row.seen)]
        table.add_row(*cells, *([Text(row.layer), Text(row.hint)] if report.failed else []))
    return table
