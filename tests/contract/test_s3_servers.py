"""What servers differ in, on a stub that answers as AWS documents (see ``stub_s3``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.errors import StoreUnavailable
from scripts.migration.buckets import open_bucket
from scripts.migration.model import Status, StoredObject
from scripts.migration.stores.s3 import PART_BYTES, S3Store
from scripts.migration.transfer import copy_object, copy_or_tell
from scripts.migration.workers import Stop
from tests.contract.store_worlds import content_of, named, pieces
from tests.contract.stub_s3 import StubS3, refusal, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.migration.store import Store

KEYS = {"access_key_id": "stub", "secret_access_key": "stub-secret"}
LARGE = content_of(PART_BYTES + 5)


@pytest.fixture
def stub() -> Iterator[StubS3]:
    with serving(StubS3()) as server:
        yield server


def remote(stub: StubS3, path: str) -> S3Store:
    """A remote as DVC's configuration would give it."""
    config = {**KEYS, "url": f"s3://bucket/{path}", "endpointurl": stub.endpoint}
    return open_bucket(path, config["url"], config, {})


def listed(store: Store) -> StoredObject:
    (item,) = store.list_objects()
    return item


def bytes_through_the_client(stub: StubS3) -> int:
    read = sum(
        len(stub.objects[asked.key].content)
        for asked in stub.asked
        if asked.method == "GET" and asked.key in stub.objects
    )
    return read + sum(asked.body_bytes for asked in stub.asked if asked.method == "PUT")


def test_an_object_in_parts_is_checked_by_the_server_before_it_is_visible(stub: StubS3) -> None:
    item = named(LARGE)
    remote(stub, "from").publish(item, pieces(LARGE))
    source, target = remote(stub, "from"), remote(stub, "to")
    seen = listed(source)
    assert (seen.checksum, "-" in stub.objects[f"from/{item.key}"].etag) == (None, True)
    stub.asked.clear()
    outcome = copy_object(seen, source, target, stop=Stop(), advance=lambda _: None)
    assert outcome.status is Status.COPIED
    assert bytes_through_the_client(stub) == 0
    assert listed(target).checksum == item.md5
    assert sorted(stub.objects) == [f"from/{item.key}", f"to/{item.key}"]


def test_a_wrong_object_in_parts_is_never_visible_under_its_name(stub: StubS3) -> None:
    item = named(b"x" * len(LARGE))
    remote(stub, "from").publish(item, pieces(LARGE))
    source, target = remote(stub, "from"), remote(stub, "to")
    result, _ = copy_or_tell(
        listed(source), source, target, stop=Stop(), advance=lambda _: None, replace=False
    )
    assert result.status is Status.CORRUPT
    assert sorted(stub.objects) == [f"from/{item.key}"]
    assert not [
        asked for asked in stub.asked if (asked.method, asked.key) == ("PUT", f"to/{item.key}")
    ]


def test_keys_that_may_not_read_the_source_copy_what_is_read_elsewhere(stub: StubS3) -> None:
    item = named(b"x")
    source, target = remote(stub, "from"), remote(stub, "to")
    source.publish(item, [b"x"])
    stub.refuses.append((f"PUT to/{item.key}", refusal(403, "AccessDenied")))
    outcome = copy_object(listed(source), source, target, stop=Stop(), advance=lambda _: None)
    assert outcome.status is Status.COPIED
    other = named(b"y")
    source.publish(other, [b"y"])
    stub.asked.clear()
    (seen,) = (found for found in source.list_objects() if found.key == other.key)
    copy_object(seen, source, target, stop=Stop(), advance=lambda _: None)
    assert not [asked for asked in stub.asked if "x-amz-copy-source" in asked.headers]


@pytest.mark.parametrize("status", [429, 503])
def test_how_long_a_server_asks_to_be_left_alone_is_told(stub: StubS3, status: int) -> None:
    item = named(b"x")
    source, target = remote(stub, "from"), remote(stub, "to")
    source.publish(item, [b"x"])
    seen = listed(source)
    stub.refuses += [("PUT .*", refusal(status, "SlowDown", Retry_After="1"))] * 3
    with pytest.raises(StoreUnavailable) as caught:
        target.copy_from(source.location, seen)
    assert (caught.value.is_throttled, caught.value.retry_after_s) == (True, 1.0)
    stub.refuses[:] = [("PUT .*", refusal(status, "SlowDown", Retry_After="1"))] * 3
    with pytest.raises(StoreUnavailable) as caught:
        target.publish(item, [b"x"])
    assert caught.value.is_throttled  # obstore does not tell for how long
