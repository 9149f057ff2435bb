"""Carry out a plan: the files of all shards first, a directory's list only after its files."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable

from scripts.migration.block_copy import BlockCopier, Task
from scripts.migration.heal import sources_by_place
from scripts.migration.leftovers import remove_leftovers
from scripts.migration.model import Result, Status
from scripts.migration.observe import DEFAULT_JOBS
from scripts.migration.outcome import Outcomes
from scripts.migration.plan import Action
from scripts.migration.prove import prove_published
from scripts.migration.retry import retrying
from scripts.migration.table import Ledger, Position
from scripts.migration.workers import Shared, in_threads
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scripts.migration.block_copy import Copier
    from scripts.migration.model import StoredObject
    from scripts.migration.opening import Stores
    from scripts.migration.plan import Plan
    from scripts.migration.transfer import Advance
    from scripts.migration.workers import Stop
    from scripts.progress import Progress

Part = tuple[int, list[int]]
"""Objects of a block: its number, and rows."""
Lot = list[Part]
"""Objects that are copied together."""


def copy_objects(
    plan: Plan, stores: Stores, *, jobs: int = DEFAULT_JOBS, progress: Progress | None = None
) -> Outcomes:
    """Copy what the plan says, and return one outcome for each of its objects.

    Interrupting it is safe at any time; planning again is resuming.

    Args:
        plan: What to do.
        stores: The project and its remotes.
        jobs: How many objects are in flight at once.
        progress: Where to tell what is going on.

    Raises:
        AccessDenied: The target may not be written to; nothing was copied.
        StoreError: The target cannot be asked what it holds. A single object's failure is an
            outcome instead.
    """
    progress = progress or SilentProgress()
    notes = stores.target.require_writable() if plan.counts["to_copy"] else ()
    remove_leftovers(stores, progress, is_copying=bool(plan.counts["to_copy"]))
    started_s = time.monotonic()
    results = _settled(plan)
    table = results.table
    with (
        progress.phase("copying", total=plan.bytes_to_copy, unit="bytes") as phase,
        _copying(plan, stores, phase.advance, jobs) as copier,
    ):
        work = _Work(plan, stores, results, copier, progress)
        work.copy(n for n, block in enumerate(table.blocks) if not block.is_directory)
        withheld = _withhold(plan, results)
        work.copy((n for n, block in enumerate(table.blocks) if block.is_directory), withheld)
    stores.target.clean(thorough=bool(plan.counts["to_copy"]))
    return Outcomes(results, copying_s=time.monotonic() - started_s, notes=notes)


@contextmanager
def _copying(plan: Plan, stores: Stores, advance: Advance, jobs: int) -> Iterator[Copier]:
    """Open what copies: processes where the target has some and they are worth their start."""
    processes = None
    if plan.counts["to_copy"] >= stores.tuning.processes_from_objects and not stores.healers:
        processes = stores.target.processes(stores.source, advance, jobs, stores.tuning)
    if processes is None:
        yield BlockCopier(sources_by_place(stores), stores.target, advance, jobs)
    else:
        with processes as copier:
            yield copier


def _settled(plan: Plan) -> Ledger[Result]:
    """Return the results of the objects with which nothing is to be done."""
    results: Ledger[Result] = Ledger(plan.decisions.table)
    meaning = bytearray(256)
    for decision in plan.kinds:
        if not decision.is_copying:
            status = decision.status or Status.PRESENT
            code = results.code(Result(status, decision.evidence))
            meaning[plan.decisions.code(decision)] = code
    for number in range(len(results.table.blocks)):
        results.codes(number)[:] = plan.decisions.codes(number).translate(meaning)
    lost = (kind for kind in plan.kinds if kind.action is Action.NONE)
    for position in plan.decisions.positions(lost):
        results.words[position] = plan.decisions.words[position]
    return results


class _Work:
    """Copies the objects of blocks."""

    def __init__(
        self,
        plan: Plan,
        stores: Stores,
        results: Ledger[Result],
        copier: Copier,
        progress: Progress,
    ) -> None:
        self._decisions = plan.decisions
        self._copying = {plan.decisions.code(kind): kind for kind in plan.kinds if kind.is_copying}
        self._target = stores.target
        self._results = results
        self._copier = copier
        self._progress = progress

    def copy(self, blocks: Iterable[int], withheld: Mapping[Position, str] | None = None) -> None:
        """Copy the objects of ``blocks`` that are to be copied, but those that are withheld."""
        for position, reason in (withheld or {}).items():
            self._results.record(position, Result(Status.FAILED), reason)
        todo = [(number, self._todo(number, withheld or {})) for number in blocks]
        todo = [(number, rows) for number, rows in todo if rows]
        if self._copier.is_spread:
            self._copy_spread(todo)
        else:
            self._copy_lots([[part] for part in todo])

    def _copy_lots(self, lots: list[Lot]) -> None:
        # The longest first: else the last thread works long when all others have ended.
        lots.sort(key=self._size, reverse=True)
        if self._copier.lot_objects is not None:
            lots = _regrouped(lots, self._copier.lot_objects)

        def copy_lot(lot: Lot, stop: Stop) -> None:
            tasks = (self._task(number, row) for number, rows in lot for row in rows)
            self._copier.copy(tasks, stop, self._results.record)
            for part in self._unproven(lot):
                self._prove(part, stop, lambda: None)

        in_threads(copy_lot, lots, self._copier.jobs)

    def _copy_spread(self, todo: list[Part]) -> None:
        for number, rows in todo:
            sizes_bytes = self._results.table.blocks[number].sizes_bytes
            rows.sort(key=sizes_bytes.__getitem__, reverse=True)
        shared = Shared(_spread(todo))

        def copy(_: int, stop: Stop) -> None:
            tasks = (self._task(number, row) for number, row in shared)
            self._copier.copy(tasks, stop, self._results.record)

        threads = min(self._copier.jobs, sum(len(rows) for _, rows in todo))
        in_threads(copy, range(threads), threads)
        unproven = self._unproven(todo)
        if unproven:
            total = sum(len(rows) for _, rows in unproven)
            with self._progress.phase("proving what was copied", total=total) as phase:

                def prove(part: Part, stop: Stop) -> None:
                    self._prove(part, stop, phase.advance)

                in_threads(prove, unproven, self._copier.jobs)

    def _todo(self, number: int, withheld: Mapping[Position, str]) -> list[int]:
        codes = self._decisions.codes(number)
        rows = [row for row, code in enumerate(codes) if code in self._copying]
        return [row for row in rows if Position(number, row) not in withheld] if withheld else rows

    def _size(self, lot: Lot) -> int:
        blocks = self._results.table.blocks
        return sum(blocks[number].sizes_bytes[row] for number, rows in lot for row in rows)

    def _task(self, number: int, row: int) -> Task:
        decision = self._copying[self._decisions.codes(number)[row]]
        item = self._results.table.blocks[number].item(row)
        return Task(
            Position(number, row),
            item._replace(checksum=item.md5) if decision.is_told else item,
            decision.read_from,
            replace=decision.action is Action.REPAIR,
        )

    def _unproven(self, parts: Iterable[Part]) -> list[Part]:
        """Return what publishing did not prove; a directory's list depends on it."""
        unproven = []
        for number, rows in parts:
            codes = self._results.codes(number)
            kinds = {code: self._results.meaning(code) for code in {codes[row] for row in rows}}
            left = {
                code for code, kind in kinds.items() if kind.claims_intact and not kind.is_intact
            }
            if left:
                unproven.append((number, [row for row in rows if codes[row] in left]))
        return unproven

    def _prove(self, part: Part, stop: Stop, advance: Callable[[], None]) -> None:
        """Ask the target for objects of one block."""
        number, rows = part
        block, target, results = self._results.table.blocks[number], self._target, self._results
        wanted = {block.oid(row) for row in rows}
        listed = retrying(
            lambda: {
                item.oid: item
                for item in target.list_shard(block.shard, frozenset({block.layout}))
                if item.oid in wanted
            },
            stop,
        )
        for row in rows:
            item, position = block.item(row), Position(number, row)
            result = results.verdict(position)
            proof = prove_published(item, listed.get(item.oid), target, stop)
            if proof.evidence.is_proof:
                results.record(position, result._replace(evidence=proof.evidence))
            else:
                reason = f"after {result.status.value}, {proof.reason}"
                results.record(position, Result(Status.FAILED), reason)
            advance()


