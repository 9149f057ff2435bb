"""Facts in, plan out, and the report that comes of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from scripts.errors import MigrationIncomplete
from scripts.migration.inventory import Inventory, Uncollectable
from scripts.migration.model import (
    LAYOUTS,
    Evidence,
    Layout,
    Outcome,
    Proof,
    Reference,
    Result,
    Status,
    StoredObject,
    is_oid,
    object_at,
)
from scripts.migration.observe import plan_objects
from scripts.migration.opening import Stores
from scripts.migration.outputs import Verdict
from scripts.migration.plan import Action, Decision, Healing, Observed, Plan, Share, decide
from scripts.migration.store import ReadOnly
from scripts.migration.stores.memory import MemoryStore
from scripts.migration.uses import REFERENCES_KEPT
from scripts.migration.verify import judge
from scripts.progress import SilentProgress
from tests.tables import report_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PROVEN = Proof(Evidence.STORE_CHECKSUM)
WRONG = Proof(Evidence.NONE, "the target holds other bytes under its name")
HERE = (Reference("a.txt", "main"),)


def item(number: int, *, size_bytes: int | None = 10, suffix: str = "") -> StoredObject:
    return StoredObject(f"{number:032x}{suffix}", Layout.CURRENT, size_bytes)


def keep(store: MemoryStore, content: bytes, suffix: str = "") -> StoredObject:
    """Put an object where it belongs; return it as revisions name it."""
    oid = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
    store.contents[StoredObject(oid).key] = content
    return StoredObject(oid)


def keep_list(store: MemoryStore, files: dict[str, StoredObject]) -> StoredObject:
    listed = [{"md5": file.oid, "relpath": path} for path, file in files.items()]
    return keep(store, json.dumps(listed).encode(), ".dir")


def needs(*items: StoredObject) -> Inventory:
    return Inventory(dict.fromkeys(items, HERE))


def plan_of(inventory: Inventory, source: MemoryStore, target: MemoryStore) -> Plan:
    stores = Stores(Path(), ReadOnly(source), target)
    return plan_objects(stores, inventory, 0.0, jobs=4, progress=SilentProgress())


@pytest.mark.parametrize(
    ("key", "layout"),
    [("files/md5/ab/" + "c" * 30, Layout.CURRENT), ("ab/" + "c" * 30 + ".dir", Layout.LEGACY)],
)
def test_a_key_and_its_object_are_two_names_of_one_thing(key: str, layout: Layout) -> None:
    found = object_at(key)
    assert found is not None
    assert (found.key, found.layout, found.shard) == (key, layout, 0xAB)
    assert found.is_directory == key.endswith(".dir")


@pytest.mark.parametrize(
    "key",
    [
        "ab/../x",
        "AB/" + "c" * 30,
        "ab/" + "c" * 29,
        "files/md5/ab/" + "c" * 30 + ".tmp",
        "runs/ab/x",
    ],
)
def test_what_cannot_be_a_key_is_none(key: str) -> None:
    assert object_at(key) is None


def test_a_trailing_newline_names_nothing() -> None:
    assert not is_oid("a" * 32 + "\n")
    assert not is_oid(None)


def test_absent_is_copied_present_with_evidence_is_kept_present_without_is_repaired() -> None:
    one = item(1)
    assert decide(Observed(one)) == (Decision(Action.COPY), "")
    assert decide(Observed(one, one, PROVEN)) == (Decision(Action.KEEP, PROVEN.evidence), "")
    assert decide(Observed(one, one, WRONG)) == (Decision(Action.REPAIR), WRONG.reason)


def test_what_the_sources_listing_proves_may_be_copied_by_a_server() -> None:
    told = item(1)._replace(checksum=item(1).md5)
    assert decide(Observed(told))[0] == Decision(Action.COPY, is_told=True)
    assert not decide(Observed(told._replace(checksum="0" * 32)))[0].is_told
    assert decide(Observed(healing=Healing(told, "s3")))[0].is_told
    source = MemoryStore("hdd")
    plan = plan_of(needs(keep(source, b"x")), source, MemoryStore("s3"))
    assert [planned.decision.is_told for planned in plan.objects] == [True]


def test_same_size_is_no_evidence() -> None:
    one = item(1)
    decision, _ = decide(Observed(one, one, Proof(Evidence.SIZE)))
    assert decision.action is Action.REPAIR


def test_what_the_source_lacks_is_missing_unless_the_target_provably_has_it() -> None:
    one = item(1)
    lost, reason = decide(Observed(looked_into=("the cache",)))
    assert (lost.action, lost.status) == (Action.NONE, Status.MISSING)
    assert reason == "it is not in the source, nor in the cache"
    assert decide(Observed(None, one, PROVEN))[0].action is Action.KEEP
    wrong, reason = decide(Observed(None, one, WRONG))
    assert wrong.status is Status.MISSING
    assert "other bytes" in reason


def test_what_is_found_elsewhere_is_read_there() -> None:
    one = item(1)
    healing = Healing(one, "the cache")
    assert decide(Observed(healing=healing))[0] == Decision(Action.COPY, read_from="the cache")
    assert decide(Observed(None, one, WRONG, healing=healing))[0].action is Action.REPAIR
    assert decide(Observed(one, healing=healing))[0] == Decision(Action.COPY), "not needed"


def test_the_files_of_a_directory_join_the_plan_with_their_paths() -> None:
    source = MemoryStore("hdd")
    file, gone = keep(source, b"x"), item(2)
    listing = keep_list(source, {"sub/x": file, "y": gone})
    plan = plan_of(Inventory({listing: (Reference("data", "v1"),)}), source, MemoryStore("s3"))
    assert {planned.item.key: planned.decision.action for planned in plan.objects} == {
        file.key: Action.COPY,
        listing.key: Action.COPY,
        gone.key: Action.NONE,
    }
    assert [planned.references for planned in plan.lost] == [(Reference("data/y", "v1"),)]


def test_a_directory_that_cannot_be_opened_is_never_copied() -> None:
    source = MemoryStore("hdd")
    listing = keep_list(source, {})
    source.contents[listing.key] = b"?"
    (planned,) = plan_of(needs(listing), source, MemoryStore("s3")).objects
    assert (planned.decision.action, planned.decision.status) == (Action.NONE, Status.CORRUPT)
    assert planned.references == HERE


def test_an_object_of_a_long_history_keeps_a_few_places_only() -> None:
    users = tuple(Reference("a", str(number)) for number in range(100))
    (lost,) = plan_of(Inventory({item(1): users}), MemoryStore(), MemoryStore()).lost
    assert lost.references == users[:REFERENCES_KEPT]


def test_the_counts_of_a_plan_add_up() -> None:
    source, target = MemoryStore("hdd"), MemoryStore("s3")
    kept, copied, repaired = (keep(source, text) for text in (b"0" * 10, b"1" * 10, b"2" * 10))
    target.contents |= {kept.key: source.contents[kept.key], repaired.key: b"?"}
    bad, lost = keep_list(source, {}), item(3)
    source.contents[bad.key] = b"?"
    inventory = Inventory(
        dict.fromkeys((kept, copied, repaired, lost, bad), HERE),
        excluded={Verdict.NOT_PUSHED: 2},
    )
    plan = plan_of(inventory, source, target)
    counts = plan.counts
    assert counts == {
        "planned": 5, "present": 1, "to_copy": 2, "to_repair": 1, "to_heal": 0,
        "corrupt": 1, "missing": 1, "failed": 0,
    }  # fmt: skip
    parts = ("present", "to_copy", "corrupt", "missing", "failed")
    assert counts["planned"] == sum(counts[part] for part in parts)
    assert plan.bytes_to_copy == 20
    assert plan.excluded == {"push: false": 2}


def test_the_source_is_asked_only_where_the_target_does_not_prove_all() -> None:
    class Counting(MemoryStore):
        asked: ClassVar[list[int]] = []

        def list_shard(
            self, shard: int, layouts: frozenset[Layout] = LAYOUTS
        ) -> Iterator[StoredObject]:
            self.asked.append(shard)
            return super().list_shard(shard, layouts)

    source, target = Counting("hdd"), MemoryStore("s3")
    items = [keep(source, str(number).encode()) for number in range(300)]
    target.contents |= source.contents
    del target.contents[items[7].key]
    plan = plan_of(needs(*items), source, target)
    assert plan.counts["present"] == 299
    assert source.asked == [items[7].shard]


def test_a_plan_is_told_by_revision_and_by_path() -> None:
    source, target = MemoryStore("hdd"), MemoryStore("s3")
    shared, new, old = (keep(source, text) for text in (b"2" * 10, b"3" * 10, b"5" * 10))
    listing, lost = keep_list(source, {"x": shared, "y": new}), item(4)
    target.contents |= {shared.key: source.contents[shared.key], new.key: b"?"}
    inventory = Inventory(
        {
            listing: (Reference("data", "workspace"), Reference("data", "v2")),
            shared: (Reference("a", "v1"),),
            lost: (Reference("a", "v2"),),
            old: (Reference("a", "0123456789"),),
        },
        tips=frozenset({"v1", "v2"}),
    )
    plan = plan_of(inventory, source, target)
    list_bytes = len(source.contents[listing.key])
    assert plan.by_revision == (
        Share("workspace", 3, present=1, to_copy=2, to_repair=1, lost=0,
              size_bytes=20 + list_bytes, bytes_to_copy=10 + list_bytes),
        Share("v1", 1, present=1, to_copy=0, to_repair=0, lost=0, size_bytes=10, bytes_to_copy=0),
        Share("v2", 4, present=1, to_copy=2, to_repair=1, lost=1,
              size_bytes=20 + list_bytes, bytes_to_copy=10 + list_bytes),
    )  # fmt: skip
    assert [(share.name, share.objects, share.lost) for share in plan.by_path] == [
        ("a", 3, 1),
        ("data", 3, 0),
    ]
    told = json.loads(json.dumps(plan.as_json()))
    assert (told["schema_version"], told["can_complete"]) == (1, False)
    assert told["counts"] == plan.counts
    assert [(entry["object"], entry["references"]) for entry in told["lost"]] == [
        (lost.key, [{"path": "a", "revision": "v2"}])
    ]
    assert [entry["object"] for entry in told["to_repair"]] == [new.key]
    assert told["to_repair"][0]["references"] == [
        {"path": "data/y", "revision": "workspace"}, {"path": "data/y", "revision": "v2"}
    ]  # fmt: skip
    assert told["by_revision"][2]["lost"] == 1


def test_what_no_revision_names_has_no_path_in_the_breakdown() -> None:
    source = MemoryStore("hdd")
    loose, named = keep(source, b"loose"), keep(source, b"named")
    listing = keep_list(source, {"in": keep(source, b"in"), "gone": item(7)})
    stores = Stores(Path(), ReadOnly(source), MemoryStore("s3"))
    plan = plan_objects(
        stores, needs(named), 0.0, everything=True, jobs=4, progress=SilentProgress()
    )
    assert {planned.item.key for planned in plan.objects} == {*source.contents, item(7).key}
    assert [share.name for share in plan.by_path] == ["a.txt"]
    assert loose.key in source.contents
    assert [planned.references for planned in plan.lost] == [
        (Reference(f"{listing.key}/gone", "no revision"),)
    ]


@pytest.mark.parametrize("status", list(Status))
def test_only_what_the_target_shows_now_is_intact(status: Status) -> None:
    claimed = Result(status, Evidence.HASHED_IN_FLIGHT)
    assert judge(claimed, PROVEN, "before")[0].is_intact
    denied, reason = judge(claimed, WRONG, "before")
    assert not denied.is_intact
    expected = status if status not in (Status.PRESENT, Status.COPIED) else Status.FAILED
    assert denied.status is expected
    assert reason


def test_a_report_counts_what_its_outcomes_say() -> None:
    report = report_of(
        Outcome(item(1), Status.PRESENT, Evidence.READ_BACK),
        Outcome(item(2), Status.COPIED, Evidence.STORE_CHECKSUM, repaired=True),
        Outcome(item(3), Status.CORRUPT, reason="bits", references=HERE),
        Outcome(item(4), Status.MISSING, reason="gone"),
        Outcome(item(5, size_bytes=None), Status.FAILED, reason="full"),
        uncollectable=(Uncollectable("v0", "x.dvc", "not YAML"),),
        elapsed_s=1.23456,
    )
    told = json.loads(json.dumps(report.as_json()))
    assert told["counts"] == {
        "planned": 5, "present": 1, "copied": 1, "intact": 2,
        "corrupt": 1, "missing": 1, "failed": 1, "repaired": 1,
    }  # fmt: skip
    counts = told["counts"]
    assert counts["planned"] == sum(counts[n] for n in ("intact", "corrupt", "missing", "failed"))
    assert counts["intact"] == counts["present"] + counts["copied"]
    assert (told["schema_version"], told["complete"], told["bytes"]) == (1, False, 10)
    assert told["elapsed_s"] == pytest.approx(1.235)
    assert told["not_intact"][0] == {
        "object": item(3).key,
        "status": "corrupt",
        "reason": "bits",
        "size_bytes": 10,
        "references": [{"path": "a.txt", "revision": "main"}],
    }
    assert told["uncollectable"] == [{"revision": "v0", "path": "x.dvc", "reason": "not YAML"}]
    with pytest.raises(
        MigrationIncomplete, match="1 corrupt, 1 missing, 1 failed, 1 uncollectable"
    ) as caught:
        report.require_complete()
    assert caught.value.exit_code == 6


def test_a_report_is_complete_only_without_any_loss() -> None:
    intact = Outcome(item(1), Status.COPIED, Evidence.READ_BACK)
    whole = report_of(intact)
    assert whole.complete
    whole.require_complete()
    lost = Uncollectable("v0", "", "unreadable")
    assert not report_of(intact, uncollectable=(lost,)).complete


@pytest.mark.parametrize("evidence", [Evidence.NONE, Evidence.SIZE, Evidence.HASHED_IN_FLIGHT])
def test_a_report_refuses_to_call_intact_what_is_not_proven(evidence: Evidence) -> None:
    with pytest.raises(ValueError, match="without proof"):
        report_of(Outcome(item(1), Status.COPIED, evidence))
