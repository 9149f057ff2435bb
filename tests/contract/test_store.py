"""One suite for every store, which also lies to it on purpose."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import botocore.session
import pytest
from dvc.utils import dict_sha256

from scripts.errors import AccessDenied, Corrupted, ObjectMissing, StoreError, StoreUnavailable
from scripts.migration.filesystems import open_filesystem
from scripts.migration.model import (
    SHARDS,
    THIS_MACHINE,
    Evidence,
    Layout,
    Proof,
    Status,
    StoredObject,
)
from scripts.migration.prove import list_store, prove_objects
from scripts.migration.run_entry import RunEntry, run_at
from scripts.migration.store import CHUNK_BYTES, SMALL_BYTES, Store
from scripts.migration.stores.conditions import Conditions, Creates
from scripts.migration.stores.disk import DiskStore
from scripts.migration.stores.memory import MemoryStore
from scripts.migration.stores.multipart import KnownEtags
from scripts.migration.stores.s3 import PART_BYTES, S3Store
from scripts.migration.stores.s3_errors import refusal_of
from scripts.migration.stores.uploads import Uploads
from scripts.migration.transfer import copy_object, copy_or_tell
from scripts.migration.tuning import Tuning
from scripts.migration.workers import Stop
from scripts.progress import SilentProgress
from tests.contract import s3_server, sftp_server
from tests.contract.store_worlds import (
    DiskWorld,
    FilesystemWorld,
    MemoryWorld,
    S3World,
    World,
    content_of,
    named,
    pieces,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE = 2 * PART_BYTES + 5
"""Large enough for an upload in parts."""


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server.fresh_bucket() as name:
        yield name


@pytest.fixture(scope="module")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    directory = tmp_path_factory.mktemp("sftp")
    with sftp_server.serving(directory) as port:
        yield port, directory


S3 = [pytest.param(name, marks=pytest.mark.needs("s3")) for name in ("s3", "s3-streamed")]


@pytest.fixture(params=["memory", "disk", "ssh", *S3])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    if request.param == "ssh":
        port, directory = request.getfixturevalue("sftp")
        path = uuid.uuid4().hex
        return FilesystemWorld(directory / path, sftp_server.remote(port, path))
    if request.param == "memory":
        return MemoryWorld()
    if request.param == "disk":
        return DiskWorld(tmp_path / "remote")
    return S3World(request.getfixturevalue("bucket"), streams=request.param == "s3-streamed")


@pytest.fixture(params=["disk", "ssh", pytest.param("s3", marks=pytest.mark.needs("s3"))])
def nowhere(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store whose place is not there."""
    if request.param == "ssh":
        config = sftp_server.remote(request.getfixturevalue("sftp")[0], "not/there")
        return open_filesystem("ssh", config["url"], config, may_be_new=False)
    if request.param == "disk":
        return DiskStore("disk", tmp_path / "not" / "there")
    return S3World(f"{request.getfixturevalue('bucket')}-not-there").store


def read_all(store: Store, key: str) -> bytes:
    (listed,) = (item for item in store.list_objects() if item.key == key)
    return b"".join(store.read(listed))


def copy(item: StoredObject, source: Store, target: Store) -> None:
    copy_object(item, source, target, stop=Stop(), advance=lambda _: None)


def proof_of(item: StoredObject, store: Store) -> Proof:
    listing = list_store(store, SilentProgress())
    found = prove_objects([item], store, listing, jobs=1, progress=SilentProgress())
    return found[item.key]


class LyingStore(MemoryStore):
    """A source whose bytes go through ``lie``, which is told the number of the read."""

    def __init__(self, lie: Callable[[bytes, int], Iterator[bytes]]) -> None:
        super().__init__("liar")
        self.lie = lie
        self.reads = 0

    def read(self, item: StoredObject) -> Iterator[bytes]:
        self.reads += 1
        yield from self.lie(b"".join(super().read(item)), self.reads)


