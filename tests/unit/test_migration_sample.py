"""What is read back although a listing proves it, and what a remote is found to hold."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.errors import AccessDenied, MigrationIncomplete, SettingsError
from scripts.migration import audit
from scripts.migration.audit import verify_remote
from scripts.migration.inventory import Inventory, Uncollectable
from scripts.migration.model import Evidence, Proof, Reference, Status, StoredObject
from scripts.migration.prove import Seen, look_into_shards
from scripts.migration.sample import EVIDENCE, Sample, read_sample
from scripts.migration.stores.memory import MemoryStore
from scripts.progress import SilentProgress
from tests.tables import table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.migration.outcome import Report
    from scripts.migration.workers import Stop

SILENT = SilentProgress()


class Counting(MemoryStore):
    """Remembers what was read."""

    def __init__(self) -> None:
        super().__init__("s3")
        self.read_keys: list[str] = []

    def read(self, item: StoredObject) -> Iterator[bytes]:
        self.read_keys.append(item.key)
        return super().read(item)


def keep(store: MemoryStore, content: bytes, suffix: str = "") -> StoredObject:
    oid = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
    item = StoredObject(oid, size_bytes=len(content))
    store.contents[item.key] = content
    return item


def prove(store: MemoryStore, items: list[StoredObject], sample: Sample) -> dict[str, Proof]:
    table, _ = table_of(items)
    proofs: dict[str, Proof] = {}

    def look(number: int, seen: Iterator[Seen], _stop: Stop) -> None:
        for row, _, _, proof in seen:
            proofs[table.blocks[number].item(row).key] = proof

    look_into_shards(table, store, look, sample=sample, jobs=4, progress=SILENT, name="proving")
    return proofs


@pytest.mark.parametrize(("share", "reads"), [(0, 0), (0.05, 10), (0.001, 1), (1, 200)])
def test_a_share_of_what_the_listing_proves_is_read_back(share: float, reads: int) -> None:
    store = Counting()
    items = [keep(store, str(number).encode()) for number in range(200)]
    proofs = prove(store, items, Sample(share, seed=7))
    assert len(store.read_keys) == reads
    found = [proof.evidence for proof in proofs.values()]
    assert found.count(Evidence.READ_BACK) == reads
    assert found.count(Evidence.STORE_CHECKSUM) == 200 - reads


def test_the_same_seed_reads_the_same_objects_again() -> None:
    chosen = Sample(0.05, 7).choose(1000)
    assert sum(number in chosen for number in range(1000)) == 50
    assert Sample(0.05, 7).choose(1000) == chosen
    assert Sample(0.05, 8).choose(1000) != chosen


def test_reading_finds_what_a_listing_hides() -> None:
    """A store that computed its checksum once does not know what became of the bytes."""

    class Rotten(MemoryStore):
        def read(self, item: StoredObject) -> Iterator[bytes]:
            yield b"".join(super().read(item))[:-1] + b"?"

    store = Rotten("s3")
    item = keep(store, b"content")
    assert prove(store, [item], EVIDENCE)[item.key].evidence is Evidence.STORE_CHECKSUM
    assert "other bytes" in prove(store, [item], Sample(1))[item.key].reason


def test_what_was_asked_for_is_understood() -> None:
    assert read_sample("evidence") == EVIDENCE
    assert read_sample("read") == Sample(share=1)
    assert read_sample("evidence", "5%", 7) == Sample(0.05, 7)
    assert read_sample("evidence", "2.5", 7) == Sample(0.025, 7)
    assert read_sample("evidence", "5%").seed != 0


@pytest.mark.parametrize(
    ("verify", "percent", "word"),
    [
        ("size", "", "evidence"),
        ("evidence", "0%", "--sample"),
        ("evidence", "101%", "--sample"),
        ("evidence", "some", "--sample"),
        ("read", "5%", "nothing to sample"),
    ],
)
def test_what_makes_no_sense_is_refused(verify: str, percent: str, word: str) -> None:
    with pytest.raises(SettingsError, match=word) as caught:
        read_sample(verify, percent)
    assert caught.value.exit_code == 2


def audited(
    monkeypatch: pytest.MonkeyPatch,
    store: MemoryStore,
    *needed: StoredObject,
    lost: tuple[Uncollectable, ...] = (),
) -> Report:
    inventory = Inventory(
        {StoredObject(item.oid): (Reference("p", "v1 (abc)"),) for item in needed},
        revisions=2,
        uncollectable=lost,
    )
    monkeypatch.setattr(audit, "read_inventory", lambda *_: inventory)
    return verify_remote(Path(), store, jobs=2)


def test_a_remote_that_holds_everything_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Counting()
    listing = keep(
        store, b'[{"md5": "%s", "relpath": "x"}]' % keep(store, b"x").oid.encode(), ".dir"
    )
    report = audited(monkeypatch, store, listing, keep(store, b"y"))
    report.require_complete()
    assert report.counts["intact"] == report.counts["present"] == 3
    assert report.evidence_counts() == {"store checksum": 3}
    assert store.read_keys == [listing.key]
    assert (report.as_json()["source"], report.as_json()["target"]) == (None, "s3")


def test_what_is_absent_wrong_or_unproven_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(MemoryStore):
        def list_objects(self) -> Iterator[StoredObject]:
            for item in super().list_objects():
                yield StoredObject(item.oid, item.layout, item.size_bytes)

        def read(self, item: StoredObject) -> Iterator[bytes]:
            if item.key == unreadable.key:
                raise AccessDenied("not yours")
            return super().read(item)

    store = Refusing("s3")
    absent, wrong, unreadable, right = (keep(store, text) for text in (b"a", b"b", b"c", b"d"))
    del store.contents[absent.key]
    store.contents[wrong.key] = b"B"
    report = audited(monkeypatch, store, absent, wrong, unreadable, right)
    found = {outcome.item.key: outcome for outcome in report.not_intact}
    assert {key: outcome.status for key, outcome in found.items()} == {
        absent.key: Status.MISSING,
        wrong.key: Status.CORRUPT,
        unreadable.key: Status.FAILED,
    }
    assert "not yours" in found[unreadable.key].reason
    assert found[absent.key].references == (Reference("p", "v1 (abc)"),)
    with pytest.raises(MigrationIncomplete, match="1 corrupt, 1 missing, 1 failed") as caught:
        report.require_complete()
    assert caught.value.exit_code == 6
    assert "--to s3" in caught.value.hint


def test_a_list_that_cannot_be_opened_or_a_commit_that_cannot_be_read_is_not_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore("s3")
    nonsense = keep(store, b"not a list", ".dir")
    (outcome,) = audited(monkeypatch, store, nonsense).not_intact
    assert outcome.status is Status.CORRUPT
    lost = Uncollectable("v0", "x.dvc", "not YAML")
    assert not audited(monkeypatch, store, keep(store, b"x"), lost=(lost,)).complete
