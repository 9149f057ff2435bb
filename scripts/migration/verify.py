"""Ask the target again, object by object, and never trust what copying said."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.migration.model import ABSENT, Evidence, Outcome, Proof, Status
from scripts.migration.observe import DEFAULT_JOBS
from scripts.migration.outcome import Report
from scripts.migration.prove import list_store, prove_objects
from scripts.migration.sample import EVIDENCE, Sample
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.migration.opening import Stores
    from scripts.migration.plan import Plan
    from scripts.progress import Progress


def verify(
    plan: Plan,
    outcomes: Sequence[Outcome],
    stores: Stores,
    *,
    jobs: int = DEFAULT_JOBS,
    progress: Progress | None = None,
    sample: Sample = EVIDENCE,
) -> Report:
    """Prove every planned object at the target afresh, and report.

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
    planned = [entry.item.key for entry in plan.objects]
    if sorted(planned) != sorted(outcome.item.key for outcome in outcomes):
        raise ValueError("there must be exactly one outcome for each planned object")
    listing = list_store(stores.target, progress)
    proofs = prove_objects(
        (outcome.item for outcome in outcomes), stores.target, listing,
        jobs=jobs, progress=progress, sample=sample,
    )  # fmt: skip
    return Report(
        source=plan.source,
        target=plan.target,
        outcomes=tuple(
            judge(outcome, proofs.get(outcome.item.key, ABSENT)) for outcome in outcomes
        ),
        uncollectable=plan.uncollectable,
        excluded=plan.excluded,
        notes=plan.notes,
        revisions=plan.revisions,
        elapsed_s=time.monotonic() - plan.started_s,
        sample=sample,
    )


def judge(outcome: Outcome, proof: Proof) -> Outcome:
    """Return the final outcome of an object, from what was done and what the target holds now."""
    claims_intact = outcome.status in (Status.PRESENT, Status.COPIED)
    if proof.evidence.is_proof:
        status = outcome.status if claims_intact else Status.PRESENT
        return replace(outcome, status=status, evidence=proof.evidence, reason="")
    if claims_intact:
        return replace(
            outcome, status=Status.FAILED, evidence=Evidence.NONE, repaired=False,
            reason=f"after {outcome.status.value}, {proof.reason}",
        )  # fmt: skip
    return replace(outcome, evidence=Evidence.NONE)
