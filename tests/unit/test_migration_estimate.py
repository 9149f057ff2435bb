"""How long copying will take."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scripts.console.migration import plan_view
from scripts.errors import ObjectMissing
from scripts.migration import copy_objects, remember_complete, verify, with_estimate
from scripts.migration.estimate import Pace
from scripts.migration.inventory import Inventory
from scripts.migration.model import Reference, StoredObject
from scripts.migration.observe import plan_objects
from scripts.migration.opening import Stores
from scripts.migration.plan import Estimate
from scripts.migration.store import ReadOnly
from scripts.migration.stores.memory import MemoryStore
from scripts.progress import SilentProgress
from tests.tables import drawn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.migration.plan import Plan


def keep(store: MemoryStore, content: bytes) -> StoredObject:
    oid = hashlib.md5(content, usedforsecurity=False).hexdigest()
    store.contents[StoredObject(oid).key] = content
    return StoredObject(oid)


def plan_of(stores: Stores, *items: StoredObject) -> Plan:
    inventory = Inventory(dict.fromkeys(items, (Reference("p", "main"),)))
    return plan_objects(stores, inventory, 0.0, progress=SilentProgress())


@pytest.mark.parametrize(
    ("objects", "size_bytes", "expected_s"), [(10, 1000, 2.0), (40, 1000, 8.0), (10, 9000, 18.0)]
)
def test_many_objects_take_time_and_so_do_many_bytes(
    objects: int, size_bytes: int, expected_s: float
) -> None:
    assert Pace(10, 1000, 2.0).duration_s(objects, size_bytes) == expected_s
    assert Pace(10, 0, 2.0).duration_s(20, size_bytes) == 4.0, "empty files take time too"


def test_the_pace_of_the_last_run_between_the_two_places_counts(tmp_path: Path) -> None:
    source, target = MemoryStore("hdd"), MemoryStore("s3")
    stores = Stores(tmp_path, ReadOnly(source), target)
    first, second = keep(source, b"x" * 100), keep(source, b"y" * 400)
    plan = plan_of(stores, first)
    assert with_estimate(plan, stores).estimate is None, "nothing is known, nothing is tried"
    report = verify(plan, copy_objects(plan, stores), stores)
    report.outcomes.copying_s = 3.0
    remember_complete(tmp_path, stores, report)
    again = with_estimate(plan_of(stores, first, second), stores)
    assert again.estimate is not None
    assert (again.estimate.duration_s, again.estimate.is_whole) == (12.0, True)
    assert "400 B, about 12.0 s at the pace of the last run" in drawn(plan_view(again))
    assert json.loads(json.dumps(again.as_json()))["estimate"]["duration_s"] == 12.0
    nothing = plan_of(stores, first)
    remember_complete(tmp_path, stores, verify(nothing, copy_objects(nothing, stores), stores))
    assert with_estimate(nothing, stores).estimate is None, "there is nothing to copy"
    kept = with_estimate(plan_of(stores, second), stores).estimate
    assert kept is not None, "a run that copied nothing tells no pace, and forgets none"
    elsewhere = replace(stores, target=MemoryStore("other"))
    assert with_estimate(plan_of(elsewhere, first), elsewhere).estimate is None


def test_a_trial_reads_some_of_it_and_says_that_it_is_reading_only(tmp_path: Path) -> None:
    class Counting(MemoryStore):
        reads = 0

        def read(self, item: StoredObject) -> Iterator[bytes]:
            Counting.reads += 1
            return super().read(item)

    source = Counting("hdd")
    stores = Stores(tmp_path, ReadOnly(source), MemoryStore("s3"))
    items = [keep(source, str(number).encode()) for number in range(50)]
    told = with_estimate(plan_of(stores, *items), stores, trial=True)
    assert 0 < Counting.reads <= 50
    assert told.estimate is not None
    assert not told.estimate.is_whole
    assert "in a moment" in drawn(plan_view(told))
    longer = replace(told, estimate=Estimate(90, is_whole=False))
    assert "at least 1 min 30 s: that is what reading takes" in drawn(plan_view(longer))


def test_a_trial_that_reads_nothing_tells_nothing(tmp_path: Path) -> None:
    class Gone(MemoryStore):
        def read(self, item: StoredObject) -> Iterator[bytes]:
            raise ObjectMissing(f"{item.key} is gone")

    source = Gone("hdd")
    stores = Stores(tmp_path, ReadOnly(source), MemoryStore("s3"))
    plan = plan_of(stores, keep(source, b"x"))
    assert with_estimate(plan, stores, trial=True).estimate is None
