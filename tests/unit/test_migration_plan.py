"""Facts in, plan out, and the report that comes of it."""

from __future__ import annotations

import json

import pytest

from scripts.errors import MigrationIncomplete
from scripts.migration.breakdown import break_down
from scripts.migration.directories import Entry, Opened
from scripts.migration.inventory import Inventory, Uncollectable, with_unreferenced
from scripts.migration.model import (
    Evidence,
    Layout,
    Outcome,
    Proof,
    Reference,
    Status,
    StoredObject,
    is_oid,
    object_at,
)
from scripts.migration.outcome import Report
from scripts.migration.outputs import Verdict
from scripts.migration.plan import (
    REFERENCES_KEPT,
    Action,
    Observation,
    Plan,
    PlannedObject,
    Share,
    make_plan,
    references_of,
)
from scripts.migration.verify import judge

PROVEN = Proof(Evidence.STORE_CHECKSUM)
WRONG = Proof(Evidence.NONE, "the target holds other bytes under its name")
HERE = (Reference("a.txt", "main"),)


def item(number: int, *, size_bytes: int | None = 10, suffix: str = "") -> StoredObject:
    return StoredObject(f"{number:032x}{suffix}", Layout.CURRENT, size_bytes)


def by_key(*items: StoredObject) -> dict[str, StoredObject]:
    return {entry.key: entry for entry in items}


def plan_of(observed: Observation) -> Plan:
    return make_plan(observed, "hdd", "s3")


def only(observed: Observation) -> PlannedObject:
    (planned,) = plan_of(observed).objects
    return planned


def needs(*items: StoredObject) -> Inventory:
    return Inventory(dict.fromkeys(items, HERE))


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
    here = by_key(one)
    assert only(Observation(needs(one), here, {})).action is Action.COPY
    kept = only(Observation(needs(one), here, here, proofs={one.key: PROVEN}))
    assert (kept.action, kept.evidence) == (Action.KEEP, Evidence.STORE_CHECKSUM)
    repaired = only(Observation(needs(one), here, here, proofs={one.key: WRONG}))
    assert (repaired.action, repaired.reason) == (Action.REPAIR, WRONG.reason)


def test_same_size_is_no_evidence() -> None:
    one = item(1)
    same = by_key(one)
    planned = only(Observation(needs(one), same, same, proofs={one.key: Proof(Evidence.SIZE)}))
    assert planned.action is Action.REPAIR


def test_what_the_source_lacks_is_missing_unless_the_target_provably_has_it() -> None:
    one = item(1)
    lost = only(Observation(needs(one), {}, {}))
    assert (lost.action, lost.status) == (Action.NONE, Status.MISSING)
    kept = only(Observation(needs(one), {}, by_key(one), proofs={one.key: PROVEN}))
    assert kept.action is Action.KEEP
    wrong = only(Observation(needs(one), {}, by_key(one), proofs={one.key: WRONG}))
    assert wrong.status is Status.MISSING
    assert "other bytes" in wrong.reason


def test_the_files_of_a_directory_join_the_plan_with_their_paths() -> None:
    listing, file = item(1, suffix=".dir"), item(2)
    opened = Opened(listing, (Entry("sub/x", file),))
    inventory = Inventory({listing: (Reference("data", "v1"),)})
    observed = Observation(inventory, by_key(listing, file), {}, directories={listing.key: opened})
    plan = plan_of(observed)
    assert [planned.action for planned in plan.objects] == [Action.COPY, Action.COPY]
    assert plan.contents == {listing.key: (file.key,)}
    assert references_of(inventory, observed.directories)[file] == (Reference("data/sub/x", "v1"),)


def test_a_directory_that_cannot_be_opened_is_never_copied() -> None:
    listing = item(1, suffix=".dir")
    opened = Opened(listing, (), Status.CORRUPT, "does not hash")
    planned = only(
        Observation(needs(listing), by_key(listing), {}, directories={listing.key: opened})
    )
    assert (planned.action, planned.status) == (Action.NONE, Status.CORRUPT)
    assert planned.references == HERE


def test_an_object_of_a_long_history_keeps_a_few_places_only() -> None:
    one = item(1)
    users = tuple(Reference("a", str(number)) for number in range(100))
    assert len(references_of(Inventory({one: users}), {})[one]) == REFERENCES_KEPT


