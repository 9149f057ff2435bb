"""Remotes that are neither a directory nor a bucket: what opening, failing and real DVC are like.

That they keep a store's contract stands in ``test_store`` (SSH, over loopback) and in
``tests/integration/test_remote_servers.py`` (WebDAV and SFTP, by another server).
"""

from __future__ import annotations

import hashlib
import shutil
import uuid
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from dvc.fs import MemoryFileSystem

from scripts.errors import (
    AccessDenied,
    Corrupted,
    ObjectMissing,
    SettingsError,
    StoreError,
    StoreUnavailable,
)
from scripts.migration import copy_objects, open_stores, plan_migration, verify
from scripts.migration.filesystems import open_filesystem
from scripts.migration.model import Layout, StoredObject
from scripts.migration.stores.dvc_filesystem import FilesystemStore
from scripts.migration.stores.filesystem_errors import translated
from tests.contract import sftp_server
from tests.contract.dvc_projects import Project, make_history, snapshot, use_own_identity
from tests.contract.store_worlds import FilesystemWorld, content_of, named, pieces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.migration import Report
    from scripts.migration.opening import Stores


@pytest.fixture(scope="module")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    directory = tmp_path_factory.mktemp("sftp")
    with sftp_server.serving(directory) as port:
        yield port, directory


@pytest.fixture
def world(sftp: tuple[int, Path]) -> FilesystemWorld:
    path = uuid.uuid4().hex
    return FilesystemWorld(sftp[1] / path, sftp_server.remote(sftp[0], path))


def opened(url: str, *, may_be_new: bool = False, **config: Any) -> FilesystemStore:
    return open_filesystem("there", url, {"url": url, **config}, may_be_new=may_be_new)


@pytest.mark.parametrize(("url", "package"), [("gs://b/x", "dvc-gs"), ("azure://b", "dvc-azure")])
def test_a_kind_whose_package_is_missing_is_told_with_what_to_do(url: str, package: str) -> None:
    with pytest.raises(SettingsError, match=f"needs the package {package}") as caught:
        opened(url)
    assert f"dvc[{package[4:]}]" in caught.value.hint


def test_what_cannot_be_listed_is_refused_with_another_way() -> None:
    with pytest.raises(SettingsError, match="cannot be listed") as caught:
        opened("https://example.com/data")
    assert "dvc fetch" in caught.value.hint


def test_an_unknown_kind_is_told_with_those_that_there_are() -> None:
    with pytest.raises(SettingsError, match="no ftp:// remotes") as caught:
        opened("ftp://example.com/data")
    assert "ssh" in caught.value.hint


def test_settings_that_do_not_fit_are_told_without_their_values() -> None:
    with pytest.raises(SettingsError, match="settings do not fit") as caught:
        opened("ssh://127.0.0.1/x", port="a secret that is no port")
    assert "secret" not in f"{caught.value}{caught.value.hint}"


def test_a_password_in_an_url_is_not_shown() -> None:
    store = opened("ssh://ada:secret@127.0.0.1:9/x")
    assert store.place == "ssh://ada@127.0.0.1:9/x"


def test_who_is_refused_hears_so(sftp: tuple[int, Path]) -> None:
    config = {**sftp_server.remote(sftp[0], "x"), "password": "wrong"}
    with pytest.raises(AccessDenied, match="refuses") as caught:
        list(open_filesystem("there", config["url"], config, may_be_new=False).list_objects())
    assert "wrong" not in str(caught.value)


def test_a_server_that_is_not_there_may_come_back() -> None:
    config = sftp_server.remote(9, "x")
    with pytest.raises(StoreUnavailable):
        open_filesystem("there", config["url"], config, may_be_new=False).layouts()


def test_a_target_that_is_new_is_empty_unless_what_is_above_is_missing_too(
    sftp: tuple[int, Path],
) -> None:
    config = sftp_server.remote(sftp[0], "new")
    store = open_filesystem("there", config["url"], config, may_be_new=True)
    assert list(store.list_objects()) == list(store.list_shard(3)) == []
    store.require_writable()
    store.publish(named(b"x"), [b"x"])
    assert [item.key for item in store.list_objects()] == [named(b"x").key]
    lost = sftp_server.remote(sftp[0], "not/there")
    with pytest.raises(StoreError, match="there is no directory"):
        list(open_filesystem("there", lost["url"], lost, may_be_new=True).list_objects())


