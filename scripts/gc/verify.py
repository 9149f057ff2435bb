"""Verify: look into the cache again, whatever the removal said."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.gc.model import Kept, Reason, Removed
from scripts.gc.outcome import Report
from scripts.migration.prove import list_store
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Collection

    from scripts.gc.model import Outcome
    from scripts.gc.plan import Plan
    from scripts.gc.site import Site
    from scripts.progress import Progress


def verify(
    plan: Plan, outcomes: tuple[Outcome, ...], site: Site, progress: Progress | None = None
) -> Report:
    """List the cache again and return the report of what is gone and what is there.

    Raises:
        StoreError: The cache cannot be listed.
        ValueError: There is not exactly one outcome for each planned removal.
    """
    if [outcome.removal for outcome in outcomes] != list(plan.removals):
        raise ValueError("there must be exactly one outcome for each planned removal")
    found = list_store(site.objects, progress or SilentProgress())
    judged = tuple(_judge(outcome, found) for outcome in outcomes)
    stays = [entry.item.key for entry in Report(plan, judged).kept]
    return Report(
        plan,
        judged,
        applied=True,
        lost=tuple(key for key in stays if key not in found),
        elapsed_s=time.monotonic() - plan.started_s,
    )


def _judge(outcome: Outcome, found: Collection[str]) -> Outcome:
    item = outcome.removal.cached.item
    if outcome.status is Removed.REMOVED and item.key in found:
        kept = Kept(item, Reason.CHANGED, "it was removed, and is there again")
        return replace(outcome, status=Removed.KEPT, kept=kept)
    return outcome
