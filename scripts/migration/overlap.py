"""Doing at the same time what one large object needs: reading, hashing, sending.

Many objects at once fill the machine by themselves. So only the first few large ones are
overlapped, which bounds the memory: whoever finds no place does one thing after the other.
"""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable, TypeVar

from typing_extensions import Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.migration.digest import Digest
    from scripts.migration.model import StoredObject

_Result = TypeVar("_Result")
LARGE_BYTES = 16 << 20
_HASHED_AT_ONCE = 4
_CHUNKS_WAITING = 2
_FETCHED_AT_ONCE = 3
"""Large objects that are fetched by several requests."""
REQUESTS = 3
_hashing = threading.BoundedSemaphore(_HASHED_AT_ONCE)
_fetching = threading.BoundedSemaphore(_FETCHED_AT_ONCE)


@contextmanager
def beside(digest: Digest, size_bytes: int | None) -> Iterator[Digest]:
    """Yield ``digest``, which works in a thread of its own if ``size_bytes`` are worth it."""
    if (size_bytes or 0) < LARGE_BYTES or not _hashing.acquire(blocking=False):
        yield digest
        return
    try:
        with _Beside(digest) as working:
            yield working
    finally:
        _hashing.release()


class _Beside:
    """A digest that takes its bytes while the caller goes on."""

    def __init__(self, digest: Digest) -> None:
        self._digest = digest
        self._waiting: queue.Queue[bytes | None] = queue.Queue(_CHUNKS_WAITING)
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _work(self) -> None:
        for chunk in iter(self._waiting.get, None):
            self._digest.update(chunk)

    def _end(self) -> None:
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def update(self, chunk: bytes) -> None:
        """Take the next bytes; wait if those before are not hashed yet."""
        self._waiting.put(chunk)

    def matches(self, item: StoredObject) -> bool:
        """Return whether all bytes taken are those that ``item`` names."""
        self._end()
        return self._digest.matches(item)


def in_order(
    steps: Sequence[Callable[[], _Result]], *, is_worth_it: bool = True
) -> Iterator[_Result]:
    """Yield what each step returns, in their order, while the next ones are at work already.

    At most ``REQUESTS`` results are there at once. The first exception of a step is raised in its
    place, and nothing more is begun then, or when the caller goes away.
    """
    if not is_worth_it or not _fetching.acquire(blocking=False):
        for step in steps:
            yield step()
        return
    try:
        yield from _ahead(steps)
    finally:
        _fetching.release()


def _ahead(steps: Sequence[Callable[[], _Result]]) -> Iterator[_Result]:
    slots: list[queue.SimpleQueue[tuple[_Result | None, BaseException | None]]]
    slots = [queue.SimpleQueue() for _ in range(REQUESTS)]
    is_over = threading.Event()

    def work(lane: int) -> None:
        for step in steps[lane::REQUESTS]:
            room[lane].acquire()
            if is_over.is_set():
                return
            try:
                slots[lane].put((step(), None))
            except BaseException as error:  # noqa: BLE001  it is raised where results are read
                slots[lane].put((None, error))
                return

    room = [threading.Semaphore(1) for _ in range(REQUESTS)]
    for lane in range(REQUESTS):
        threading.Thread(target=work, args=(lane,), daemon=True).start()
    try:
        for number in range(len(steps)):
            result, error = slots[number % REQUESTS].get()
            room[number % REQUESTS].release()
            if error is not None:
                raise error
            yield result  # type: ignore[misc]  # without an error there is a result
    finally:
        is_over.set()
        for free in room:
            free.release()
