"""Carrying out a plan, on stores in memory that fail on purpose."""

from __future__ import annotations

import atexit
import hashlib
import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.errors import AccessDenied, StoreError, StoreUnavailable
from scripts.migration import copy_objects, retry, verify
from scripts.migration.inventory import Inventory
from scripts.migration.model import Evidence, Outcome, Reference, Status, StoredObject
from scripts.migration.notes import with_cautions
from scripts.migration.observe import plan_objects
from scripts.migration.opening import Stores
from scripts.migration.outcome import Outcomes
from scripts.migration.pace import Bandwidth, PacedStore
from scripts.migration.retry import retrying
from scripts.migration.store import ReadOnly
from scripts.migration.stores.memory import MemoryStore
from scripts.migration.stores.s3_errors import translated
from scripts.migration.table import Ledger
from scripts.migration.workers import Shared, Stop, Stopped, in_threads
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from scripts.migration.plan import Plan
    from scripts.progress import Phase

SILENT = SilentProgress()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stop, "sleep", lambda _self, _duration_s: None)


def keep(store: MemoryStore, content: bytes, suffix: str = "") -> StoredObject:
    oid = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
    item = StoredObject(oid, size_bytes=len(content))
    store.contents[item.key] = content
    return item


def keep_directory(store: MemoryStore, files: dict[str, bytes]) -> StoredObject:
    entries = [{"md5": keep(store, text).oid, "relpath": path} for path, text in files.items()]
    return keep(store, json.dumps(entries).encode(), ".dir")


def observe(source: MemoryStore, target: MemoryStore, *needed: StoredObject) -> tuple[Plan, Stores]:
    inventory = Inventory({StoredObject(i.oid): (Reference("p", "main"),) for i in needed})
    stores = Stores(Path(), ReadOnly(source), target)
    return plan_objects(stores, inventory, 0.0, jobs=2, progress=SILENT), stores


class Recording(MemoryStore):
    """Remembers in which order objects became visible."""

    def __init__(self) -> None:
        super().__init__("s3")
        self.order: list[str] = []

    def publish(
        self, item: StoredObject, chunks: Iterable[bytes], *, replace: bool = True
    ) -> Evidence:
        written = super().publish(item, chunks, replace=replace)
        self.order.append(item.key)
        return written


def test_a_directory_is_published_after_all_its_files() -> None:
    source, target = MemoryStore("hdd"), Recording()
    lists = [
        keep_directory(source, {f"{n}-{m}": f"{n} {m}".encode() for m in range(20)})
        for n in range(3)
    ]
    plan, stores = observe(source, target, *lists)
    report = verify(plan, copy_objects(plan, stores, jobs=8), stores)
    assert report.complete
    assert set(target.order[-3:]) == {item.key for item in lists}
    assert report.counts["copied"] == 63


def test_objects_come_from_all_over_the_shards_the_largest_of_each_first() -> None:
    source, target = MemoryStore("hdd"), Recording()
    items = [keep(source, bytes([number]) * (number + 1)) for number in range(250)]
    plan, stores = observe(source, target, *items)
    assert verify(plan, copy_objects(plan, stores, jobs=1), stores).complete
    sizes_bytes = {item.key: item.size_bytes or 0 for item in items}
    by_shard: dict[str, list[int]] = {}
    rounds = []
    for key in target.order:
        shelf = by_shard.setdefault(key[:-31], [])
        rounds.append(len(shelf))
        shelf.append(sizes_bytes[key])
    assert len(target.order) == len(items)
    assert rounds == sorted(rounds)  # no shard's second before every shard's first
    assert max(rounds) > 1
    assert all(shelf == sorted(shelf, reverse=True) for shelf in by_shard.values())


def test_where_publishing_together_saves_work_objects_come_shard_by_shard() -> None:
    class Batched(Recording):
        is_batched = True

    source, target = MemoryStore("hdd"), Batched()
    items = [keep(source, bytes([number])) for number in range(250)]
    plan, stores = observe(source, target, *items)
    assert verify(plan, copy_objects(plan, stores, jobs=1), stores).complete
    shards = [key[:-31] for key in target.order]
    changes = sum(one != other for one, other in zip(shards, shards[1:]))
    assert (len(shards), changes) == (len(items), len(set(shards)) - 1)