def test_what_a_killed_run_left_is_removed_and_what_another_writes_is_written_again(
    world: FilesystemWorld,
) -> None:
    world.plant(".slipway-incoming/left", b"half")
    assert world.store.clean() == 1
    assert world.leftovers() == []
    content = content_of(5 << 20)
    world.store.publish(named(content), pieces(content))
    world.plant(".slipway-incoming/of-another", b"half")
    assert world.store.clean() == 0  # begun after this run: another's, who is at work


def test_a_file_that_another_migration_takes_away_is_worth_another_try(
    world: FilesystemWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = FilesystemStore._rename

    def after_a_cleaning(store: FilesystemStore, incoming: str, final: str) -> None:
        world.again().clean()
        rename(store, incoming, final)

    monkeypatch.setattr(FilesystemStore, "_rename", after_a_cleaning)
    with pytest.raises(StoreUnavailable, match="another migration"):
        world.store.publish(named(b"x"), [b"x"])
    assert world.keys() == []


def test_a_file_that_arrives_short_is_not_renamed(
    world: FilesystemWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sshfs import SSHFileSystem  # noqa: PLC0415

    put = SSHFileSystem.put_file

    def short(filesystem: Any, local: str, remote: str, **options: Any) -> None:
        put(filesystem, local, remote, **options)
        (path,) = (path for path in world.directory.rglob("*") if path.is_file())
        path.write_bytes(path.read_bytes()[:-1])

    monkeypatch.setattr(SSHFileSystem, "put_file", short)
    with pytest.raises(StoreUnavailable, match="4 of 5 bytes arrived"):
        world.store.publish(named(b"12345"), [b"12345"])
    assert world.keys() == []


def test_no_room_for_collecting_is_no_fault_of_the_store(
    world: FilesystemWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(world.directory / "not" / "there"))
    with pytest.raises(StoreError, match="cannot be collected") as caught:
        world.store.publish(named(b"x"), [b"x"])
    assert "TMPDIR" in caught.value.hint


class FinishingFileSystem(MemoryFileSystem):  # type: ignore[misc]  # dvc ships no types
    """Objects that appear once they are uploaded, as Google's do, and Google's own MD5s."""

    protocol = "gs"


@pytest.fixture
def finishing() -> Iterator[FilesystemStore]:
    filesystem = FinishingFileSystem()
    filesystem.fs.store.clear()
    filesystem.fs.pseudo_dirs[:] = [""]
    yield FilesystemStore("there", "gs://bucket/path", filesystem, "/bucket/path")
    filesystem.fs.store.clear()


def test_a_store_without_directories_shows_what_is_checked_and_nothing_else(
    finishing: FilesystemStore,
) -> None:
    assert list(finishing.list_objects()) == list(finishing.list_shard(5)) == []
    item, old = named(b"x" * 100), named(b"y", Layout.LEGACY)

    def failing() -> Iterator[bytes]:
        yield b"x" * 50
        raise Corrupted("the check")

    with pytest.raises(Corrupted):
        finishing.publish(item, failing())
    assert list(finishing.list_objects()) == []
    finishing.require_writable()
    finishing.publish(item, [b"x" * 100])
    finishing.publish(old, [b"y"])
    assert {found.key for found in finishing.list_objects()} == {item.key, old.key}
    assert finishing.layouts() == set(Layout)
    assert b"".join(finishing.read(item)) == b"x" * 100
    finishing.remove(item)
    finishing.remove(item)
    assert [found.key for found in finishing.list_objects()] == [old.key]
    with pytest.raises(ObjectMissing):
        list(finishing.read(item))


@pytest.mark.parametrize(
    ("kind", "told", "is_believed"),
    [("gs", True, True), ("azure", True, False), ("gs", False, False)],
)
def test_only_a_checksum_that_the_store_computed_is_believed(
    kind: str, told: bool, is_believed: bool
) -> None:
    class Listing:
        """fsspec's filesystem as far as a listing needs it."""

        def invalidate_cache(self, _: str) -> None:
            """Nothing is remembered."""

        def ls(self, path: str, *, detail: bool) -> list[dict[str, Any]]:
            assert detail
            md5 = hashlib.md5(b"x", usedforsecurity=False)
            checksum = b64encode(md5.digest()).decode() if told else "no base64!"
            name = f"{path}/{item.oid[2:]}"
            return [{"name": name, "size": 1, "type": "file", "md5Hash": checksum}]

    class OfKind:
        protocol = kind
        fs = Listing()

    item = named(b"x")
    (found,) = FilesystemStore("there", "x://", OfKind(), "b").list_shard(
        item.shard, frozenset({Layout.CURRENT})
    )  # fmt: skip
    assert found.checksum == (item.md5 if is_believed else None)


class Answered(Exception):
    """An error that holds an HTTP response, as those of most clients do."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__("a text that quotes a secret")

        class Response:
            status_code = status

        Response.headers = headers  # type: ignore[attr-defined]
        self.response = Response()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FileNotFoundError(2, "x"), ObjectMissing),
        (Answered(404), ObjectMissing),
        (PermissionError(13, "x"), AccessDenied),
        (Answered(403), AccessDenied),
        (Answered(507), StoreError),
        (OSError(28, "x"), StoreError),
        (Answered(500), StoreUnavailable),
        (ConnectionResetError(), StoreUnavailable),
        (TimeoutError(), StoreUnavailable),
        (Answered(400), StoreError),
        (ValueError("secret"), StoreError),
    ],
)
def test_what_clients_raise_is_said_in_one_way(error: Exception, expected: type) -> None:
    with pytest.raises(StoreError) as caught, translated("there", "ab/c"):
        raise error
    assert type(caught.value) is expected
    assert "secret" not in str(caught.value)
    assert caught.value.message.startswith("there: ab/c")


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_throttles_is_heard(status: int) -> None:
    with pytest.raises(StoreUnavailable) as caught, translated("there", "ab/c"):
        raise Answered(status, **{"Retry-After": "20"})
    assert (caught.value.is_throttled, caught.value.retry_after_s) == (True, 20.0)


def migrate(stores: Stores) -> Report:
    plan = plan_migration(stores)
    return verify(plan, copy_objects(plan, stores, jobs=8), stores)


def test_a_history_goes_over_ssh_and_back_and_dvc_pulls_it(
    sftp: tuple[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_own_identity(monkeypatch)
    project = make_history(tmp_path / "work" / "project")
    (sftp[1] / "box").mkdir()
    for name, url in (("box", f"ssh://127.0.0.1:{sftp[0]}/box"), ("back", str(tmp_path / "back"))):
        project.dvc("remote", "add", name, url)
    project.dvc("remote", "modify", "box", "user", sftp_server.USER)
    project.dvc("remote", "modify", "--local", "box", "password", sftp_server.PASSWORD)
    before = snapshot(project.hdd)

    report = migrate(open_stores(project.root, "hdd", "box"))
    assert report.complete, report.as_json()
    assert report.counts["copied"] == len(before)
    assert migrate(open_stores(project.root, "hdd", "box")).counts["copied"] == 0
    shutil.move(project.hdd, tmp_path / "gone")
    assert migrate(open_stores(project.root, "box", "back")).complete
    arrived = snapshot(tmp_path / "back")
    assert {key: told[2] for key, told in arrived.items()} == {
        key: told[2] for key, told in before.items()
    }

    project.git("add", ".dvc/config")
    project.git("commit", "--quiet", "--message", "Use box")
    clone = Project(tmp_path / "clone")
    project.git("clone", "--quiet", str(project.root), str(clone.root))
    shutil.copy(project.root / ".dvc/config.local", clone.root / ".dvc/config.local")
    clone.dvc("pull", "--quiet", "--remote", "box")
    assert (clone.root / "a.txt").read_text() == "a of v2\n"


def test_an_object_of_this_store_is_read_by_its_listing(world: FilesystemWorld) -> None:
    target = world.directory / "elsewhere"
    world.plant("elsewhere", b"linked")
    item = StoredObject(named(b"linked").oid)
    path = world.directory / item.key
    path.parent.mkdir(parents=True)
    path.symlink_to(target.relative_to(world.directory).name)
    path.unlink()
    path.symlink_to("../../../elsewhere")
    (found,) = world.store.list_objects()
    assert found.size_bytes == len(b"linked")
    assert b"".join(world.store.read(found)) == b"linked"