def flip_a_bit(content: bytes, _: int) -> Iterator[bytes]:
    wrong = bytearray(content)
    wrong[len(wrong) // 2] ^= 1
    yield from pieces(bytes(wrong))


def end_early(content: bytes, _: int) -> Iterator[bytes]:
    yield from pieces(content[:-1])


def go_on_too_long(content: bytes, _: int) -> Iterator[bytes]:
    yield from pieces(content + b"x")


def break_off(content: bytes, read: int) -> Iterator[bytes]:
    if read == 1:
        yield from pieces(content[: len(content) // 2])
        raise StoreUnavailable("the connection was reset")
    yield from pieces(content)


def test_a_new_store_is_empty(world: World) -> None:
    assert list(world.store.list_objects()) == []


@pytest.mark.parametrize("size_bytes", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, PART_BYTES, LARGE])
def test_what_is_published_is_listed_and_read_bit_by_bit(world: World, size_bytes: int) -> None:
    content = content_of(size_bytes)
    item = named(content)
    world.store.publish(item, pieces(content))
    (listed,) = world.store.list_objects()
    assert (listed.key, listed.size_bytes) == (item.key, size_bytes)
    assert b"".join(world.store.read(listed)) == content
    assert all(len(piece) <= CHUNK_BYTES for piece in world.store.read(listed))
    assert world.keys() == [item.key]
    assert world.leftovers() == []


def test_an_object_is_read_to_its_end_whatever_size_was_listed(world: World) -> None:
    content = content_of(5_000)
    item = named(content)
    world.store.publish(item, pieces(content))
    for size_bytes in (None, 0, 4_999, 5_001, SMALL_BYTES):
        read = world.store.read(item._replace(size_bytes=size_bytes))
        assert b"".join(read) == content


def test_both_layouts_and_directory_lists_keep_their_places(world: World) -> None:
    items = [
        named(b"new"),
        named(b"old", Layout.LEGACY),
        named(b"[]", suffix=".dir"),
        named(b"[] ", Layout.LEGACY, ".dir"),
    ]
    for item, content in zip(items, [b"new", b"old", b"[]", b"[] "]):
        world.store.publish(item, [content])
    assert sorted(world.keys()) == sorted(item.key for item in items)
    assert {item.key for item in world.store.list_objects()} == {item.key for item in items}


def test_what_is_no_object_is_not_listed(world: World) -> None:
    oid = named(b"x").oid
    for key in (
        "readme.txt",
        f"runs/{oid[:2]}/{oid}/{oid}",
        f"files/md5/{oid[:2]}/{oid[2:]}.unpacked",
        f"files/md5/{oid[:2]}/short",
        f"files/md5/zz/{oid[2:]}",
        f"files/sha256/{oid[:2]}/{oid[2:]}",
        f".slipway-incoming/{oid}abc",
    ):
        world.plant(key, b"x")
    assert list(world.store.list_objects()) == []


def test_the_run_cache_is_listed_apart_and_kept_as_objects_are(world: World) -> None:
    stage, name = "ab" + "1" * 62, "cd" + "2" * 62
    for other in (f"runs/cd/{stage}/{name}", f"runs/ab/{stage}/short", "runs/x", f"runs/ab/{name}"):
        world.plant(other, b"x")
    assert list(world.store.list_runs()) == []
    right = b"cmd: x\n"
    said = dict_sha256({"cmd": "x"})
    entry = RunEntry(f"{stage}/{said}", Layout.LEGACY, len(right))
    assert entry == run_at(f"runs/ab/{stage}/{said}", len(right))
    assert world.store.publish(entry, [right], replace=False) is not Evidence.NONE
    world.plant(entry.key, b"wrong")
    world.store.publish(entry, [right], replace=True)
    (listed,) = world.store.list_runs()
    assert (listed.key, listed.size_bytes) == (entry.key, len(right))
    assert listed.checksum in {None, hashlib.md5(right, usedforsecurity=False).hexdigest()}
    assert b"".join(world.store.read(listed)) == right
    assert list(world.store.list_objects()) == []
    assert world.leftovers() == []


def test_the_names_at_the_top_are_told_whatever_they_are(world: World) -> None:
    assert list(world.store.list_top()) == []
    for key in ("b.txt", "images/1.png", "images/2.png"):
        world.plant(key, b"x")
    assert sorted(world.store.list_top()) == ["b.txt", "images/"]


def test_the_shards_together_are_all_that_is_listed_each_object_in_its_own(world: World) -> None:
    contents = [content_of(100, seed) for seed in range(12)]
    items = [named(content) for content in contents[:8]]
    items += [named(content, Layout.LEGACY, ".dir") for content in contents[8:]]
    for item, content in zip(items, contents):
        world.store.publish(item, [content])
    world.plant(f"files/md5/{items[0].oid[:2]}/readme.txt", b"no object")
    shards = [list(world.store.list_shard(shard)) for shard in range(SHARDS)]
    assert all(item.shard == number for number, shard in enumerate(shards) for item in shard)
    listed = sorted((item for shard in shards for item in shard), key=lambda item: item.key)
    assert listed == sorted(world.store.list_objects(), key=lambda item: item.key)
    assert [item.key for item in listed] == sorted(item.key for item in items)


def test_a_layout_that_is_not_asked_for_is_not_listed(world: World) -> None:
    new, old = named(b"x"), named(b"x", Layout.LEGACY)
    assert world.store.layouts() == frozenset()
    world.store.publish(new, [b"x"])
    assert world.store.layouts() == {Layout.CURRENT}
    world.store.publish(old, [b"x"])
    assert world.store.layouts() == {Layout.CURRENT, Layout.LEGACY}
    for item in (new, old):
        listed = world.store.list_shard(item.shard, frozenset({item.layout}))
        assert [found.key for found in listed] == [item.key]
    assert list(world.store.list_shard(new.shard, frozenset())) == []


def test_few_objects_are_told_by_one_request_or_not_so(world: World) -> None:
    items = [named(b"x"), named(b"y", Layout.LEGACY), named(b"z", Layout.CURRENT, ".dir")]
    assert world.store.list_few(3) in ([], None)
    for item, content in zip(items, (b"x", b"y", b"z")):
        world.store.publish(item, [content])
    world.plant("readme.txt", b"no object")
    few = world.store.list_few(3)
    assert (few is None) == (not isinstance(world, S3World))
    if few is not None:
        assert sorted(few) == sorted(world.store.list_objects())


@pytest.mark.needs("s3")
def test_what_may_go_on_on_a_second_page_is_not_few(bucket: str) -> None:
    world = S3World(bucket)
    store = world.again(tuning=Tuning(page_objects=3))
    for content in (b"x", b"y"):
        store.publish(named(content), [content])
    assert len(store.list_few(3) or ()) == 2
    assert store.list_few(4) is None
    world.plant("readme.txt", b"no object, and on the page")
    assert store.list_few(3) is None


def test_what_is_not_there_says_so_however_it_is_listed(nowhere: Store) -> None:
    looks: list[Callable[[], object]] = [
        lambda: list(nowhere.list_objects()), lambda: list(nowhere.list_shard(7)), nowhere.layouts
    ]  # fmt: skip
    if nowhere.location is not None and nowhere.location.server != THIS_MACHINE:
        looks.append(lambda: nowhere.list_few(1))
    for look in looks:
        with pytest.raises(StoreError, match="there is no"):
            look()


def test_a_directory_that_may_be_new_is_an_empty_store(tmp_path: Path) -> None:
    store = DiskStore("disk", tmp_path / "new", may_be_new=True)
    assert list(store.list_objects()) == list(store.list_shard(7)) == []
    assert store.layouts() == frozenset()


def test_a_listed_checksum_tells_the_bytes_that_are_kept_not_those_of_the_name(
    world: World,
) -> None:
    item = named(b"right")
    world.plant(item.key, b"wrong")
    (listed,) = world.store.list_objects()
    truth = hashlib.md5(b"wrong", usedforsecurity=False).hexdigest()
    assert listed.checksum in {None, truth}


def test_what_is_removed_is_gone_and_nothing_else(world: World) -> None:
    gone, stays = named(b"gone"), named(b"stays", Layout.LEGACY)
    for item, content in ((gone, b"gone"), (stays, b"stays")):
        world.store.publish(item, [content])
    world.store.remove(gone)
    world.store.remove(gone)
    assert world.keys() == [stays.key]


def test_asking_whether_a_store_can_be_written_leaves_nothing(world: World) -> None:
    world.store.require_writable()
    world.store.clean()
    assert world.keys() == []
    assert world.leftovers() == []


def test_a_missing_object_says_so(world: World) -> None:
    world.store.publish(named(b"other"), [b"other"])
    with pytest.raises(ObjectMissing):
        list(world.store.read(named(b"not there")))


@pytest.mark.parametrize("size_bytes", [1000, LARGE])
def test_a_stream_that_fails_publishes_nothing_and_leaves_nothing(
    world: World, size_bytes: int
) -> None:
    content = content_of(size_bytes)

    class OwnError(Exception):
        pass

    def failing() -> Iterator[bytes]:
        yield from pieces(content)
        raise OwnError

    with pytest.raises(OwnError):
        world.store.publish(named(content), failing())
    assert world.keys() == []
    assert world.leftovers() == []


@pytest.mark.parametrize("size_bytes", [1000, LARGE])
def test_a_stream_that_fails_leaves_what_was_there(world: World, size_bytes: int) -> None:
    content = content_of(size_bytes)
    item = named(content)
    world.plant(item.key, b"before")

    def failing() -> Iterator[bytes]:
        yield from pieces(content)
        raise Corrupted("the check")

    with pytest.raises(Corrupted, match="the check"):
        world.store.publish(item, failing())
    assert read_all(world.store, item.key) == b"before"


def test_publishing_replaces_what_is_there(world: World) -> None:
    item = named(b"right")
    world.plant(item.key, b"wrong bytes")
    world.store.publish(item, [b"right"])
    assert read_all(world.store, item.key) == b"right"


def test_what_is_not_to_be_replaced_stays_where_the_store_can_tell(world: World) -> None:
    item = named(b"right")
    assert world.store.publish(item, [b"right"], replace=False) is not Evidence.NONE
    world.plant(item.key, b"wrong bytes")
    written = world.store.publish(item, [b"right"], replace=False) is not Evidence.NONE
    assert written is isinstance(world, DiskWorld)
    assert read_all(world.store, item.key) == (b"right" if written else b"wrong bytes")
    assert world.leftovers() == []


@pytest.mark.parametrize("size_bytes", [1000, LARGE])
@pytest.mark.parametrize("lie", [flip_a_bit, end_early, go_on_too_long])
def test_a_source_that_lies_is_never_published(
    world: World, lie: Callable[[bytes, int], Iterator[bytes]], size_bytes: int
) -> None:
    content = content_of(size_bytes)
    item = named(content)
    source = LyingStore(lie)
    source.contents[item.key] = content
    with pytest.raises(Corrupted, match=item.key):
        copy(item, source, world.store)
    assert world.keys() == []
    assert world.leftovers() == []


@pytest.mark.parametrize("size_bytes", [1000, LARGE])
def test_a_source_that_breaks_off_is_read_again_from_the_start(
    world: World, size_bytes: int
) -> None:
    content = content_of(size_bytes)
    item = named(content)
    source = LyingStore(break_off)
    source.contents[item.key] = content
    result, _ = copy_or_tell(
        item, source, world.store, stop=Stop(), advance=lambda _: None, replace=False
    )
    assert result.status is Status.COPIED
    assert source.reads == 2
    assert read_all(world.store, item.key) == content


@pytest.mark.parametrize("size_bytes", [1000, LARGE])
def test_a_target_that_keeps_other_bytes_is_found_out(world: World, size_bytes: int) -> None:
    content = content_of(size_bytes)
    item = named(content)
    world.store.publish(item, pieces(content))
    assert proof_of(item, world.store).evidence.is_proof
    world.plant(item.key, b"".join(flip_a_bit(content, 0)))
    proof = proof_of(item, world.store)
    assert proof.evidence is Evidence.NONE
    assert "other bytes" in proof.reason


def test_legacy_text_is_proven_by_what_was_sent_or_by_reading_it_back(world: World) -> None:
    text = b"one\r\ntwo\r\n"
    unix = hashlib.md5(b"one\ntwo\n", usedforsecurity=False).hexdigest()
    item = StoredObject(unix, Layout.LEGACY, len(text))
    source = MemoryStore(contents={item.key: text})
    copy(item, source, world.store)
    expected = Evidence.STORE_CHECKSUM if isinstance(world, S3World) else Evidence.READ_BACK
    assert proof_of(item, world.store).evidence is expected
    if isinstance(world, S3World):  # another run does not know what this one sent
        assert proof_of(item, world.again()).evidence is Evidence.READ_BACK
    assert read_all(world.store, item.key) == text


def put_in_parts(world: S3World, key: str, content: bytes, part_bytes: int) -> None:
    """Upload behind the store's back, as another program would."""
    s3, where = s3_server.client(), {"Bucket": world.bucket, "Key": f"{world.prefix}/{key}"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    parts = []
    for number, start in enumerate(range(0, len(content), part_bytes), start=1):
        body = content[start : start + part_bytes]
        told = s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": told["ETag"]})
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})


@pytest.mark.needs("s3")
@pytest.mark.parametrize(
    ("size_bytes", "piece_bytes"),
    [(PART_BYTES + 1, 1 << 20), (2 * PART_BYTES, 1_234_567), (LARGE, CHUNK_BYTES)],
)
def test_an_upload_in_parts_is_proven_by_its_etag(
    bucket: str, size_bytes: int, piece_bytes: int
) -> None:
    world = S3World(bucket)
    content = content_of(size_bytes)
    item = named(content)
    chunks = (content[at : at + piece_bytes] for at in range(0, size_bytes, piece_bytes))
    world.store.publish(item, chunks)
    assert proof_of(item, world.store).evidence is Evidence.STORE_CHECKSUM
    # Another run did not send it, so it has to read.
    assert proof_of(item, world.again()).evidence is Evidence.READ_BACK


@pytest.mark.needs("s3")
def test_what_an_earlier_run_sent_in_parts_is_proven_without_reading_it(
    bucket: str, tmp_path: Path
) -> None:
    world = S3World(bucket)
    content = content_of(PART_BYTES + 1)
    item = named(content)
    kept = tmp_path / "new" / "etags"
    world.again(KnownEtags(kept)).publish(item, pieces(content))
    assert proof_of(item, world.again(KnownEtags(kept))).evidence is Evidence.STORE_CHECKSUM
    put_in_parts(world, item.key, b"".join(flip_a_bit(content, 0)), PART_BYTES)
    assert "other bytes" in proof_of(item, world.again(KnownEtags(kept))).reason


def test_what_is_known_of_etags_outlives_a_kill_and_a_full_disk(tmp_path: Path) -> None:
    etag, md5, kept = f"{'a' * 32}-2", "b" * 32, tmp_path / "etags"
    KnownEtags(kept).add(etag, md5)
    with kept.open("a") as stream:
        stream.write(f"{'c' * 32}-3 {'d' * 20}\nnonsense\n")
    known = KnownEtags(kept)
    assert known.md5_of(etag) == md5
    assert known.md5_of(f"{'c' * 32}-3") is None
    known.add(etag, md5)
    assert kept.read_text().count(etag) == 1
    kept.unlink()
    kept.mkdir()  # neither to be read nor to be written
    lost = KnownEtags(kept)
    lost.add(etag, md5)
    assert lost.md5_of(etag) == md5


@pytest.mark.needs("s3")
def test_a_composite_etag_of_other_bytes_or_other_parts_is_not_believed(bucket: str) -> None:
    world = S3World(bucket)
    content = content_of(LARGE)
    item = named(content)
    world.store.publish(item, pieces(content))
    put_in_parts(world, item.key, content, PART_BYTES)
    assert proof_of(item, world.store).evidence is Evidence.STORE_CHECKSUM
    put_in_parts(world, item.key, content, PART_BYTES + 1)
    assert proof_of(item, world.store).evidence is Evidence.READ_BACK
    wrong = b"".join(flip_a_bit(content, 0))
    put_in_parts(world, item.key, wrong, PART_BYTES)
    assert "other bytes" in proof_of(item, world.store).reason
    # The same bytes under another name prove that name no more than any other.
    other = named(b"something else")
    put_in_parts(world, other.key, content, PART_BYTES)
    assert "other bytes" in proof_of(other, world.store).reason


@pytest.mark.needs("s3")
def test_the_server_tells_of_uploads_that_are_not_finished(bucket: str) -> None:
    """Shows that ``leftovers`` of the tests above can be other than empty."""
    world = S3World(bucket)
    s3_server.client().create_multipart_upload(Bucket=bucket, Key=f"{world.prefix}/begun")
    assert world.leftovers() == ["begun"]


@pytest.mark.needs("s3")
def test_uploads_that_a_killed_run_left_are_aborted_and_others_are_not(bucket: str) -> None:
    world = S3World(bucket)
    s3 = s3_server.client()
    ours = named(b"x").key
    for key in (f"{world.prefix}/{ours}", f"{world.prefix}/readme.txt", f"{world.prefix}x/{ours}"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    assert world.store.clean() == 1
    assert world.leftovers() == ["readme.txt"]
    assert len(s3_server.unfinished_uploads(bucket, f"{world.prefix}x/")) == 1
    world.store.publish(named(b"y"), [b"y"])
    s3.create_multipart_upload(Bucket=bucket, Key=f"{world.prefix}/{ours}")
    assert world.store.clean() == 0  # begun after this run: another's, who is at work


def stranger() -> Any:
    """A client whom the server refuses everything."""
    return botocore.session.Session().create_client(
        "s3",
        endpoint_url=s3_server.endpoint(),
        region_name="us-east-1",
        aws_access_key_id="nobody",
        aws_secret_access_key="nothing",
    )


@pytest.mark.needs("s3")
def test_who_may_not_list_uploads_migrates_all_the_same(bucket: str) -> None:
    assert Uploads(bucket, "", stranger).abort_all() == 0


@pytest.mark.needs("s3")
def test_a_bucket_that_may_not_be_written_is_told_once(bucket: str) -> None:
    world = S3World(bucket)
    store = S3Store("s3", world.store.place, world.client, Uploads(bucket, "", stranger))
    with pytest.raises(AccessDenied, match="refuses to be written to") as caught:
        store.require_writable()
    assert "s3:PutObject" in caught.value.hint
    nowhere = Uploads(f"{bucket}-is-not-there", "", s3_server.client)
    assert refusal_of(nowhere.trouble(), "", "") is None


@pytest.mark.needs("s3")
def test_the_real_server_honours_conditions_and_keeps_nothing_of_the_question(bucket: str) -> None:
    world = S3World(bucket)
    conditions = Conditions(bucket, world.prefix, s3_server.client)
    assert [conditions.ask()[0] for _ in range(2)] == [Creates.HONOURED] * 2
    assert world.keys() == []
    world.plant(".slipway-incoming/creates", b"")  # as a killed run leaves it
    assert world.store.require_writable() == ()
    assert world.keys() == []
    assert Conditions(bucket, "", stranger).ask()[0] is Creates.UNKNOWN


@pytest.mark.needs("s3")
def test_an_upload_that_another_run_takes_away_is_made_again(bucket: str) -> None:
    world = S3World(bucket)
    content = content_of(LARGE)
    item = named(content)
    taken = []

    def take_away(_: bytes, read: int) -> Iterator[bytes]:
        for number, piece in enumerate(pieces(content)):
            if (read, number) == (1, 15):
                taken.append(world.again().clean())
            yield piece

    source = LyingStore(take_away)
    source.contents[item.key] = content
    result, reason = copy_or_tell(
        item, source, world.store, stop=Stop(), advance=lambda _: None, replace=False
    )
    assert (taken, source.reads) == ([1], 2)
    assert result.status is Status.COPIED, reason
    assert proof_of(item, world.store).evidence is Evidence.STORE_CHECKSUM
    assert world.leftovers() == []


def test_a_disk_object_is_left_as_dvc_leaves_it(tmp_path: Path) -> None:
    world = DiskWorld(tmp_path / "remote")
    item = named(b"x")
    world.store.publish(item, [b"x"])
    assert (world.directory / item.key).stat().st_mode & 0o777 == 0o444


def test_a_disk_object_and_every_new_directory_above_it_are_on_the_disk_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = DiskWorld(tmp_path / "remote")
    item = named(b"x")
    synced: list[Path] = []
    monkeypatch.setattr(
        os, "fsync", lambda fd: synced.append(Path(f"/proc/self/fd/{fd}").readlink())
    )
    world.store.publish(item, [b"x"])
    shard = (world.directory / item.key).parent
    assert [path for path in synced if path.is_dir()] == [
        world.directory, world.directory / "files", world.directory / "files/md5", shard
    ]  # fmt: skip
    (file,) = (path for path in synced if not path.is_dir())
    assert file.name.startswith(item.oid)
    assert synced.index(file) < synced.index(shard)


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_is_not(
    tmp_path: Path,
) -> None:
    world = DiskWorld(tmp_path / "remote")
    living, dead = content_of(100, 1), named(content_of(100, 2))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # a writer that dies in the middle, without any clean-up

        def dying() -> Iterator[bytes]:
            yield b"half"
            os.write(writing, b"x")
            os._exit(9)

        world.store.publish(dead, dying())
        os._exit(1)
    assert os.read(reading, 1) == b"x"
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    os.close(reading)
    os.close(writing)
    assert len(world.leftovers()) == 1
    assert list(world.store.list_objects()) == []
    removed = []

    def cleaning_meanwhile() -> Iterator[bytes]:
        yield living[:50]
        removed.append(world.store.clean())
        yield living[50:]

    world.store.publish(named(living), cleaning_meanwhile())
    assert removed == [1]
    assert world.keys() == [named(living).key]
    assert world.store.clean() == 0
    assert not (world.directory / ".slipway-incoming").exists()
