"""Reading, hashing and sending one large object at the same time."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from scripts.errors import Corrupted
from scripts.migration import overlap
from scripts.migration.digest import digest_for
from scripts.migration.model import Layout, StoredObject
from scripts.migration.overlap import LARGE_BYTES, REQUESTS, beside, in_order
from scripts.migration.stores.memory import MemoryStore
from scripts.migration.transfer import copy_object
from scripts.migration.workers import Stop

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = bytes(range(256)) * (LARGE_BYTES // 256) + b"the end"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


def pieces() -> Iterator[bytes]:
    for start in range(0, len(CONTENT), 1 << 20):
        yield CONTENT[start : start + (1 << 20)]


@pytest.fixture
def thread_count() -> Iterator[int]:
    """The threads that there are before, which are all that there are afterwards."""
    before = set(threading.enumerate())
    yield len(before)
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=60)
        assert not thread.is_alive()


@pytest.mark.parametrize("layout", list(Layout))
@pytest.mark.parametrize("md5", [MD5, "0" * 32])
def test_a_digest_in_a_thread_judges_as_one_without(md5: str, layout: Layout) -> None:
    item = StoredObject(md5, layout, len(CONTENT))
    with beside(digest_for(item), len(CONTENT)) as digest:
        assert type(digest).__name__ == "_Beside"
        for piece in pieces():
            digest.update(piece)
        assert digest.matches(item) is (md5 == MD5)


@pytest.mark.parametrize("size_bytes", [None, 0, LARGE_BYTES - 1])
def test_small_objects_need_no_thread(size_bytes: int | None) -> None:
    digest = digest_for(StoredObject(MD5))
    with beside(digest, size_bytes) as working:
        assert working is digest


def test_only_so_many_are_overlapped_and_places_come_back() -> None:
    digest = digest_for(StoredObject(MD5))
    for _ in range(3):
        held = [beside(digest, LARGE_BYTES) for _ in range(overlap._HASHED_AT_ONCE)]
        for one in held:
            assert one.__enter__() is not digest
        with beside(digest, LARGE_BYTES) as working:
            assert working is digest
        for one in held:
            one.__exit__(None, None, None)


def test_a_stream_that_breaks_off_leaves_no_thread(thread_count: int) -> None:
    def break_off() -> None:
        with beside(digest_for(StoredObject(MD5)), LARGE_BYTES) as digest:
            digest.update(b"x")
            raise RuntimeError("broken off")

    with pytest.raises(RuntimeError):
        break_off()
    assert threading.active_count() == thread_count


def test_a_large_object_is_checked_before_it_is_published() -> None:
    item = StoredObject("0" * 32, size_bytes=len(CONTENT))
    source, target = MemoryStore("hdd", {item.key: CONTENT}), MemoryStore("s3")
    with pytest.raises(Corrupted, match="hdd"):
        copy_object(item, source, target, stop=Stop(), advance=lambda _: None)
    assert target.contents == {}


@pytest.mark.parametrize("count", [0, 1, REQUESTS, 5 * REQUESTS + 1])
def test_results_come_in_order_while_the_next_are_at_work(count: int, thread_count: int) -> None:
    together = threading.Barrier(REQUESTS)

    def step(number: int) -> int:
        if number < REQUESTS <= count:
            together.wait(timeout=60)  # all of the first are at work at once
        return number

    steps = [partial(step, number) for number in range(count)]
    assert list(in_order(steps)) == list(range(count))
    assert threading.active_count() >= thread_count


def test_no_more_is_there_than_is_wanted() -> None:
    lock, done = threading.Lock(), []

    def step(number: int) -> int:
        with lock:
            done.append(number)
        return number

    results = in_order([partial(step, number) for number in range(100)])
    for _ in range(10):
        next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(done) <= 10 + 2 * REQUESTS


def test_a_failing_step_is_raised_in_its_place_and_ends_the_others(thread_count: int) -> None:
    done = []

    def step(number: int) -> int:
        if number == 6:
            raise ValueError("six")
        done.append(number)
        return number

    results = in_order([partial(step, number) for number in range(1000)])
    assert [next(results) for _ in range(6)] == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="six"):
        next(results)
    assert len(done) <= 6 + 2 * REQUESTS
    assert thread_count


def test_what_is_not_worth_it_is_done_one_after_the_other() -> None:
    threads = set()

    def step() -> None:
        threads.add(threading.get_ident())

    list(in_order([step] * 10, is_worth_it=False))
    assert threads == {threading.get_ident()}
