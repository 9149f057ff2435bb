"""How a clean-up of the cache looks: what goes, what stays and why, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from scripts import console
from scripts.gc.model import Reason
from scripts.gc.outcome import Report
from scripts.gc.plan import by_reason
from scripts.report import bytes_text, count_text, duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from scripts.gc.model import Kept
    from scripts.gc.plan import Plan

_MOST_ROWS = 20
"""A person reads the first few; `--json` names all."""
_STYLES = {
    Reason.DAMAGED: "bold red",
    Reason.UNPROVEN: "red",
    Reason.NOT_IN_REMOTE: "yellow",
    Reason.PART_UNPROVEN: "yellow",
    Reason.CHANGED: "yellow",
    Reason.FAILED: "bold red",
}


def plan_view(plan: Plan) -> RenderableType:
    """Return what would go, what stays and why, and which objects a person should look at."""
    table = _figures()
    going = f"{len(plan.removals):,}", bytes_text(plan.bytes_to_remove)
    table.add_row(*going, Text(f"can go: proven in {plan.remote}", style="bold"))
    _add_kept(table, plan.kept)
    notes = [Text.assemble(("  NOTE ", "bold yellow"), note) for note in plan.notes]
    asked = [Text(f"  Asked: {other}", style="dim") for other in plan.others]
    return Group(
        Text(f"The cache {plan.cache}"), table, *_losses(Report(plan).named), *asked, *notes
    )


def report_view(report: Report) -> RenderableType:
    """Return what came of it."""
    if not report.applied:
        how = " `--yes` answers where nobody can be asked." if report.plan.removals else ""
        return Text(f"Nothing was removed.{how}", style="bold")
    gone = count_text(len(report.removed), "object")
    told = f"{gone} ({bytes_text(report.bytes_removed)}) in {duration_text(report.elapsed_s)}"
    if report.lost or report.failed:
        verdict = Text(f"✗ Removed {told}; not all went well", style="bold red")
    else:
        verdict = Text(f"✓ Removed {told}", style="bold green")
    meanwhile = [outcome.kept for outcome in report.outcomes if outcome.kept]
    if not meanwhile:
        return verdict
    table = _figures()
    _add_kept(table, meanwhile)
    return Group(verdict, Text("  Kept after all:"), table, *_losses(meanwhile))


def confirming(*, yes: bool, dry_run: bool, as_json: bool) -> Callable[[Plan], bool]:
    """Return what shows the plan and asks whether to carry it out.

    Args:
        yes: The answer is yes.
        dry_run: Nobody is asked, and the answer is no.
        as_json: The plan is not shown, as standard output is for the report alone.
    """

    def confirm(plan: Plan) -> bool:
        if not as_json:
            console.show(plan_view(plan))
        if dry_run or not plan.removals:
            return False
        going = count_text(len(plan.removals), "object")
        size = bytes_text(plan.bytes_to_remove)
        return console.confirming(yes=yes)(f"Remove {going} ({size}) from the cache?")

    return confirm


def _add_kept(table: Table, kept: Iterable[Kept]) -> None:
    for reason, counts in by_reason(kept).items():
        style = _STYLES.get(reason, "dim")
        told = Text(f"stay: {reason.value}", style=style)
        table.add_row(f"{counts['objects']:,}", bytes_text(counts["bytes"]), told)


def _losses(kept: Iterable[Kept]) -> Iterable[RenderableType]:
    """Yield the objects that stay though nobody needs them, the worst first."""
    order = list(_STYLES)
    rows = sorted(kept, key=lambda entry: order.index(entry.reason) if entry.reason in order else 9)
    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("object", "path", "revision", "why it stays"):
        table.add_column(heading, overflow="fold")
    for entry in rows[:_MOST_ROWS]:
        place = entry.place
        table.add_row(
            Text(entry.item.key),
            Text(place.path if place else ""),
            Text(place.revision if place else ""),
            Text(": ".join(filter(None, (entry.reason.value, entry.detail)))),
        )
    yield table
    if len(rows) > _MOST_ROWS:
        yield Text(f"  and {len(rows) - _MOST_ROWS:,} more: `--json` names all", style="dim")


def _figures() -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=True)
    table.add_column(justify="right")
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    return table
