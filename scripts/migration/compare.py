"""Compare what is wanted with what both stores hold, block by block, and decide on every object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.migration.listing import Shards
from scripts.migration.model import Status, StoredObject
from scripts.migration.plan import Action, Decision, Observed, decide
from scripts.migration.retry import retrying
from scripts.migration.table import UNKNOWN_SIZE, Position

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts.migration.prove import Seen
    from scripts.migration.store import Source
    from scripts.migration.table import Ledger
    from scripts.migration.wanted import Wanted
    from scripts.migration.workers import Stop


class Comparison:
    """Writes down what is to be done with the objects of a table.

    Args:
        source: Asked only for the blocks of which the target does not prove everything.
        wanted: The objects.
        decisions: Where to write.

    Attributes:
        missing: What the source lacks, and how it was found.
    """

    def __init__(self, source: Source, wanted: Wanted, decisions: Ledger[Decision]) -> None:
        self.missing: dict[Position, Observed] = {}
        self._source = Shards(source, len(wanted.table))
        self._wanted = wanted
        self._table = wanted.table
        self._decisions = decisions
        # Nearly all objects of a first run: decided once, not each by itself.
        self._copy = {
            told: decisions.code(decide(Observed(source=StoredObject("", checksum=checksum)))[0])
            for told, checksum in ((True, ""), (False, None))
        }

    def look(self, number: int, seen: Iterator[Seen], stop: Stop) -> None:
        """Decide on the objects of a block, from what the target holds of them.

        Raises:
            StoreError: The source cannot be listed.
        """
        decisions, block = self._decisions, self._table.blocks[number]
        codes = decisions.codes(number)
        unproven: dict[int, Seen] = {}
        for entry in seen:
            if entry.proof.evidence.is_proof:
                codes[entry.row] = decisions.code(Decision(Action.KEEP, entry.proof.evidence))
                block.sizes_bytes[entry.row] = entry.size_bytes
            else:
                unproven[entry.row] = entry
        if not unproven:
            return
        retrying(lambda: self._look_into_source(number, unproven), stop)
        for row, entry in unproven.items():
            if not codes[row]:
                observed = self._decide(number, entry, None)
                if decisions.verdict(Position(number, row)).status is Status.MISSING:
                    self.missing[Position(number, row)] = observed

    def _look_into_source(self, number: int, unproven: Mapping[int, Seen]) -> None:
        block, codes = self._table.blocks[number], self._decisions.codes(number)
        rows = {block.oid(row): row for row in unproven}
        for item in self._source.list(block.shard, frozenset({block.layout})):
            row = rows.get(item.oid)
            if row is None:
                continue
            block.sizes_bytes[row] = size_of(item)
            if unproven[row].listed is None and not block.is_directory:
                codes[row] = self._copy[item.checksum == item.md5]
            else:
                self._decide(number, unproven[row], item)

    def _decide(self, number: int, entry: Seen, source: StoredObject | None) -> Observed:
        key = self._table.blocks[number].item(entry.row).key
        unopened = self._wanted.unopened.get(key)
        observed = Observed(source, entry.listed, entry.proof, unopened)
        self._decisions.record(Position(number, entry.row), *decide(observed))
        return observed


def size_of(listed: StoredObject | None) -> int:
    """Return the size that a listing told, as a table keeps it."""
    if listed is None or listed.size_bytes is None:
        return UNKNOWN_SIZE
    return listed.size_bytes
