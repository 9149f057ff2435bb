"""How long copying will take: as it did between the two places before, or as reading tells."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scripts.errors import StoreError
from scripts.migration.heal import sources_by_place
from scripts.migration.observe import DEFAULT_JOBS
from scripts.migration.plan import Estimate
from scripts.migration.record import recall_pace
from scripts.migration.workers import Stop, in_threads
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from scripts.migration.opening import Stores
    from scripts.migration.plan import Plan, PlannedObject
    from scripts.progress import Progress

_TRIAL_S = 2.0
_MOST_TRIED = 2_000


@dataclass(frozen=True)
class Pace:
    """What was moved, and how long it took."""

    objects: int
    size_bytes: int
    elapsed_s: float

    def duration_s(self, objects: int, size_bytes: int) -> float:
        """Return how long so much takes at this pace: by its number or its size, what is longer."""
        shares = [objects / self.objects]
        if self.size_bytes:
            shares.append(size_bytes / self.size_bytes)
        return self.elapsed_s * max(shares)


def with_estimate(
    plan: Plan,
    stores: Stores,
    *,
    trial: bool = False,
    jobs: int = DEFAULT_JOBS,
    progress: Progress | None = None,
) -> Plan:
    """Return ``plan`` and how long its copying will take, if that can be told.

    Args:
        plan: The plan.
        stores: The project and its remotes.
        trial: Whether to read for two seconds if nothing was copied between the two before. What
            writing takes is not known then.
        jobs: How many objects are read at once.
        progress: Told of the trial.
    """
    if not plan.counts["to_copy"]:
        return plan
    known = recall_pace(stores.root, stores)
    if known is not None:
        return replace(plan, estimate=_estimate(plan, Pace(*known), is_whole=True))
    pace = _try_reading(plan, stores, jobs, progress or SilentProgress()) if trial else None
    if pace is None:
        return plan
    return replace(plan, estimate=_estimate(plan, pace, is_whole=False))


def _estimate(plan: Plan, pace: Pace, *, is_whole: bool) -> Estimate:
    return Estimate(pace.duration_s(plan.counts["to_copy"], plan.bytes_to_copy), is_whole=is_whole)


def _try_reading(plan: Plan, stores: Stores, jobs: int, progress: Progress) -> Pace | None:
    """Read some of what is to be copied, from all over the plan, until the time is up."""
    copying = plan.chosen(kind for kind in plan.kinds if kind.is_copying)
    step = max(1, plan.counts["to_copy"] // _MOST_TRIED)
    tried = list(itertools.islice(copying, 0, None, step))
    places = sources_by_place(stores)
    lock = threading.Lock()
    objects = size_bytes = 0
    started_s = time.monotonic()

    def read(planned: PlannedObject, stop: Stop) -> None:
        nonlocal objects, size_bytes
        if time.monotonic() - started_s > _TRIAL_S:
            return
        place = places[planned.decision.read_from]
        try:
            for piece in place.read(planned.item):
                stop.check()
                with lock:
                    size_bytes += len(piece)
                if time.monotonic() - started_s > _TRIAL_S:
                    break
        except StoreError:
            return  # it is told when it is copied
        with lock:
            objects += 1

    with progress.phase("reading for an estimate"):
        in_threads(read, tried, jobs)
    if not objects:
        return None
    return Pace(objects, size_bytes, time.monotonic() - started_s)
