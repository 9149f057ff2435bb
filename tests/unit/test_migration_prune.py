"""What may be deleted from a source, and what stops it; on stores in memory."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.console.pruning import dry_run_view, pruned_view, require_consent
from scripts.errors import MigrationIncomplete, ObjectMissing, SettingsError, StoreError
from scripts.migration import record
from scripts.migration.model import Evidence, Status, StoredObject
from scripts.migration.opening import Stores
from scripts.migration.plan import Action, Decision, PlannedObject
from scripts.migration.prune import Pruning, plan_prune, prune_source
from scripts.migration.store import ReadOnly
from scripts.migration.stores.memory import MemoryStore
from tests.tables import plan_of, report_of

if TYPE_CHECKING:
    from scripts.migration.plan import Plan


def keep(text: bytes, *stores: MemoryStore, suffix: str = "") -> StoredObject:
    oid = hashlib.md5(text, usedforsecurity=False).hexdigest() + suffix
    item = StoredObject(oid, size_bytes=len(text))
    for store in stores:
        store.contents[item.key] = text
    return item


def planned(*items: StoredObject) -> Plan:
    kept = Decision(Action.KEEP, Evidence.STORE_CHECKSUM)
    return plan_of(*(PlannedObject(item, kept) for item in items))


def pruning_of(source: MemoryStore, target: MemoryStore, *items: StoredObject) -> Pruning:
    return plan_prune(planned(*items), Stores(Path(), ReadOnly(source), target))


def test_what_every_revision_needs_is_deleted_and_the_rest_stays() -> None:
    source, target = MemoryStore("hdd"), MemoryStore("s3")
    files = [keep(str(number).encode() * 3, source, target) for number in range(20)]
    listing = keep(b"[]", source, target, suffix=".dir")
    garbage, gone = keep(b"nobody needs it", source), keep(b"pruned before", target)
    source.contents["runs/ab/x"] = b"run-cache"
    before = dict(target.contents)
    pruning = pruning_of(source, target, *files, listing, gone)
    assert pruning.items[0].key == listing.key
    assert (len(pruning.items), pruning.kept) == (21, 1)
    assert pruning.size_bytes == sum(item.size_bytes or 0 for item in (*files, listing))
    prune_source(pruning, source, target, jobs=4)
    assert set(source.contents) == {garbage.key, "runs/ab/x"}
    assert target.contents == before
    assert not pruning_of(source, target, *files, listing, gone).items


def test_lists_go_before_files() -> None:
    class Recording(MemoryStore):
        def __init__(self) -> None:
            super().__init__("hdd")
            self.order: list[bool] = []

        def remove(self, item: StoredObject) -> None:
            super().remove(item)
            self.order.append(item.is_directory)

    source, target = Recording(), MemoryStore("s3")
    items = [
        keep(f"{number}".encode(), source, target, suffix=suffix)
        for number, suffix in enumerate(["", ".dir"] * 10)
    ]
    items.append(keep(b"", source, target))
    prune_source(pruning_of(source, target, *items), source, target, jobs=3)
    assert source.order == sorted(source.order, reverse=True)


@pytest.mark.parametrize("action", [Action.COPY, Action.REPAIR, Action.NONE])
def test_one_object_that_is_not_proven_keeps_all(action: Action) -> None:
    source, target = MemoryStore("hdd"), MemoryStore("s3")
    right = keep(b"right", source, target)
    status = Status.MISSING if action is Action.NONE else None
    lost = PlannedObject(keep(b"lost", source), Decision(action, status=status))
    plan = plan_of(*planned(right).objects, lost)
    with pytest.raises(MigrationIncomplete, match="Nothing was deleted: 1 objects") as caught:
        plan_prune(plan, Stores(Path(), ReadOnly(source), target))
    assert caught.value.exit_code == 6


def test_a_source_that_outputs_name_themselves_stays() -> None:
    source, target = MemoryStore("hdd"), MemoryStore("s3")
    plan = replace(planned(keep(b"x", source, target)), pinned=2)
    with pytest.raises(SettingsError, match="2 outputs set `remote: hdd` themselves"):
        plan_prune(plan, Stores(Path(), ReadOnly(source), target))


def test_what_the_target_lost_since_the_plan_keeps_all() -> None:
    source, target = MemoryStore("hdd"), MemoryStore("s3")
    items = [keep(text, source, target) for text in (b"a", b"b", b"c")]
    pruning = pruning_of(source, target, *items)
    target.contents[items[1].key] = b"?"
    before = dict(source.contents)
    with pytest.raises(StoreError, match="no longer proven"):
        prune_source(pruning, source, target)
    assert source.contents == before


def test_one_place_by_two_names_loses_nothing() -> None:
    contents: dict[str, bytes] = {}
    source, target = MemoryStore("hdd", contents), MemoryStore("s3", contents)
    items = [keep(text, source) for text in (b"aa", b"b", b"ccc")]
    before = dict(contents)
    pruning = pruning_of(source, target, *items)
    with pytest.raises(SettingsError, match="one place by two names"):
        prune_source(pruning, source, target)
    assert contents == before


def test_a_deletion_of_which_nothing_is_known_loses_nothing_either() -> None:
    contents: dict[str, bytes] = {}

    class Unsure(MemoryStore):
        def remove(self, item: StoredObject) -> None:
            super().remove(item)
            raise StoreError("no answer")

    source, target = Unsure("hdd", contents), MemoryStore("s3", contents)
    items = [keep(text, source) for text in (b"aa", b"b")]
    before = dict(contents)
    pruning = pruning_of(source, target, *items)
    with pytest.raises(StoreError, match="no answer"):
        prune_source(pruning, source, target)
    assert contents == before


def test_a_target_that_loses_objects_meanwhile_is_told() -> None:
    class Losing(MemoryStore):
        def remove(self, item: StoredObject) -> None:
            super().remove(item)
            target.contents.pop(victim.key, None)

    source, target = Losing("hdd"), MemoryStore("s3")
    victim = keep(b"victim", source, target)
    first = keep(b"1", source, target)
    with pytest.raises(StoreError, match="no longer proven"):
        prune_source(pruning_of(source, target, first, victim), source, target)


def test_only_a_complete_migration_of_the_last_day_between_the_same_places_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def between(source: str, target: str) -> Stores:
        return Stores(tmp_path, ReadOnly(MemoryStore(source)), MemoryStore(target))

    stores, report = between("hdd", "s3"), report_of()
    with pytest.raises(SettingsError, match="within the last day") as caught:
        record.require_recent(tmp_path, stores)
    assert "dvc-migrate --from hdd --to s3" in caught.value.hint
    now_s = time.time()
    record.remember_complete(tmp_path, stores, report)
    record.require_recent(tmp_path, stores)
    for other in (between("s3", "hdd"), between("hdd", "gcs")):
        with pytest.raises(SettingsError):
            record.require_recent(tmp_path, other)
    for age_s in (record.DAY_S + 60, -3600):
        monkeypatch.setattr(time, "time", lambda age_s=age_s: now_s + age_s)
        with pytest.raises(SettingsError):
            record.require_recent(tmp_path, stores)
    (tmp_path / ".slipway/migrations.json").write_text("{")
    with pytest.raises(SettingsError, match="cannot be read"):
        record.require_recent(tmp_path, stores)


def test_nothing_is_deleted_without_consent() -> None:
    asked: list[str] = []
    pruning = Pruning("hdd", "s3", "/mnt/hdd", (StoredObject("a" * 32, size_bytes=2000),), kept=3)

    def answer(question: str) -> bool:
        asked.append(question)
        return len(asked) > 1

    with pytest.raises(SettingsError, match="Nothing was deleted"):
        require_consent(pruning, answer)
    require_consent(pruning, answer)
    for told in ("1 object (2.0 kB) from hdd (/mnt/hdd)", "s3 has them all", "Other projects"):
        assert told in asked[0]
    assert dry_run_view(pruning).plain == (
        "hdd: 1 object (2.0 kB) to delete; 3 objects that no revision needs stay"
    )
    assert pruned_view(pruning).plain.startswith("✓ hdd: 1 object (2.0 kB) deleted")
    assert dry_run_view(Pruning("hdd", "s3", "/mnt/hdd", ())).plain == "hdd: nothing to delete"


def test_what_was_not_complete_is_not_remembered(tmp_path: Path) -> None:
    from scripts.migration.inventory import Uncollectable  # noqa: PLC0415

    report = report_of(uncollectable=(Uncollectable("v1", "x.dvc", "bad"),))
    stores = Stores(tmp_path, ReadOnly(MemoryStore("hdd")), MemoryStore("s3"))
    with pytest.raises(MigrationIncomplete):
        record.remember_complete(tmp_path, stores, report)
    assert not (tmp_path / ".slipway").exists()


def test_what_is_removed_is_gone() -> None:
    store = MemoryStore()
    item = keep(b"x", store)
    store.remove(item)
    store.remove(item)
    with pytest.raises(ObjectMissing):
        list(store.read(item))