def test_what_publishing_did_not_prove_is_proven_in_a_phase_of_its_own() -> None:
    class Told:
        def __init__(self) -> None:
            self.phases: dict[str, int | None] = {}

        def phase(
            self, name: str, *, total: int | None = None, unit: str = "objects"
        ) -> AbstractContextManager[Phase]:
            self.phases[name] = total
            return SILENT.phase(name, total=total, unit=unit)

        def say(self, message: str) -> None:
            """Hear nothing."""

    class Proving(MemoryStore):
        def publish(
            self, item: StoredObject, chunks: Iterable[bytes], *, replace: bool = True
        ) -> Evidence:
            super().publish(item, chunks, replace=replace)
            return Evidence.STORE_CHECKSUM

    source = MemoryStore("hdd")
    items = [keep(source, bytes([number])) for number in range(9)]
    for target, total in ((MemoryStore("s3"), 9), (Proving("s3"), None)):
        told = Told()
        plan, stores = observe(source, target, *items)
        copy_objects(plan, stores, jobs=2, progress=told)
        assert told.phases.get("proving what was copied") == total


def test_each_item_of_a_shared_iterator_comes_to_one_thread() -> None:
    shared = Shared(number for number in range(5_000))
    taken = in_threads(lambda _, _stop: list(shared), range(8), jobs=8)
    assert sorted(number for part in taken for number in part) == list(range(5_000))


def test_a_directory_is_withheld_when_the_target_lost_one_of_its_files() -> None:
    class Forgetful(Recording):
        def publish(
            self, item: StoredObject, chunks: Iterable[bytes], *, replace: bool = True
        ) -> Evidence:
            written = super().publish(item, chunks, replace=replace)
            if item.key == victim.key:
                self.contents[item.key] = b"bit rot"
            return written

    source, target = MemoryStore("hdd"), Forgetful()
    listing = keep_directory(source, {"a": b"aaa", "b": b"bbb"})
    victim = keep(source, b"bbb")
    plan, stores = observe(source, target, listing)
    report = verify(plan, copy_objects(plan, stores), stores)
    assert listing.key not in target.order
    found = {outcome.item.key: outcome for outcome in report.not_intact}
    assert found[victim.key].reason == ("after copied, the target holds other bytes under its name")
    assert victim.key in found[listing.key].reason


def test_what_another_writer_put_there_meanwhile_is_proven_not_believed() -> None:
    source, target = MemoryStore("hdd"), MemoryStore("s3")
    right, wrong = b"same", b"other"
    listing = keep_directory(source, {"a": right, "b": wrong})
    lonely = keep_directory(source, {"a": right})
    plan, stores = observe(source, target, listing, lonely)
    keep(target, right)
    target.contents[keep(source, wrong).key] = b"?"
    report = verify(plan, copy_objects(plan, stores), stores)
    found = {outcome.item.key: outcome for outcome in report.outcomes}
    assert found[keep(source, right).key].status is Status.PRESENT
    assert found[keep(source, right).key].is_intact
    assert found[lonely.key].is_intact
    assert "other bytes" in found[keep(source, wrong).key].reason
    assert "not published" in found[listing.key].reason
    again, stores = observe(source, target, listing, lonely)
    mended = verify(again, copy_objects(again, stores), stores)
    assert mended.complete
    assert mended.counts["repaired"] == 1


def test_a_directory_that_is_present_without_its_files_does_not_hide_them() -> None:
    source, target = MemoryStore("hdd"), MemoryStore("s3")
    listing = keep_directory(source, {"a": b"aaa", "b": b"bbb"})
    target.contents[listing.key] = source.contents[listing.key]
    plan, stores = observe(source, target, listing)
    assert plan.counts["present"] == 1
    assert plan.counts["to_copy"] == 2
    assert verify(plan, copy_objects(plan, stores), stores).complete


def test_a_corrupt_directory_is_opened_from_the_target_that_has_it_right() -> None:
    source, target = MemoryStore("hdd"), MemoryStore("s3")
    listing = keep_directory(source, {"a": b"aaa"})
    target.contents[listing.key] = source.contents[listing.key]
    source.contents[listing.key] = b"[]"
    plan, stores = observe(source, target, listing)
    report = verify(plan, copy_objects(plan, stores), stores)
    assert report.complete
    assert report.counts == {
        "planned": 2, "present": 1, "copied": 1, "intact": 2,
        "corrupt": 0, "missing": 0, "failed": 0, "repaired": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "content", [b"{}", b"not json", b'[{"relpath": "x"}]', b'[{"relpath": "x", "md5": "../../x"}]']
)
def test_a_directory_list_that_makes_no_sense_is_corrupt(content: bytes) -> None:
    source = MemoryStore("hdd")
    listing = keep(source, content, ".dir")
    plan, _ = observe(source, MemoryStore("s3"), listing)
    assert [planned.decision.status for planned in plan.lost] == [Status.CORRUPT]


