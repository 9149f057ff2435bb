"""Plans and reports of a few objects, for tests of what is done with them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from rich.console import Console

from scripts.migration.outcome import Outcomes, Report
from scripts.migration.plan import Decision, Plan, PlannedObject
from scripts.migration.table import UNKNOWN_SIZE, Ledger, ObjectTable, Position, TableBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from scripts.migration.model import Outcome, Reference, Result, StoredObject


def table_of(items: Iterable[StoredObject]) -> tuple[ObjectTable, dict[str, Position]]:
    """Return a table, and where each object stands in it, by key."""
    wanted = {item.key: item for item in items}
    builder = TableBuilder()
    for item in wanted.values():
        builder.add_owner(item._replace(size_bytes=None), ())
    table = builder.build()
    found = {}
    for number, block in enumerate(table.blocks):
        for row in range(len(block)):
            key = block.item(row).key
            size_bytes = wanted[key].size_bytes
            block.sizes_bytes[row] = UNKNOWN_SIZE if size_bytes is None else size_bytes
            found[key] = Position(number, row)
    return table, found


def plan_of(*objects: PlannedObject, **facts: Any) -> Plan:
    table, positions = table_of(planned.item for planned in objects)
    decisions: Ledger[Decision] = Ledger(table)
    references: dict[Position, tuple[Reference, ...]] = {}
    for planned in objects:
        position = positions[planned.item.key]
        decisions.record(position, planned.decision, planned.reason)
        references[position] = planned.references
    return Plan("hdd", "s3", decisions, references, **facts)


def outcomes_of(*outcomes: Outcome) -> Outcomes:
    table, positions = table_of(outcome.item for outcome in outcomes)
    results: Ledger[Result] = Ledger(table)
    references: dict[Position, tuple[Reference, ...]] = {}
    for outcome in outcomes:
        position = positions[outcome.item.key]
        results.record(position, outcome.result, outcome.reason)
        references[position] = outcome.references
    return Outcomes(results, references)


def report_of(*outcomes: Outcome, **facts: Any) -> Report:
    return Report("hdd", "s3", outcomes_of(*outcomes), **facts)


def drawn(view: RenderableType) -> str:
    """Return what a person sees of a view, 100 columns wide."""
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as capture:
        console.print(view)
    return capture.get()
