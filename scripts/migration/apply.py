"""Carry out a plan: the files of all shards first, a directory's list only after its files."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from scripts.migration.heal import sources_by_place
from scripts.migration.leftovers import remove_leftovers
from scripts.migration.model import Result, Status
from scripts.migration.observe import DEFAULT_JOBS
from scripts.migration.outcome import Outcomes
from scripts.migration.plan import Action
from scripts.migration.prove import prove_listed
from scripts.migration.retry import retrying
from scripts.migration.table import Ledger, Position
from scripts.migration.transfer import copy_or_tell
from scripts.migration.workers import Stop, in_threads
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts.migration.model import StoredObject
    from scripts.migration.opening import Stores
    from scripts.migration.plan import Decision, Plan
    from scripts.progress import Phase, Progress

_FAILURES_IN_A_ROW = 40
"""After so many, with no success between, the rest is not tried: the store is gone or full."""


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
    with progress.phase("copying", total=plan.bytes_to_copy, unit="bytes") as phase:
        work = _Work(plan, stores, results, phase)
        work.copy((n for n, block in enumerate(table.blocks) if not block.is_directory), jobs)
        withheld = _withhold(plan, results)
        work.copy((n for n, block in enumerate(table.blocks) if block.is_directory), jobs, withheld)
    stores.target.clean(thorough=bool(plan.counts["to_copy"]))
    return Outcomes(results, copying_s=time.monotonic() - started_s, notes=notes)


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
    """Copies the objects of blocks, and gives up when nothing succeeds any more."""

    def __init__(self, plan: Plan, stores: Stores, results: Ledger[Result], phase: Phase) -> None:
        self._decisions = plan.decisions
        self._copying = {plan.decisions.code(kind): kind for kind in plan.kinds if kind.is_copying}
        self._stores = stores
        self._elsewhere = sources_by_place(stores)
        self._results = results
        self._phase = phase
        self._layouts = frozenset(block.layout for block in results.table.blocks)
        self._lock = threading.Lock()
        self._failures = 0

    def copy(
        self, blocks: Iterable[int], jobs: int, withheld: Mapping[Position, str] | None = None
    ) -> None:
        """Copy the objects of ``blocks`` that are to be copied, but those that are withheld."""
        todo = [(number, self._todo(number)) for number in blocks]
        size_of = {number: self._size(number, indices) for number, indices in todo}
        # The longest first: else the last thread works long when all others have ended.
        order = sorted((work for work in todo if work[1]), key=lambda work: -size_of[work[0]])

        def copy_block(work: tuple[int, list[int]], stop: Stop) -> None:
            number, indices = work
            with self._stores.target.together():
                for index in indices:
                    position = Position(number, index)
                    reason = withheld.get(position, "") if withheld else ""
                    if reason:
                        self._results.record(position, Result(Status.FAILED), reason)
                    else:
                        self._results.record(position, *self._copy_one(position, stop))
            self._prove(number, indices, stop)

        in_threads(copy_block, order, jobs)

    def _todo(self, number: int) -> list[int]:
        codes = self._decisions.codes(number)
        return [index for index, code in enumerate(codes) if code in self._copying]

    def _size(self, number: int, indices: list[int]) -> int:
        sizes_bytes = self._results.table.blocks[number].sizes_bytes
        return sum(sizes_bytes[index] for index in indices)

    def _copy_one(self, position: Position, stop: Stop) -> tuple[Result, str]:
        if self._failures >= _FAILURES_IN_A_ROW:
            reason = f"not tried: {_FAILURES_IN_A_ROW} objects had failed in a row"
            return Result(Status.FAILED), reason
        decision = self._decision(position)
        item = self._results.table.item(position)
        result, reason = copy_or_tell(
            item._replace(checksum=item.md5) if decision.is_told else item,
            self._elsewhere[decision.read_from],
            self._stores.target,
            stop=stop,
            advance=self._phase.advance,
            replace=decision.action is Action.REPAIR,
        )
        with self._lock:
            self._failures = self._failures + 1 if result.status is Status.FAILED else 0
        return result, reason

    def _decision(self, position: Position) -> Decision:
        return self._copying[self._decisions.codes(position.block)[position.row]]

    def _prove(self, number: int, indices: list[int], stop: Stop) -> None:
        """Ask the target for what publishing did not prove: a directory's list depends on it."""
        results, codes = self._results, self._results.codes(number)
        kinds = {code: results.meaning(code) for code in {codes[index] for index in indices}}
        open_kinds = {
            code for code, kind in kinds.items() if kind.claims_intact and not kind.is_intact
        }
        claimed = {index: kinds[codes[index]] for index in indices if codes[index] in open_kinds}
        if not claimed:
            return
        block, target = results.table.blocks[number], self._stores.target
        wanted = {block.oid(index) for index in claimed}
        listed = retrying(
            lambda: {
                item.oid: item
                for item in target.list_shard(block.shard, frozenset({block.layout}))
                if item.oid in wanted
            },
            stop,
        )
        for index, result in claimed.items():
            item = block.item(index)
            proof = prove_listed(item, listed.get(item.oid), target, stop)
            if proof.evidence.is_proof:
                results.record(Position(number, index), result._replace(evidence=proof.evidence))
            else:
                reason = f"after {result.status.value}, {proof.reason}"
                results.record(Position(number, index), Result(Status.FAILED), reason)


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
