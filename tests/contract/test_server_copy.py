"""Copies that an S3 server makes by itself, on a real one: no byte of an object passes here."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from scripts.errors import Corrupted, StoreUnavailable
from scripts.migration.model import (
    Evidence,
    Layout,
    Location,
    Result,
    ServerCopy,
    Status,
    StoredObject,
)  # fmt: skip
from scripts.migration.prove import list_store, prove_objects
from scripts.migration.store import ReadOnly
from scripts.migration.stores.s3 import PART_BYTES
from scripts.migration.stores.server_copy import INCOMING, ServerCopies
from scripts.migration.transfer import copy_object
from scripts.migration.workers import Stop
from scripts.progress import SilentProgress
from tests.contract import s3_server
from tests.contract.store_worlds import MemoryWorld, S3World, content_of, named, pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.migration.store import Source, Store

pytestmark = pytest.mark.needs("s3")


class Unread:
    """A source that may be listed, and lends its place, but whose bytes nobody reads."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.bytes_read = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def read(self, item: StoredObject) -> Iterator[bytes]:
        for chunk in self.source.read(item):
            self.bytes_read += len(chunk)
            yield chunk


@pytest.fixture(scope="module")
def buckets() -> Iterator[tuple[str, str]]:
    with ExitStack() as stack:
        first, second = (stack.enter_context(s3_server.fresh_bucket()) for _ in range(2))
        yield first, second


@pytest.fixture(params=["one bucket", "two buckets"])
def worlds(request: pytest.FixtureRequest, buckets: tuple[str, str]) -> tuple[S3World, S3World]:
    return S3World(buckets[0]), S3World(buckets[request.param == "two buckets"])


def copy(item: StoredObject, source: Source, target: Store, *, replace: bool = True) -> Result:
    moved: list[int] = []
    outcome = copy_object(
        item, source, target, stop=Stop(), advance=moved.append, replace=replace
    )  # fmt: skip
    if outcome.status is Status.COPIED:
        assert sum(moved) == item.size_bytes
    return outcome


def listed(world: S3World, key: str) -> StoredObject:
    (item,) = (item for item in world.store.list_objects() if item.key == key)
    return item


def is_proven(item: StoredObject, world: S3World) -> Evidence:
    listing = list_store(world.store, SilentProgress())
    proofs = prove_objects([item], world.store, listing, jobs=1, progress=SilentProgress())
    return proofs[item.key].evidence


@pytest.mark.parametrize("layout", list(Layout))
def test_no_byte_of_a_proven_object_passes_here(
    worlds: tuple[S3World, S3World], layout: Layout
) -> None:
    here, there = worlds
    content = content_of(100_000)
    planted = named(content, layout)
    here.plant(planted.key, content)
    item = listed(here, planted.key)
    source = Unread(ReadOnly(here.store))
    outcome = copy(item, source, there.store, replace=False)
    assert outcome == Result(Status.COPIED, Evidence.HASHED_IN_FLIGHT)
    assert source.bytes_read == 0
    assert is_proven(item, there) is Evidence.STORE_CHECKSUM
    assert b"".join(there.store.read(listed(there, item.key))) == content
    assert there.keys() == [item.key]


def test_wrong_bytes_in_the_source_are_not_copied_by_the_server_either(
    worlds: tuple[S3World, S3World],
) -> None:
    here, there = worlds
    item = named(b"right")
    here.plant(item.key, b"wrong")
    with pytest.raises(Corrupted, match=item.key):
        copy(listed(here, item.key), here.store, there.store)
    assert there.keys() == []


def test_what_changed_since_it_was_listed_is_not_copied(worlds: tuple[S3World, S3World]) -> None:
    here, there = worlds
    item = named(b"right")
    here.plant(item.key, b"right")
    seen = listed(here, item.key)
    here.plant(item.key, b"wrong")
    assert there.store.copy_from(here.location, seen) is ServerCopy.UNABLE
    with pytest.raises(Corrupted):
        copy(seen, here.store, there.store)
    assert there.keys() == []


