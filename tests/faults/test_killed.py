"""kill -9 at any moment: what is there is right, and the same command goes on from it."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.migrating import Running
from tests.rare import rarely

if TYPE_CHECKING:
    from tests.faults.sites import Site
    from tests.faults.tally import Tally

pytestmark = [pytest.mark.needs("s3"), pytest.mark.light]

WAYS = [
    ("hdd", "s3", False),
    ("hdd", "ssd", False),
    ("hdd", "ssd", True),
    ("cloud", "s3", False),
    ("cloud", "s3", True),
    ("cloud", "ssd", False),
]
"""Source, target, and whether processes copy."""
KILLS = [
    *range(len(WAYS)),  # each way once
    *map(rarely, range(len(WAYS), 30)),
]
EARLIER = 0.6
"""What the moment is multiplied with if the migration had ended before it."""


def kill_after(site: Site, way: tuple[str, str, bool], moment_s: float) -> float:
    """Kill a migration ``moment_s`` seconds after its beginning; return when it was.

    A reader watches each try. None does while the target is emptied for the next: that takes away
    what a reader has just listed, and no migration does so.
    """
    source, target, processes = way
    while True:
        with site.watched(target):
            running = Running(site.wish(source, target, processes=processes))
            time.sleep(moment_s)
            running.kill()
            is_killed = running.ended() is None
        if is_killed:
            return moment_s
        site.empty(target)
        moment_s *= EARLIER


@pytest.mark.parametrize("seed", KILLS)
def test_at_a_random_moment(
    site: Site, tally: Tally, takes: dict[tuple[str, str, bool], float], seed: int
) -> None:
    way = source, target, processes = WAYS[seed % len(WAYS)]
    if way not in takes:
        begun = time.monotonic()
        assert site.migrate(source, target, processes=processes).complete
        takes[way] = time.monotonic() - begun
        site.empty(target)
    moment_s = random.Random(seed).uniform(0, takes[way])
    moment_s = kill_after(site, way, moment_s)
    with tally.fault("kill -9 at a random moment", f"{moment_s:.2f} of {takes[way]:.2f} s"):
        site.require_survived(source, target, clone=seed < 2)  # a bucket, and a directory


@pytest.mark.parametrize("target", ["ssd", "s3"])
def test_at_each_phase_boundary(site: Site, tally: Tally, target: str) -> None:
    boundaries = site.migrate("hdd", target).boundaries
    writes = boundaries.index("copying begins")
    for number, boundary in enumerate(boundaries, start=1):
        # Nothing lies between the end of one and the beginning of the next. Before copying nothing
        # is written, which one kind of target is enough to show.
        is_last = number == len(boundaries)
        if (boundary.endswith("ends") and not is_last) or (target == "s3" and number <= writes):
            continue
        site.empty(target)
        with tally.fault("kill -9 at a phase boundary"):
            running = Running(site.wish("hdd", target, dies_at=number))
            assert running.ended() is None, boundary
            site.require_survived("hdd", target)