def test_verify_finds_what_vanished_after_it_was_copied() -> None:
    source, target = MemoryStore("hdd"), MemoryStore("s3")
    item = keep(source, b"content")
    plan, stores = observe(source, target, item)
    outcomes = copy_objects(plan, stores)
    assert [outcome.evidence for outcome in outcomes] == [Evidence.STORE_CHECKSUM]
    target.contents.clear()
    (lost,) = verify(plan, outcomes, stores).not_intact
    assert (lost.status, lost.reason) == (Status.FAILED, "after copied, it is not in the target")


@pytest.mark.parametrize(
    ("kept", "is_right"), [(b"content", True), (b"contend", False), (b"content and more", False)]
)
def test_what_no_listing_shows_is_read_whole_by_its_name(kept: bytes, is_right: bool) -> None:
    class Lagging(MemoryStore):
        def list_objects(self) -> Iterator[StoredObject]:
            return iter(())

    source, target = MemoryStore("hdd"), Lagging("s3")
    item = keep(source, b"content")
    plan, stores = observe(source, target, item)
    outcomes = copy_objects(plan, stores)
    target.contents[item.key] = kept
    report = verify(plan, outcomes, stores)
    assert report.complete is is_right
    reasons = [outcome.reason for outcome in report.not_intact]
    told = "after copied, the target holds other bytes under its name"
    assert reasons == [told][: not is_right]


def test_verify_wants_one_outcome_for_each_planned_object() -> None:
    source = MemoryStore("hdd")
    plan, stores = observe(source, MemoryStore("s3"), keep(source, b"x"))
    other, _ = observe(source, MemoryStore("s3"), keep(source, b"y"))
    with pytest.raises(ValueError, match="exactly one outcome"):
        verify(plan, copy_objects(other, stores), stores)
    with pytest.raises(ValueError, match="has no verdict"):
        verify(plan, Outcomes(Ledger(plan.decisions.table)), stores)


def test_a_target_that_may_not_be_written_ends_the_copying_before_it_begins() -> None:
    class Closed(Recording):
        def require_writable(self) -> tuple[str, ...]:
            raise AccessDenied("closed")

    source, target = MemoryStore("hdd"), Closed()
    plan, stores = observe(source, target, keep(source, b"x"))
    with pytest.raises(AccessDenied, match="closed"):
        copy_objects(plan, stores)
    assert target.order == []
    target.contents.update(source.contents)
    nothing_to_do, stores = observe(source, target, keep(source, b"x"))
    assert verify(nothing_to_do, copy_objects(nothing_to_do, stores), stores).complete


def test_a_store_that_is_gone_is_not_asked_for_every_object() -> None:
    class Full(MemoryStore):
        asked = 0

        def publish(
            self,
            item: StoredObject,  # noqa: ARG002
            chunks: Iterable[bytes],  # noqa: ARG002
            *,
            replace: bool = True,  # noqa: ARG002
        ) -> Evidence:
            Full.asked += 1
            raise StoreError("no space left on the device")

    source, target = MemoryStore("hdd"), Full("s3")
    items = [keep(source, str(number).encode()) for number in range(500)]
    plan, stores = observe(source, target, *items)
    outcomes = copy_objects(plan, stores, jobs=4)
    assert len(outcomes) == 500
    assert {outcome.status for outcome in outcomes} == {Status.FAILED}
    assert Full.asked < 60
    report = verify(plan, outcomes, stores)
    assert report.counts["failed"] == 500


def test_the_source_cannot_be_written_through_what_reads_it() -> None:
    view = ReadOnly(MemoryStore("hdd"))
    assert not hasattr(view, "publish")
    assert not hasattr(view, "clean")
    with pytest.raises(AttributeError):
        view.publish = None  # type: ignore[attr-defined]


@pytest.mark.parametrize(("failures", "ends_well"), [(retry.ATTEMPTS - 1, True), (99, False)])
def test_only_what_may_mend_is_tried_again(failures: int, ends_well: bool) -> None:
    tries = []

    def call() -> str:
        tries.append(1)
        if len(tries) <= failures:
            raise StoreUnavailable("busy")
        return "done"

    if ends_well:
        assert retrying(call, Stop()) == "done"
    else:
        with pytest.raises(StoreUnavailable):
            retrying(call, Stop())
    assert len(tries) == retry.ATTEMPTS


def test_a_refusal_is_not_tried_again() -> None:
    tries = []

    def call() -> None:
        tries.append(1)
        raise AccessDenied("no")

    with pytest.raises(AccessDenied):
        retrying(call, Stop())
    assert len(tries) == 1


