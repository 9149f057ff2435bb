"""Carry out a plan: the files of all shards first, a directory's list only after its files."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.migration.heal import origins
from scripts.migration.model import Evidence, Outcome, Status
from scripts.migration.observe import DEFAULT_JOBS
from scripts.migration.plan import Action
from scripts.migration.prove import list_store, prove_objects
from scripts.migration.transfer import copy_shard
from scripts.migration.workers import Stop, in_threads
from scripts.progress import SilentProgress
from scripts.report import count_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts.migration.model import StoredObject
    from scripts.migration.opening import Stores
    from scripts.migration.plan import Plan, PlannedObject
    from scripts.migration.store import Source
    from scripts.progress import Phase, Progress

_FAILURES_IN_A_ROW = 40
"""After so many, with no success between, the rest is not tried: the store is gone or full."""


def copy_objects(
    plan: Plan, stores: Stores, *, jobs: int = DEFAULT_JOBS, progress: Progress | None = None
) -> tuple[Outcome, ...]:
    """Copy what the plan says, and return one outcome for each of its objects.

    Interrupting it is safe at any time; planning again is resuming.

    Args:
        plan: What to do.
        stores: The project and its remotes.
        jobs: How many objects are in flight at once.
        progress: Where to tell what is going on.

    Raises:
        AccessDenied: The target may not be written to; nothing was copied.
        StoreError: The target cannot be listed, or stopped answering while files were proven.
            A single object's failure is an outcome instead.
    """
    progress = progress or SilentProgress()
    if plan.to_copy:
        stores.target.require_writable()
    cleaned = stores.target.clean()
    if cleaned:
        told = count_text(cleaned, "unfinished object")
        progress.say(f"{stores.target.name}: {told} of a run that was killed removed")
    repairs = (entry.item.key for entry in plan.objects if entry.action is Action.REPAIR)
    work = _Work(stores, jobs, frozenset(repairs), origins(stores, plan))
    done = {planned.item.key: _settled(planned) for planned in plan.objects}
    files = [planned.item for planned in plan.to_copy if not planned.item.is_directory]
    lists = [planned.item for planned in plan.to_copy if planned.item.is_directory]
    with progress.phase("copying", total=plan.bytes_to_copy, unit="bytes") as phase:
        done.update(work.copy(files, phase))
        unproven = _unproven(plan, lists, stores, done, jobs=jobs, progress=progress)
        for item in lists:
            if item.key in unproven:
                done[item.key] = Outcome(item, Status.FAILED, reason=unproven[item.key])
        done.update(work.copy([item for item in lists if item.key not in unproven], phase))
    stores.target.clean()
    return tuple(_described(done[planned.item.key], planned) for planned in plan.objects)


class _Work:
    """Copies sets of objects, and gives up when nothing succeeds any more."""

    def __init__(
        self, stores: Stores, jobs: int, repairs: frozenset[str], origins: Mapping[str, Source]
    ) -> None:
        self._stores = stores
        self._origins = origins
        self._jobs = jobs
        self._repairs = repairs
        self._lock = threading.Lock()
        self._failures = 0

    def copy(self, items: Iterable[StoredObject], phase: Phase) -> dict[str, Outcome]:
        shards: dict[int, list[StoredObject]] = {}
        for item in items:
            shards.setdefault(item.shard, []).append(item)

        def copy_one_shard(shard: list[StoredObject], stop: Stop) -> list[Outcome]:
            return [self._copy_one(item, phase, stop) for item in shard]

        outcomes: dict[str, Outcome] = {}
        for shard_outcomes in in_threads(copy_one_shard, shards.values(), self._jobs):
            outcomes.update((outcome.item.key, outcome) for outcome in shard_outcomes)
        return outcomes

    def _copy_one(self, item: StoredObject, phase: Phase, stop: Stop) -> Outcome:
        if self._failures >= _FAILURES_IN_A_ROW:
            reason = f"not tried: {_FAILURES_IN_A_ROW} objects had failed in a row"
            return Outcome(item, Status.FAILED, reason=reason)
        source = self._origins.get(item.key, self._stores.source)
        target = self._stores.target
        (outcome,) = copy_shard(
            [item], source, target,
            stop=stop, advance=phase.advance, repairs=self._repairs,
        )  # fmt: skip
        with self._lock:
            self._failures = self._failures + 1 if outcome.status is Status.FAILED else 0
        return outcome


def _unproven(
    plan: Plan,
    lists: list[StoredObject],
    stores: Stores,
    done: dict[str, Outcome],
    *,
    jobs: int,
    progress: Progress,
) -> dict[str, str]:
    """Return the directory lists that must not be published, each with the reason, by key."""
    if not lists:
        return {}
    needed = {key: done[key] for item in lists for key in plan.contents[item.key]}
    claimed = [
        outcome.item
        for outcome in needed.values()
        if outcome.status in (Status.PRESENT, Status.COPIED) and not outcome.is_intact
    ]
    listing = list_store(stores.target, progress)
    proofs = prove_objects(
        claimed, stores.target, listing, jobs=jobs, progress=progress, name="proving files"
    )
    proven = {key for key, outcome in needed.items() if outcome.is_intact}
    proven |= {key for key, proof in proofs.items() if proof.evidence.is_proof}
    reasons = {}
    for item in lists:
        lacking = [key for key in plan.contents[item.key] if key not in proven]
        if lacking:
            reasons[item.key] = (
                f"not published: {len(lacking)} of its files not proven in the target, "
                f"first {lacking[0]}"
            )
    return reasons


def _settled(planned: PlannedObject) -> Outcome:
    """Return the outcome of an object before anything is copied."""
    if planned.action is Action.KEEP:
        return Outcome(planned.item, Status.PRESENT, planned.evidence)
    return Outcome(planned.item, planned.status or Status.FAILED, Evidence.NONE, planned.reason)


def _described(outcome: Outcome, planned: PlannedObject) -> Outcome:
    repaired = planned.action is Action.REPAIR and outcome.status is Status.COPIED
    return replace(outcome, repaired=repaired, references=planned.references)
