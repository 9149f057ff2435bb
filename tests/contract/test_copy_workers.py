"""A server's own copies, asked for in processes: as right as in threads, whatever befalls."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import pytest

from scripts.errors import StoreUnavailable, ToolError
from scripts.migration import copy_objects, verify
from scripts.migration.buckets import open_bucket
from scripts.migration.inventory import Inventory
from scripts.migration.model import Location, Reference, ServerCopy, Status, StoredObject
from scripts.migration.observe import plan_objects
from scripts.migration.opening import Stores
from scripts.migration.store import ReadOnly
from scripts.migration.stores.client import ClientSettings
from scripts.migration.stores.copy_workers import CopyWorkers, Start
from scripts.migration.stores.disk import DiskStore
from scripts.migration.stores.s3 import S3Store
from scripts.migration.tuning import PRODUCTION, Tuning
from scripts.migration.workers import Stop, Stopped, in_threads
from scripts.progress import SilentProgress
from tests.contract import s3_server
from tests.contract.store_worlds import S3World, content_of, named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.migration.outcome import Report

SILENT = SilentProgress()
COUNT = 60
ENDS_WITHIN_S = 20
IN_PROCESSES = Tuning(processes_from_objects=1, processes=3)
HERE = "127.0.0.1"


@pytest.fixture(scope="module")
def buckets() -> Iterator[tuple[str, str]]:
    with ExitStack() as stack:
        first, second = (stack.enter_context(s3_server.fresh_bucket()) for _ in range(2))
        yield first, second


@pytest.fixture
def worlds(buckets: tuple[str, str]) -> tuple[S3World, S3World]:
    here, there = map(S3World, buckets)
    for number in range(COUNT):
        content = content_of(10 + 97 * number, number)
        here.plant(named(content).key, content)
    return here, there


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[CopyWorkers]:
    """What is opened stands in the list."""
    found: list[CopyWorkers] = []
    enter = CopyWorkers.__enter__

    def entered(self: CopyWorkers) -> CopyWorkers:
        found.append(self)
        return enter(self)

    monkeypatch.setattr(CopyWorkers, "__enter__", entered)
    return found


def store_of(world: S3World) -> S3Store:
    """Open it as the command does, by DVC's configuration."""
    config = {
        "endpointurl": s3_server.endpoint(),
        "region": "us-east-1",
        "access_key_id": s3_server.access_key(),
        "secret_access_key": s3_server.secret_key(),
    }
    return open_bucket("s3", f"s3://{world.bucket}/{world.prefix}", config, {})


def migrate(here: S3World, there: S3World) -> Report:
    source = store_of(here)
    stores = Stores(Path(), ReadOnly(source), store_of(there), tuning=IN_PROCESSES)
    needed = {StoredObject(item.oid): (Reference("p", "main"),) for item in source.list_objects()}
    plan = plan_objects(stores, Inventory(needed), 0.0, jobs=6, progress=SILENT)
    return verify(plan, copy_objects(plan, stores, jobs=6), stores)


def started(url: str, jobs: int = 1) -> CopyWorkers:
    settings = ClientSettings({}, url, "us-east-1", verify=None, connect_s=60, answer_s=60)
    keys = {"access_key_id": "a", "secret_access_key": "well kept"}
    return CopyWorkers(Start("s3", Location(url, "b"), settings, {}), lambda: keys, 1, jobs)


