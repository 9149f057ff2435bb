"""How a search for leaks looks: what was searched, and where which key stands; never a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from scripts.report import bytes_text, count_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from scripts.container.leaks import LeakReport


def leaks_view(report: LeakReport) -> RenderableType:
    """Return what was searched, what was found, and what was not searched."""
    lines = [
        Text.assemble(("note  ", "bold yellow"), f"{key} is too short to be searched for")
        for key in report.too_short
    ]
    lines += [
        Text.assemble(("note  ", "bold yellow"), f"not searched: {reason}")
        for reason in report.unsearched
    ]
    if not report.keys:
        nothing = Text("No secret is set that could leak, neither in .env nor elsewhere.")
        return Group(*lines, nothing)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    table.add_column("searched", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("found", overflow="fold")
    for place in report.places:
        found = [
            f"{hit.key} ({hit.form}): {where}"
            for where, hits in place.found.items()
            for hit in sorted(hits)
        ]
        clean = "nothing"
        if place.searched_before:
            layers = count_text(place.searched_before, "layer")
            clean += f"; {layers} searched before for the same secrets"
        mark = Text("✗", style="bold red") if found else Text("✓", style="green")
        table.add_row(
            mark, Text(place.name), Text(bytes_text(place.size_bytes)),
            Text("\n".join(found) or clean),
        )  # fmt: skip
    known = Text(f"Looked for {count_text(len(report.keys), 'secret')}: {', '.join(report.keys)}")
    return Group(*lines, known, table)