def _spread(todo: list[Part]) -> Iterator[tuple[int, int]]:
    """Yield the first object of each block, then the second of each, and so on."""
    for place in itertools.count():
        todo = [(number, rows) for number, rows in todo if place < len(rows)]
        if not todo:
            return
        for number, rows in todo:
            yield number, rows[place]


def _regrouped(lots: Iterable[Lot], most: int) -> list[Lot]:
    """Return the same objects in the same order, about ``most`` of them in each lot."""
    regrouped: list[Lot] = []
    room = 0
    for number, rows in itertools.chain.from_iterable(lots):
        for first in range(0, len(rows), most):
            part = rows[first : first + most]
            if len(part) > room:
                regrouped.append([])
                room = most
            regrouped[-1].append((number, part))
            room -= len(part)
    return regrouped


def _withhold(plan: Plan, results: Ledger[Result]) -> dict[Position, str]:
    """Return the directories' lists that must not be published, each with the reason."""
    table = results.table
    unproven = [kind for kind in results.counts_so_far() if not kind.is_intact]
    lacking: Counter[int] = Counter()
    first: dict[int, StoredObject] = {}
    for position in results.positions(unproven):
        if table.blocks[position.block].is_directory:
            continue
        for owner in table.owners_of(position):
            lacking[owner] += 1
            first.setdefault(owner, table.item(position))
    withheld = {}
    for position in plan.decisions.positions(kind for kind in plan.kinds if kind.is_copying):
        if not table.blocks[position.block].is_directory:
            continue
        (owner,) = table.owners_of(position)
        if lacking[owner]:
            withheld[position] = (
                f"not published: {lacking[owner]} of its files not proven in the target, "
                f"first {first[owner].key}"
            )
    return withheld