@pytest.mark.needs("s3")
def test_all_arrives_and_nothing_of_it_is_asked_for_here(
    worlds: tuple[S3World, S3World], opened: list[CopyWorkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = worlds

    def nobody_does(*_: object, **__: object) -> Any:
        raise AssertionError("it was done here")

    monkeypatch.setattr(S3Store, "read", nobody_does)
    monkeypatch.setattr(S3Store, "publish", nobody_does)
    monkeypatch.setattr("scripts.migration.stores.server_copy.ServerCopies.copy", nobody_does)
    report = migrate(here, there)
    assert report.complete
    assert report.counts["copied"] == COUNT
    assert [len(workers.workers) for workers in opened] == [3]
    assert there.keys() == here.keys()
    for item in store_of(there).list_objects():
        assert item.checksum == item.md5


@pytest.mark.needs("s3")
def test_what_is_wrong_is_told_and_what_needs_reading_is_read_here(
    worlds: tuple[S3World, S3World], opened: list[CopyWorkers]
) -> None:
    here, there = worlds
    wrong, wrong_there, *_ = sorted(store_of(here).list_objects())
    here.plant(wrong.key, b"wrong")
    there.plant(wrong_there.key, b"wrong as well")
    report = migrate(here, there)
    (lost,) = report.not_intact
    assert (lost.item.key, lost.status) == (wrong.key, Status.CORRUPT)
    assert report.counts["copied"] == COUNT - 1
    assert report.counts["repaired"] == 1
    assert set(there.keys()) == set(here.keys()) - {wrong.key}
    assert opened


@pytest.mark.needs("s3")
def test_a_process_that_is_killed_ends_the_migration_and_the_next_one_completes_it(
    worlds: tuple[S3World, S3World], opened: list[CopyWorkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = CopyWorkers.copy

    def kill_one_and_copy(self: CopyWorkers, *arguments: Any, **options: Any) -> ServerCopy:
        with suppress(ProcessLookupError):  # another thread has done it
            os.kill(self.workers[0]._started.pid, signal.SIGKILL)
        return copy(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(CopyWorkers, "copy", kill_one_and_copy)
        with pytest.raises(ToolError, match="has ended with exit code -9") as caught:
            migrate(*worlds)
    assert "same command again" in caught.value.hint
    assert migrate(*worlds).complete
    assert len(opened) == 2


@pytest.mark.needs("s3")
def test_one_processor_or_two_servers_need_no_process(
    worlds: tuple[S3World, S3World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = map(store_of, worlds)
    disk = DiskStore("hdd", tmp_path)
    assert there.processes(disk, lambda _: None, 32, PRODUCTION) is None
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert there.processes(here, lambda _: None, 32, PRODUCTION) is None
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert there.processes(here, lambda _: None, 32, PRODUCTION) is not None
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    assert there.processes(here, lambda _: None, 32, PRODUCTION) is None


def test_a_server_that_does_not_answer_is_told_as_it_would_be_here() -> None:
    with socket.create_server((HERE, 0)) as closed:
        url = f"http://{HERE}:{closed.getsockname()[1]}"
    item = named(b"right")._replace(checksum=named(b"right").md5)
    with started(url) as workers, pytest.raises(StoreUnavailable, match=f"s3: {item.key}: the"):
        workers.copy(item, Location(url, "a"), replace=True)


def test_keys_stand_in_no_command_line_and_no_environment() -> None:
    with started(f"http://{HERE}:1") as workers:
        with pytest.raises(StoreUnavailable):  # it runs for sure when it has answered
            workers.copy(named(b"right"), Location(f"http://{HERE}:1", "a"), replace=True)
        (worker,) = workers.workers
        process = Path("/proc") / str(worker._started.pid)
        told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        assert CopyWorkers.module.encode() in told
        assert b"well kept" not in told


def test_processes_whose_server_hangs_leave_when_nobody_waits_any_more() -> None:
    item = named(b"right")._replace(checksum=named(b"right").md5)
    asked = threading.Event()
    found: list[BaseException] = []
    with socket.create_server((HERE, 0)) as silent:
        url = f"http://{HERE}:{silent.getsockname()[1]}"

        def look() -> None:
            with silent.accept()[0] as line:
                line.recv(1)
                asked.set()
                line.recv(1 << 16)
                ended.wait(ENDS_WITHIN_S)

        ended = threading.Event()
        threading.Thread(target=look, daemon=True).start()
        with started(url, jobs=1) as workers:

            def wait_for_copy(_: Stop) -> None:
                try:
                    workers.copy(item, Location(url, "a"), replace=True)
                except BaseException as error:
                    found.append(error)
                    raise

            def fail(_: Stop) -> None:
                assert asked.wait(ENDS_WITHIN_S)
                raise KeyboardInterrupt

            works: list[Callable[[Stop], None]] = [wait_for_copy, fail]
            with pytest.raises(KeyboardInterrupt):
                in_threads(lambda work, stop: work(stop), works, 2)
        ended.set()
    (error,) = found
    assert isinstance(error, Stopped)
    (worker,) = workers.workers
    assert worker.returncode(0) is not None
