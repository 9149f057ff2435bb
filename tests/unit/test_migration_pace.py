"""How fast stores are used: the limit, and what a store that throttles is spared."""

from __future__ import annotations

import hashlib
import math
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.errors import SettingsError, StoreError, StoreUnavailable
from scripts.migration import retry
from scripts.migration.model import Evidence, Status, StoredObject
from scripts.migration.opening import Stores
from scripts.migration.pace import Bandwidth, Gate, PacedSource, PacedStore, paced, read_bandwidth
from scripts.migration.retry import retrying
from scripts.migration.store import CHUNK_BYTES, ReadOnly
from scripts.migration.stores.memory import MemoryStore
from scripts.migration.stores.s3_errors import translated
from scripts.migration.transfer import copy_or_tell
from scripts.migration.workers import Stop, Stopped, in_threads, pause

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scripts.migration.store import Store

MIB = 1 << 20


class Clock:
    """A time that passes only by waiting."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.waited_s: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def wait(self, duration_s: float) -> None:
        self.waited_s.append(duration_s)
        self.now_s += duration_s


def keep(store: MemoryStore, content: bytes) -> StoredObject:
    oid = hashlib.md5(content, usedforsecurity=False).hexdigest()
    item = StoredObject(oid, size_bytes=len(content))
    store.contents[item.key] = content
    return item


@pytest.mark.parametrize(
    ("text", "bytes_per_s"),
    [
        ("50M", 50 * MIB), ("1G", 1 << 30), ("1.5k", 1536), ("2 MiB/s", 2 * MIB), ("3MB", 3 * MIB),
        ("", math.inf),
    ],
)  # fmt: skip
def test_a_limit_is_read(text: str, bytes_per_s: float) -> None:
    assert read_bandwidth(text).bytes_per_s == bytes_per_s


@pytest.mark.parametrize("text", ["fast", "50", "0M", "-1M", "1e9G", "M"])
def test_what_is_no_limit_is_told_with_what_would_be_one(text: str) -> None:
    with pytest.raises(SettingsError, match=f"--bwlimit is '{text}'") as caught:
        read_bandwidth(text)
    assert "50M is 50 MiB/s" in caught.value.hint


def test_bytes_take_the_time_that_the_limit_gives_them() -> None:
    clock = Clock()
    bandwidth = Bandwidth(10 * MIB, clock=clock, wait=clock.wait)
    begin_s = clock.now_s
    for _ in range(100):
        bandwidth.take(MIB)
    assert clock.now_s - begin_s == pytest.approx(10, abs=0.3)
    clock.now_s += 3600  # a rest earns a short burst, not an hour's bytes
    begin_s = clock.now_s
    for _ in range(100):
        bandwidth.take(MIB)
    assert clock.now_s - begin_s == pytest.approx(10, abs=0.3)


def test_without_a_limit_nobody_waits() -> None:
    clock = Clock()
    bandwidth = Bandwidth(clock=clock, wait=clock.wait)
    bandwidth.take(1 << 50)
    assert clock.waited_s == []


def test_all_stores_of_a_migration_share_one_limit() -> None:
    clock = Clock()
    bandwidth = Bandwidth(CHUNK_BYTES, clock=clock, wait=clock.wait)
    source, target, healer = MemoryStore("hdd"), MemoryStore("s3"), MemoryStore("other")
    items = [keep(store, bytes(2 * CHUNK_BYTES)) for store in (source, target, healer)]
    stores = paced(Stores(Path(), ReadOnly(source), target, (ReadOnly(healer),)), bandwidth)
    begin_s = clock.now_s
    for store, item in zip((stores.source, stores.target, *stores.healers), items):
        assert len(b"".join(store.read(item))) == 2 * CHUNK_BYTES
    assert clock.now_s - begin_s == pytest.approx(6, abs=0.3)
    assert not hasattr(stores.source, "publish")


def throttled(gate: Gate, retry_after_s: float = 0.0) -> None:
    with pytest.raises(StoreUnavailable), gate.passing():
        raise StoreUnavailable("slow down", is_throttled=True, retry_after_s=retry_after_s)


def fill(gate: Gate, count: int, error: Exception | None = None) -> None:
    """Let ``count`` objects be in flight at once; all end in the same way."""
    together = threading.Barrier(count)

    def work(_: int) -> None:
        with gate.passing():
            together.wait(timeout=60)
            if error is not None:
                raise error

    def survive(number: int) -> None:
        try:
            work(number)
        except StoreError:
            return

    threads = [threading.Thread(target=survive, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)


def test_a_store_that_throttles_gets_half_and_then_one_more_by_one() -> None:
    gate = Gate()
    assert gate.limit == math.inf
    fill(gate, 8, StoreUnavailable("slow down", is_throttled=True))
    assert gate.limit == 4  # eight at once are one sign
    fill(gate, 4, StoreUnavailable("slow down", is_throttled=True))
    assert gate.limit == 2
    fill(gate, 2)
    assert 2 < gate.limit <= 3
    for _ in range(10):
        fill(gate, 2)
    assert gate.limit < 4  # two at once do not show that five are well


@pytest.mark.parametrize("error", [StoreUnavailable("reset"), StoreError("no"), ValueError("bug")])
def test_other_trouble_is_no_sign_of_being_too_fast(error: Exception) -> None:
    gate = Gate()
    with pytest.raises(type(error)), gate.passing():
        raise error
    assert gate.limit == math.inf


def test_the_last_one_is_always_let_in() -> None:
    gate = Gate()
    for _ in range(5):
        throttled(gate)
    assert gate.limit == 1
    with gate.passing():
        pass


def test_nobody_enters_before_the_store_wants_to_be_asked_again() -> None:
    clock = Clock()
    gate = Gate(clock=clock, wait=clock.wait)
    throttled(gate, retry_after_s=17)
    begin_s = clock.now_s
    with gate.passing():
        assert clock.now_s - begin_s >= 17
    with pytest.raises(StoreUnavailable), gate.watching():
        raise StoreUnavailable("slow down", is_throttled=True, retry_after_s=1e9)
    begin_s = clock.now_s
    with gate.passing():
        assert clock.now_s - begin_s == pytest.approx(retry.LONGEST_ASKED_S)


def test_no_more_are_in_flight_than_the_limit_says() -> None:
    gate = Gate()
    fill(gate, 4, StoreUnavailable("slow down", is_throttled=True))
    lock, seen, now = threading.Lock(), [], [0]

    def work(number: int, _: Stop) -> int:
        limit = gate.limit
        with gate.passing():
            with lock:
                now[0] += 1
                seen.append(now[0] <= max(limit, gate.limit) + 1)
            with lock:
                now[0] -= 1
        return number

    assert len(in_threads(work, range(200), jobs=16)) == 200
    assert all(seen)


def test_who_waits_ends_with_the_work() -> None:
    gate = Gate()
    throttled(gate, retry_after_s=300)
    begun, stopped = threading.Event(), threading.Event()

    def work(number: int, _: Stop) -> None:
        if number == 0:
            assert begun.wait(60)
            raise RuntimeError("ends all")
        begun.set()
        try:
            with gate.passing():
                raise AssertionError("it was let in")
        except Stopped:
            stopped.set()
            raise

    with pytest.raises(RuntimeError, match="ends all"):
        in_threads(work, range(2), jobs=2)
    assert stopped.wait(60)
    pause(0)  # outside of any work it is a plain sleep


class Busy(MemoryStore):
    """Takes so many objects at once; the others are throttled. Counts both."""

    def __init__(self, takes: int) -> None:
        super().__init__("busy")
        self.takes = takes
        self.at_once = self.refused = 0
        self.counting = threading.Lock()

    def publish(
        self, item: StoredObject, chunks: Iterable[bytes], *, replace: bool = True
    ) -> Evidence:
        with self.counting:
            if self.at_once >= self.takes:
                self.refused += 1
                raise StoreUnavailable("busy: slow down", is_throttled=True)
            self.at_once += 1
        try:
            return super().publish(item, self.slowly(chunks), replace=replace)
        finally:
            with self.counting:
                self.at_once -= 1

    def slowly(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        for chunk in chunks:
            threading.Event().wait(0.005)
            yield chunk


def test_all_is_copied_to_a_store_that_takes_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stop, "sleep", lambda *_: threading.Event().wait(0.001))
    source = MemoryStore("hdd")
    items = [keep(source, str(number).encode()) for number in range(200)]

    def copy_all(target: Store) -> list[Status]:
        def work(item: StoredObject, stop: Stop) -> Status:
            result, _ = copy_or_tell(
                item, source, target, stop=stop, advance=lambda _: None, replace=False
            )
            return result.status

        return in_threads(work, items, jobs=32)

    spared, pressed = Busy(takes=3), Busy(takes=3)
    assert copy_all(PacedStore(spared, Bandwidth())) == [Status.COPIED] * 200
    assert spared.contents == source.contents
    copy_all(pressed)
    assert spared.refused < pressed.refused


def test_how_long_a_store_asks_for_is_waited_and_throttling_has_more_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(Stop, "sleep", lambda _, duration_s: slept.append(duration_s))

    def call() -> None:
        raise StoreUnavailable("busy", is_throttled=True, retry_after_s=45)

    with pytest.raises(StoreUnavailable):
        retrying(call, Stop())
    assert len(slept) == retry.THROTTLED_ATTEMPTS - 1
    assert min(slept) == 45


@pytest.mark.parametrize(
    ("told", "is_throttled"),
    [
        ("status code: 503 <Code>SlowDown</Code>", True),
        ("status code: 429", True),
        ("<Code>SlowDown</Code>", True),
        ("status code: 500 <Code>InternalError</Code>", False),
        ("connection reset", False),
    ],
)
def test_what_an_s3_server_calls_too_much_is_understood(told: str, is_throttled: bool) -> None:
    from obstore.exceptions import GenericError  # noqa: PLC0415  not for those without it

    with pytest.raises(StoreUnavailable) as caught, translated("s3://b", "s3", "k"):
        raise GenericError(told)
    assert caught.value.is_throttled is is_throttled


def test_a_paced_source_lists_what_the_source_does() -> None:
    store = MemoryStore("hdd")
    items = [keep(store, str(number).encode()) for number in range(3)]
    source = PacedSource(store, Bandwidth())
    assert list(source.list_objects()) == list(store.list_objects())
    assert source.layouts() == store.layouts()
    assert list(source.list_shard(items[0].shard)) == list(store.list_shard(items[0].shard))
    store.contents["runs/ab/" + "ab" * 32 + "/" + "cd" * 32] = b"cmd: x"
    assert list(source.list_runs()) == list(store.list_runs()) != []
    assert list(source.list_top()) == list(store.list_top()) == ["files/", "runs/"]