def test_wrong_bytes_in_the_target_are_replaced_and_others_may_stay(
    worlds: tuple[S3World, S3World],
) -> None:
    here, there = worlds
    item = named(b"right")
    here.plant(item.key, b"right")
    there.plant(item.key, b"wrong")
    seen = listed(here, item.key)
    assert copy(seen, here.store, there.store, replace=False) == Result(Status.PRESENT)
    assert b"".join(there.store.read(listed(there, item.key))) == b"wrong"
    assert copy(seen, here.store, there.store, replace=True).status is Status.COPIED
    assert b"".join(there.store.read(listed(there, item.key))) == b"right"


def test_an_object_that_is_gone_is_for_the_reader_to_tell(worlds: tuple[S3World, S3World]) -> None:
    here, there = worlds
    here.plant(named(b"gone").key, b"gone")
    gone = listed(here, named(b"gone").key)
    here.store.remove(gone)
    assert there.store.copy_from(here.location, gone) is ServerCopy.UNABLE
    here.plant(named(b"here").key, b"here")
    seen = listed(here, named(b"here").key)
    assert there.store.copy_from(here.location, seen) is ServerCopy.DONE


@pytest.mark.parametrize("other", ["another server", "no bucket", "no server"])
def test_what_no_server_can_copy_is_read(buckets: tuple[str, str], other: str) -> None:
    here, there = S3World(buckets[0]), S3World(buckets[1])
    content = content_of(1000)
    item = named(content)
    here.plant(item.key, content)
    origin = {
        "another server": Location("http://elsewhere", here.bucket, here.prefix),
        "no bucket": Location(here.location.server, f"{here.bucket}-not-there", here.prefix),
        "no server": None,
    }[other]
    here.store.location = origin  # type: ignore[misc]
    source = Unread(here.store)
    assert copy(listed(here, item.key), source, there.store).status is Status.COPIED
    assert source.bytes_read == len(content)
    assert there.keys() == [item.key]


def test_from_another_kind_of_store_all_is_read(buckets: tuple[str, str]) -> None:
    memory, there = MemoryWorld(), S3World(buckets[0])
    item = named(b"x")
    memory.plant(item.key, b"x")
    source = Unread(memory.store)
    assert copy(item, source, there.store).status is Status.COPIED
    assert source.bytes_read == 1


def put_in_parts(world: S3World, content: bytes) -> StoredObject:
    """Upload as another program would: this run does not know its parts."""
    item = named(content)
    world.again().publish(item, pieces(content))
    return listed(world, item.key)


def test_an_object_in_parts_is_copied_right_whatever_the_server_makes_of_it(
    worlds: tuple[S3World, S3World],
) -> None:
    here, there = worlds
    content = content_of(PART_BYTES + 5)
    item = put_in_parts(here, content)
    assert item.checksum is None
    for _ in range(2):
        assert copy(item, here.store, there.store).status is Status.COPIED
        assert b"".join(there.store.read(listed(there, item.key))) == content
        assert there.keys() == [item.key]


def test_copies_beside_that_a_killed_run_left_are_removed(buckets: tuple[str, str]) -> None:
    world = S3World(buckets[0])
    world.plant(f"{INCOMING}{named(b'x').oid}-123", b"x")
    world.plant("readme.txt", b"stays")
    assert list(world.store.list_objects()) == []
    assert world.store.clean() == 1
    assert world.keys() == ["readme.txt"]


def test_a_server_that_does_not_answer_is_asked_again(buckets: tuple[str, str]) -> None:
    location = Location("http://127.0.0.1:9", buckets[0], uuid.uuid4().hex)

    def connect() -> Any:
        from botocore.config import Config  # noqa: PLC0415

        return s3_server.client_at(location.server, Config(retries={"total_max_attempts": 1}))

    item = StoredObject(named(b"x").oid, size_bytes=1, checksum=named(b"x").md5)
    with pytest.raises(StoreUnavailable):
        ServerCopies("s3", location, connect).copy(item, location, replace=True)