def test_the_counts_of_a_plan_add_up() -> None:
    kept, copied, repaired, lost = (item(number) for number in range(4))
    bad = item(9, suffix=".dir")
    observed = Observation(
        Inventory(
            dict.fromkeys((kept, copied, repaired, lost, bad), HERE),
            excluded={Verdict.NOT_PUSHED: 2},
        ),
        by_key(kept, copied, repaired, bad),
        by_key(kept, repaired),
        directories={bad.key: Opened(bad, (), Status.CORRUPT, "x")},
        proofs={kept.key: PROVEN, repaired.key: WRONG},
    )
    plan = plan_of(observed)
    counts = plan.counts
    assert counts == {
        "planned": 5, "present": 1, "to_copy": 2, "to_repair": 1, "to_heal": 0,
        "corrupt": 1, "missing": 1, "failed": 0,
    }  # fmt: skip
    parts = ("present", "to_copy", "corrupt", "missing", "failed")
    assert counts["planned"] == sum(counts[part] for part in parts)
    assert plan.bytes_to_copy == 20
    assert plan.excluded == {"push: false": 2}


def test_a_plan_is_told_by_revision_and_by_path() -> None:
    listing, shared, new, lost, old = item(1, suffix=".dir"), *(item(n) for n in (2, 3, 4, 5))
    opened = Opened(listing, (Entry("x", shared), Entry("y", new)))
    inventory = Inventory(
        {
            listing: (Reference("data", "workspace"), Reference("data", "v2")),
            shared: (Reference("a", "v1"),),
            lost: (Reference("a", "v2"),),
            old: (Reference("a", "0123456789"),),
        },
        tips=frozenset({"v1", "v2"}),
    )
    observed = Observation(
        inventory,
        by_key(listing, shared, new, old),
        by_key(shared, new),
        directories={listing.key: opened},
        proofs={shared.key: PROVEN, new.key: WRONG},
    )
    plan = break_down(plan_of(observed), inventory)
    assert plan.by_revision == (
        Share("workspace", 3, present=1, to_copy=2, to_repair=1, lost=0, size_bytes=30,
              bytes_to_copy=20),
        Share("v1", 1, present=1, to_copy=0, to_repair=0, lost=0, size_bytes=10, bytes_to_copy=0),
        Share("v2", 4, present=1, to_copy=2, to_repair=1, lost=1, size_bytes=40,
              bytes_to_copy=20),
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
    assert told["by_revision"][2]["lost"] == 1


def test_what_no_revision_names_has_no_path_in_the_breakdown() -> None:
    loose, listing = item(1), item(2, suffix=".dir")
    named = item(3, size_bytes=None)
    inventory = with_unreferenced(needs(named), (loose, listing, item(3)))
    assert {found.key for found in inventory.references} == {loose.key, listing.key, named.key}
    assert (inventory.references[named], len(inventory.references)) == (HERE, 3)
    plan = break_down(plan_of(Observation(inventory, by_key(loose, listing), {})), inventory)
    assert [share.name for share in plan.by_path] == ["a.txt"]


@pytest.mark.parametrize("status", list(Status))
def test_only_what_the_target_shows_now_is_intact(status: Status) -> None:
    claimed = Outcome(item(1), status, Evidence.HASHED_IN_FLIGHT, "before")
    assert judge(claimed, PROVEN).is_intact
    denied = judge(claimed, WRONG)
    assert not denied.is_intact
    expected = status if status not in (Status.PRESENT, Status.COPIED) else Status.FAILED
    assert denied.status is expected
    assert denied.reason


def test_a_report_counts_what_its_outcomes_say() -> None:
    report = Report(
        "hdd",
        "s3",
        (
            Outcome(item(1), Status.PRESENT, Evidence.READ_BACK),
            Outcome(item(2), Status.COPIED, Evidence.STORE_CHECKSUM, repaired=True),
            Outcome(item(3), Status.CORRUPT, reason="bits", references=HERE),
            Outcome(item(4), Status.MISSING, reason="gone"),
            Outcome(item(5, size_bytes=None), Status.FAILED, reason="full"),
        ),
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
    whole = Report("hdd", "s3", (intact,))
    assert whole.complete
    whole.require_complete()
    lost = Uncollectable("v0", "", "unreadable")
    assert not Report("hdd", "s3", (intact,), uncollectable=(lost,)).complete


@pytest.mark.parametrize("evidence", [Evidence.NONE, Evidence.SIZE, Evidence.HASHED_IN_FLIGHT])
def test_a_report_refuses_to_call_intact_what_is_not_proven(evidence: Evidence) -> None:
    with pytest.raises(ValueError, match="without proof"):
        Report("hdd", "s3", (Outcome(item(1), Status.COPIED, evidence),))


def test_a_report_refuses_two_outcomes_for_one_object() -> None:
    twice = Outcome(item(1), Status.MISSING, reason="x")
    with pytest.raises(ValueError, match="more than one outcome"):
        Report("hdd", "s3", (twice, twice))
