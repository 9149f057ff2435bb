"""Copying from disk to disk in processes of their own: as right as in threads, whatever befalls."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.errors import StoreError, ToolError
from scripts.migration import copy_objects, verify
from scripts.migration.block_copy import Task
from scripts.migration.inventory import Inventory
from scripts.migration.model import Evidence, Reference, Status, StoredObject
from scripts.migration.observe import plan_objects
from scripts.migration.opening import Stores
from scripts.migration.pace import Bandwidth, paced
from scripts.migration.store import ReadOnly
from scripts.migration.stores import disk_workers
from scripts.migration.stores.disk import DiskStore
from scripts.migration.stores.disk_worker import _Copying
from scripts.migration.stores.disk_workers import DiskWorkers, Start
from scripts.migration.stores.incoming import INCOMING
from scripts.migration.stores.read_backs import ReadBacks
from scripts.migration.table import Position
from scripts.migration.tuning import PRODUCTION, Tuning
from scripts.migration.workers import Stop, Stopped
from scripts.progress import SilentProgress
from tests.contract.store_worlds import content_of, named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from scripts.migration.outcome import Report

SILENT = SilentProgress()
COUNT = 300
ENDS_WITHIN_S = 20
IN_PROCESSES = Tuning(processes_from_objects=1, processes=3, lot_objects=50)


@pytest.fixture
def places(tmp_path: Path) -> tuple[DiskStore, DiskStore]:
    source = DiskStore("hdd", tmp_path / "hdd", may_be_new=True)
    with source.together():
        for number in range(COUNT):
            content = content_of(10 + 97 * number, number)
            source.publish(named(content), [content])
    return DiskStore("hdd", tmp_path / "hdd"), DiskStore("ssd", tmp_path / "ssd", may_be_new=True)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[DiskWorkers]:
    """What is opened stands in the list."""
    found: list[DiskWorkers] = []

    class Noted(DiskWorkers):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            found.append(self)

    monkeypatch.setattr(disk_workers, "DiskWorkers", Noted)
    return found


def items_of(store: DiskStore) -> list[StoredObject]:
    return sorted(item._replace(checksum=None) for item in store.list_objects())


def migrate(
    source: DiskStore,
    target: DiskStore,
    bandwidth: Bandwidth | None = None,
    tuning: Tuning = IN_PROCESSES,
) -> Report:
    stores = Stores(Path(), ReadOnly(source), target, tuning=tuning)
    if bandwidth is not None:
        stores = paced(stores, bandwidth)
    needed = {StoredObject(item.oid): (Reference("p", "main"),) for item in items_of(source)}
    plan = plan_objects(stores, Inventory(needed), 0.0, jobs=4, progress=SILENT)
    return verify(plan, copy_objects(plan, stores, jobs=4), stores)


def left_over(target: DiskStore) -> list[Path]:
    return list(Path(target.place).glob(f"{INCOMING}/*"))


def test_all_arrives_and_is_not_read_once_more_to_prove_it(
    places: tuple[DiskStore, DiskStore],
    opened: list[DiskWorkers],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, target = places

    def nobody_reads(_self: DiskStore, item: StoredObject) -> Iterator[bytes]:
        raise AssertionError(f"{item.key} was read here")

    monkeypatch.setattr(DiskStore, "read", nobody_reads)
    report = migrate(source, target)
    assert report.complete
    assert [len(workers.workers) for workers in opened] == [3]
    assert report.counts["copied"] == COUNT
    assert {outcome.evidence for outcome in report.outcomes} == {Evidence.READ_BACK}
    assert left_over(target) == []
    for item in items_of(source):
        content = (Path(target.place) / item.key).read_bytes()
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == item.md5


def test_what_is_wrong_or_gone_is_told_by_name_and_all_else_arrives(
    places: tuple[DiskStore, DiskStore], opened: list[DiskWorkers]
) -> None:
    source, target = places
    wrong, wrong_there, *_ = items_of(source)
    path = Path(source.place) / wrong.key
    path.chmod(0o644)
    path.write_bytes(b"x" * (wrong.size_bytes or 0))
    planted = Path(target.place) / wrong_there.key
    planted.parent.mkdir(parents=True)
    planted.write_bytes(b"wrong")
    report = migrate(source, target)
    (lost,) = report.not_intact
    assert (lost.item.key, lost.status) == (wrong.key, Status.CORRUPT)
    assert lost.reason.startswith("hdd: the bytes of ")
    assert report.counts["copied"] == COUNT - 1
    assert report.counts["repaired"] == 1
    assert not (Path(target.place) / wrong.key).exists()
    assert opened


def test_a_limit_is_kept_by_threads(
    places: tuple[DiskStore, DiskStore], opened: list[DiskWorkers]
) -> None:
    assert migrate(*places, bandwidth=Bandwidth(1 << 30)).complete
    assert opened == []


def test_few_objects_are_not_worth_a_process(
    places: tuple[DiskStore, DiskStore], opened: list[DiskWorkers]
) -> None:
    tuning = replace(IN_PROCESSES, processes_from_objects=COUNT + 1)
    assert migrate(*places, tuning=tuning).complete
    assert opened == []


def test_a_process_that_is_killed_ends_the_migration_and_the_next_one_completes_it(
    places: tuple[DiskStore, DiskStore], opened: list[DiskWorkers]
) -> None:
    source, target = places

    class Killing(DiskStore):
        def clean(self, *, thorough: bool = True) -> int:
            if not opened:  # before anything is copied; what is gone is cleaned afterwards
                threading.Thread(target=kill_one).start()
            return super().clean(thorough=thorough)

    def kill_one() -> None:
        while not (opened and opened[0].workers):
            time.sleep(0.001)
        os.kill(opened[0].workers[0]._started.pid, signal.SIGKILL)

    with pytest.raises(ToolError, match="has ended with exit code -9") as caught:
        migrate(source, Killing("ssd", Path(target.place), may_be_new=True))
    assert "same command again" in caught.value.hint
    assert migrate(source, target).complete
    assert left_over(target) == []


def test_a_process_that_cannot_begin_is_told(
    places: tuple[DiskStore, DiskStore],
    opened: list[DiskWorkers],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(DiskWorkers, "module", "this")  # it ends without a look at its line
    with pytest.raises(ToolError, match="has ended with exit code 0"):
        migrate(*places)
    assert left_over(places[1]) == []
    assert opened


def test_processes_that_nobody_needs_any_more_take_away_what_they_have_begun(
    places: tuple[DiskStore, DiskStore], opened: list[DiskWorkers]
) -> None:
    source, target = places
    content = content_of(40 << 20)
    source.publish(named(content), [content])
    tasks = [Task(Position(0, 0), named(content), "", replace=False)] * 50
    stop = Stop()
    workers = target.processes(source, lambda _: stop.set(), 2, IN_PROCESSES)
    assert isinstance(workers, DiskWorkers)
    assert opened == [workers]
    with pytest.raises(Stopped), workers:
        workers.copy(tasks, stop, lambda *_: None)
    ended = {worker.returncode(ENDS_WITHIN_S) for worker in workers.workers}
    assert ended <= {0, -signal.SIGKILL}  # one that the machine does not let end in time is killed
    assert left_over(target) == []


def test_what_a_process_had_begun_that_had_to_be_killed_is_taken_away_too(
    places: tuple[DiskStore, DiskStore], opened: list[DiskWorkers]
) -> None:
    source, target = places
    content = content_of(40 << 20)
    source.publish(named(content), [content])
    tasks = [Task(Position(0, 0), named(content), "", replace=False)] * 50
    stop = Stop()

    def stop_all(_: int) -> None:
        for worker in opened[0].workers:
            os.kill(worker._started.pid, signal.SIGSTOP)
        assert left_over(target) != []
        stop.set()

    workers = target.processes(source, stop_all, 2, IN_PROCESSES)
    assert isinstance(workers, DiskWorkers)
    with pytest.raises(Stopped), workers:
        workers.copy(tasks, stop, lambda *_: None)
    assert {worker.returncode(0) for worker in workers.workers} == {-signal.SIGKILL}
    assert left_over(target) == []


def test_what_is_read_back_for_one_line_is_told_on_this_line(
    places: tuple[DiskStore, DiskStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = places
    first, second, third = items_of(source)[:3]
    made: list[DiskStore] = []
    make = DiskStore.for_another_thread

    def make_and_keep(store: DiskStore) -> DiskStore:
        made.append(make(store))
        return made[-1]

    monkeypatch.setattr(DiskStore, "for_another_thread", make_and_keep)
    copying = _Copying(Start(source.name, source.place, target.name, target.place))
    (here, there), (other_here, other_there) = Pipe(), Pipe()

    def tasks() -> Iterator[Task]:
        yield task(first)
        yield task(second)
        made[0]._end_batch()  # both are shown by now; the other line asks, and is answered
        other = threading.Thread(target=copying.answering(other_there), args=([task(third)],))
        other.start()
        other.join()

    copying.answering(there)(tasks())
    assert read_backs_on(here) == sorted([first.oid, second.oid])
    assert read_backs_on(other_here) == [third.oid]


def task(item: StoredObject) -> Task:
    return Task(Position(0, 0), item, "", replace=False)


def read_backs_on(line: Connection) -> list[str]:
    assert isinstance(line.recv(), int)  # the bytes that were moved
    answer = line.recv()
    known = ReadBacks()
    known.add(answer.read_back)
    return sorted(oid for key in answer.read_back for oid, _ in known.of(*key))


def test_a_disk_that_cannot_be_written_is_told_as_threads_would(
    places: tuple[DiskStore, DiskStore], opened: list[DiskWorkers]
) -> None:
    source, target = places
    (item, *_) = items_of(source)
    Path(target.place).mkdir()
    (Path(target.place) / "files").write_text("no directory")
    tasks = [Task(Position(0, 0), item, "", replace=False)]
    workers = target.processes(source, lambda _: None, 2, IN_PROCESSES)
    assert isinstance(workers, DiskWorkers)
    assert opened == [workers]
    with pytest.raises(StoreError, match=r"ssd: .*files.*File exists"), workers:
        workers.copy(tasks, Stop(), lambda *_: None)
    here = DiskStore("ssd", Path(target.place))
    with pytest.raises(StoreError, match=r"ssd: .*files.*File exists"), here.together():
        here.copy_from(source.location, item)


def test_one_processor_copies_in_threads(
    places: tuple[DiskStore, DiskStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = places
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert target.processes(source, lambda _: None, 32, PRODUCTION) is None
