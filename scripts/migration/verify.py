"""Ask the target again, object by object, and never trust what copying said."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scripts.migration.model import ABSENT, Evidence, Proof, Result, Status
from scripts.migration.observe import DEFAULT_JOBS
from scripts.migration.outcome import Outcomes, Report
from scripts.migration.prove import Seen, look_into_shards, prove_published
from scripts.migration.sample import EVIDENCE, Sample
from scripts.migration.table import Ledger, Position
from scripts.migration.uses import find_references
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts.migration.opening import Stores
    from scripts.migration.plan import Plan
    from scripts.migration.store import Source
    from scripts.migration.workers import Stop
    from scripts.progress import Progress


def verify(
    plan: Plan,
    outcomes: Outcomes,
    stores: Stores,
    *,
    jobs: int = DEFAULT_JOBS,
    progress: Progress | None = None,
    sample: Sample = EVIDENCE,
) -> Report:
    """Prove every planned object at the target afresh, and report.

    Where there was nothing to copy, nothing was done since the plan, and its proofs are the
    freshest that can be had: they are not asked for twice.

    Args:
        plan: What was planned.
        outcomes: What :func:`~scripts.migration.apply.copy_objects` returned.
        stores: The project and its remotes.
        jobs: How many objects are read back at once.
        progress: Where to tell what is going on.
        sample: What is read back although the listing proves it.

    Raises:
        StoreError: The target cannot be listed, or stopped answering.
        ValueError: There is not exactly one outcome for each planned object.
    """
    progress = progress or SilentProgress()
    before = outcomes.results
    if before.table is not plan.decisions.table or len(outcomes) != plan.counts["planned"]:
        raise ValueError("there must be exactly one outcome for each planned object")
    results = before
    if plan.counts["to_copy"]:
        results = _prove_again(before, stores.target, sample, jobs=jobs, progress=progress)
    return Report(
        source=plan.source,
        target=plan.target,
        outcomes=with_references(
            results,
            (stores.source, stores.target, *stores.healers),
            jobs=jobs,
            progress=progress,
            copying_s=outcomes.copying_s,
        ),
        uncollectable=plan.uncollectable,
        excluded=plan.excluded,
        notes=(*outcomes.notes, *plan.notes),
        by_revision=plan.by_revision,
        revisions=plan.revisions,
        elapsed_s=time.monotonic() - plan.started_s,
        sample=sample,
    )


def _prove_again(
    before: Ledger[Result], target: Source, sample: Sample, *, jobs: int, progress: Progress
) -> Ledger[Result]:
    results: Ledger[Result] = Ledger(before.table)

    def look(number: int, seen: Iterator[Seen], stop: Stop) -> None:
        known: dict[tuple[Result, Evidence], int] = {}
        codes, former = results.codes(number), before.codes(number)
        block = before.table.blocks[number]
        for row, _, _, told in seen:
            result = before.meaning(former[row])
            kind = (result, told.evidence)
            if not told.evidence.is_proof:
                proof = told
                if told is ABSENT and result.claims_intact:
                    proof = prove_published(block.item(row), None, target, stop)
                words = before.words.get(Position(number, row), "")
                results.record(Position(number, row), *judge(result, proof, words))
                continue
            if kind not in known:
                known[kind] = results.code(judge(result, told)[0])
            codes[row] = known[kind]

    look_into_shards(
        before.table, target, look,
        sample=sample, jobs=jobs, progress=progress, name="verifying",
    )  # fmt: skip
    return results


def judge(before: Result, proof: Proof, words: str = "") -> tuple[Result, str]:
    """Return what became of an object, from what was done and what the target holds now."""
    if proof.evidence.is_proof:
        status = before.status if before.claims_intact else Status.PRESENT
        return before._replace(status=status, evidence=proof.evidence), ""
    if before.claims_intact:
        return Result(Status.FAILED), f"after {before.status.value}, {proof.reason}"
    return Result(before.status), words


def with_references(
    results: Ledger[Result],
    places: Iterable[Source],
    *,
    jobs: int,
    progress: Progress,
    copying_s: float = 0.0,
) -> Outcomes:
    """Return the outcomes, and where those objects are used that a report names."""
    told = [kind for kind in results.counts() if kind.repaired or not kind.is_intact]
    references = find_references(
        results.table, results.positions(told), places, jobs=jobs, progress=progress
    )
    return Outcomes(results, references, copying_s)