def test_a_failing_worker_ends_all_and_is_raised_where_results_are_read() -> None:
    def work(number: int, stop: Stop) -> int:
        if number == 3:
            raise RuntimeError("three")
        for _ in range(1000):
            stop.check()
            time.sleep(0.005)
        return number

    started = time.monotonic()
    with pytest.raises(RuntimeError, match="three"):
        in_threads(work, range(8), jobs=8)
    assert time.monotonic() - started < 2


def test_all_end_within_two_seconds_even_if_a_worker_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_exit: list[tuple[list[threading.Thread], int]] = []
    monkeypatch.setattr(
        atexit, "register", lambda _, threads, code: at_exit.append((threads, code))
    )
    release = threading.Event()

    def hanging(number: int, _: Stop) -> int:
        if number == 0:
            raise KeyboardInterrupt
        release.wait(60)
        return number

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        in_threads(hanging, range(9), jobs=9)
    assert time.monotonic() - started < 2
    ((threads, code),) = at_exit
    assert (len(threads), code) == (8, 130)
    release.set()
    for thread in threads:
        thread.join(10)


def test_a_stop_is_seen_between_two_pieces() -> None:
    stop = Stop()
    stop.check()
    stop.set()
    with pytest.raises(Stopped):
        stop.check()


@pytest.mark.parametrize(
    ("text", "kind", "word"),
    [
        ("status code: 404 Not Found: <Code>NoSuchBucket</Code>", StoreError, "no bucket data"),
        ("status code: 403 x <Code>SignatureDoesNotMatch</Code>", AccessDenied, "refuses"),
        ("status code: 503 x <Code>SlowDown</Code>", StoreUnavailable, "SlowDown"),
        ("error sending request to http://user:SECRET@host", StoreUnavailable, "no answer"),
        ("status code: 301 <Code>PermanentRedirect</Code>", StoreError, "another region"),
        ("status code: 400 <Code>BadDigest</Code>", StoreUnavailable, "damaged on the way"),
        ("status code: 404 <Code>NoSuchUpload</Code>", StoreUnavailable, "broke the upload off"),
        ("status code: 400 <Code>EntityTooLarge</Code>", StoreError, "EntityTooLarge"),
    ],
)
def test_a_servers_words_become_ours_and_its_secrets_stay_behind(
    text: str, kind: type[StoreError], word: str
) -> None:
    from obstore.exceptions import GenericError  # noqa: PLC0415

    with pytest.raises(kind, match=word) as caught, translated("s3://data/x", "s3", ""):
        raise GenericError(f"{text} SECRET <AWSAccessKeyId>AKIASECRET</AWSAccessKeyId>")
    assert type(caught.value) is kind
    assert "SECRET" not in f"{caught.value}{caught.value.hint}"


def test_an_outcome_is_intact_by_proof_only() -> None:
    item = StoredObject("a" * 32)
    assert not Outcome(item, Status.COPIED, Evidence.HASHED_IN_FLIGHT).is_intact
    assert Outcome(item, Status.COPIED, Evidence.READ_BACK).is_intact
    assert not Outcome(item, Status.CORRUPT, Evidence.READ_BACK).is_intact


def test_what_is_found_by_asking_the_target_stands_in_the_report() -> None:
    class Asked(MemoryStore):
        def require_writable(self) -> tuple[str, ...]:
            return ("s3: it ignores conditions",)

    source, target = MemoryStore("hdd"), Asked("s3")
    plan, stores = observe(source, target, keep(source, b"x"))
    plan = replace(plan, notes=("another",))
    stores = replace(stores, target=PacedStore(target, Bandwidth()))
    report = verify(plan, copy_objects(plan, stores), stores)
    assert report.notes == ("s3: it ignores conditions", "another")
    again, _ = observe(source, target, keep(source, b"x"))
    assert verify(again, copy_objects(again, stores), stores).notes == (), "nothing was asked"


def test_what_the_target_does_by_itself_is_told_first() -> None:
    class Cautious(MemoryStore):
        def cautions(self) -> tuple[str, ...]:
            return ("s3: it deletes objects after a month",)

    source, target = MemoryStore("hdd"), Cautious("s3")
    plan, _ = observe(source, target, keep(source, b"x"))
    noted = replace(plan, notes=("another",))
    assert with_cautions(noted, PacedStore(target, Bandwidth())).notes == (
        "s3: it deletes objects after a month",
        "another",
    )
    assert with_cautions(noted, MemoryStore("s3")).notes == ("another",)
