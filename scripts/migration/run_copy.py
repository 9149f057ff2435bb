"""Copy the run-cache, after the objects, and prove it by what the target's entries say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.errors import StoreError
from scripts.migration.model import ABSENT, Evidence, Outcome, Proof, Status
from scripts.migration.parts import Part, part_of
from scripts.migration.plan import Action
from scripts.migration.retry import retrying
from scripts.migration.run_cache import DEFAULT_JOBS, NAME, TITLE, list_runs, look_at
from scripts.migration.sample import EVIDENCE, Sample
from scripts.migration.workers import Stop, in_threads
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scripts.migration.opening import Stores
    from scripts.migration.run_cache import PlannedRun, RunCache
    from scripts.migration.run_entry import RunEntry
    from scripts.migration.store import Source
    from scripts.progress import Progress


def copy_runs(
    cache: RunCache,
    stores: Stores,
    *,
    jobs: int = DEFAULT_JOBS,
    progress: Progress | None = None,
) -> tuple[Outcome, ...]:
    """Copy what the plan says, and return one outcome for each entry.

    To be called when the objects are copied: who finds an entry in the target finds what it names.
    An entry is read whole, and published only if it is what its name says.

    Args:
        cache: What to do.
        stores: The project and its remotes.
        jobs: How many entries are in flight at once.
        progress: Where to tell what is going on.
    """
    progress = progress or SilentProgress()
    moving = sum(run.action in (Action.COPY, Action.REPAIR) for run in cache.runs)
    if moving:
        stores.target.require_writable()
    with progress.phase("copying the run-cache", total=moving) as phase:

        def copy(run: PlannedRun, stop: Stop) -> Outcome:
            if run.action is Action.KEEP:
                return Outcome(run.entry, Status.PRESENT)
            if run.action is Action.NONE:
                return Outcome(run.entry, run.status or Status.FAILED, reason=run.reason)
            outcome = _copy(run, stores, stop)
            phase.advance()
            return outcome

        outcomes = in_threads(copy, cache.runs, jobs)
    return tuple(sorted(outcomes, key=lambda outcome: outcome.item.key))


def _copy(run: PlannedRun, stores: Stores, stop: Stop) -> Outcome:
    found = look_at(run.entry, stores.source, stop)
    if found.status is not None:
        return Outcome(run.entry, found.status, reason=found.reason)
    repairs = run.action is Action.REPAIR

    def publish() -> Evidence:
        return stores.target.publish(run.entry, [found.content], replace=repairs)

    try:
        is_ours = retrying(publish, stop) is not Evidence.NONE
    except StoreError as error:
        return Outcome(run.entry, Status.FAILED, reason=error.message)
    status = Status.COPIED if is_ours else Status.PRESENT
    return Outcome(run.entry, status, repaired=repairs and is_ours)


def verify_runs(
    cache: RunCache,
    outcomes: Sequence[Outcome],
    stores: Stores,
    *,
    jobs: int = DEFAULT_JOBS,
    progress: Progress | None = None,
    sample: Sample = EVIDENCE,
) -> Part:
    """Prove every entry at the target afresh, and return that part of the report.

    Args:
        cache: What was planned.
        outcomes: What :func:`copy_runs` returned.
        stores: The project and its remotes.
        jobs: How many entries are read back at once.
        progress: Where to tell what is going on.
        sample: What is read back although the listing proves it.

    Raises:
        StoreError: The target cannot be listed, or stopped answering.
        ValueError: There is not exactly one outcome for each planned entry.
    """
    if [run.entry.key for run in cache.runs] != [outcome.item.key for outcome in outcomes]:
        raise ValueError("there must be exactly one outcome for each entry of the run-cache")
    right = {run.entry.key: run.md5 for run in cache.runs}
    listing = list_runs(stores.target) if outcomes else {}
    claimed = [
        # What no listing shows is asked for by its name: some servers' listings lag behind.
        listing.get(run.entry.key) or run.entry._replace(size_bytes=None, checksum=None)
        for run, outcome in zip(cache.runs, outcomes)
        if _claims(outcome)
    ]
    proofs = _prove(
        claimed, stores.target, right,
        jobs=jobs, progress=progress, sample=sample,
    )  # fmt: skip
    return part_of(
        NAME, TITLE, [_judge(outcome, proofs.get(outcome.item.key, ABSENT)) for outcome in outcomes]
    )


def verify_remote_runs(
    remote: Source,
    *,
    wanted: bool = True,
    jobs: int = DEFAULT_JOBS,
    progress: Progress | None = None,
) -> Part:
    """Read every entry that ``remote`` holds, and return whether each is what its name says.

    No revision names an entry, so none can be missing. Nothing is read if it is not ``wanted``.

    Raises:
        StoreError: The remote cannot be listed, or stopped answering.
    """
    listing = list_runs(remote) if wanted else {}
    proofs = _prove(listing.values(), remote, {}, jobs=jobs, progress=progress, sample=EVIDENCE)
    return part_of(
        NAME,
        TITLE,
        [
            Outcome(entry, Status.PRESENT, proof.evidence)
            if proof.evidence.is_proof
            else Outcome(entry, Status.CORRUPT, reason=proof.reason)
            for entry, proof in ((listing[key], proof) for key, proof in sorted(proofs.items()))
        ],
    )


def _prove(
    entries: Iterable[RunEntry],
    store: Source,
    right: Mapping[str, str],
    *,
    jobs: int,
    progress: Progress | None,
    sample: Sample,
) -> dict[str, Proof]:
    """Return by key how each is known to be right; ``right`` are MD5s of right bytes, by key."""
    wanted = list(entries)
    told = [
        entry.key for entry in wanted if entry.checksum and entry.checksum == right.get(entry.key)
    ]
    chosen = sample.choose(len(told))
    enough = {key for number, key in enumerate(told) if number not in chosen}
    shown = progress or SilentProgress()
    with shown.phase("verifying the run-cache", total=len(wanted)) as phase:

        def look(entry: RunEntry, stop: Stop) -> tuple[str, Proof]:
            proof = Proof(Evidence.STORE_CHECKSUM)
            if entry.key not in enough:
                found = look_at(entry, store, stop, unavailable=True)
                proof = Proof(Evidence.READ_BACK if found.is_right else Evidence.NONE, found.reason)
            phase.advance()
            return entry.key, proof

        return dict(in_threads(look, wanted, jobs))


def _claims(outcome: Outcome) -> bool:
    return outcome.status in (Status.PRESENT, Status.COPIED)


def _judge(outcome: Outcome, proof: Proof) -> Outcome:
    if not _claims(outcome):
        return outcome
    if proof.evidence.is_proof:
        return replace(outcome, evidence=proof.evidence)
    reason = f"after {outcome.status.value}, {proof.reason}"
    return replace(outcome, status=Status.FAILED, reason=reason, repaired=False)
