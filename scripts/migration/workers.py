"""Threads that end at once: on Ctrl-C, and when one of them fails."""

from __future__ import annotations

import queue
import threading
from functools import partial
from typing import TYPE_CHECKING, Callable, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_Work = TypeVar("_Work")
_Result = TypeVar("_Result")
_END_WITHIN_S = 1.5


class Stopped(Exception):
    """Raised inside a worker when the work as a whole is to end."""


class Stop:
    """The wish to stop, seen by all workers of one piece of work."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask all workers to end."""
        self._event.set()

    def check(self) -> None:
        """Raise :class:`Stopped` if the work is to end."""
        if self._event.is_set():
            raise Stopped

    def sleep(self, duration_s: float) -> None:
        """Sleep for ``duration_s`` seconds; raise :class:`Stopped` once the work is to end."""
        if self._event.wait(duration_s):
            raise Stopped


def in_threads(
    work: Callable[[_Work, Stop], _Result], items: Iterable[_Work], jobs: int
) -> Iterator[_Result]:
    """Yield ``work(item, stop)`` of every item, as each is done.

    The threads are daemons: one that hangs in a request keeps nobody from leaving.

    Args:
        work: Called in ``jobs`` threads. An exception of it ends the work and is raised here.
        items: What to work on.
        jobs: How many threads at most.
    """
    todo: queue.SimpleQueue[_Work] = queue.SimpleQueue()
    count = 0
    for item in items:
        todo.put(item)
        count += 1
    results: queue.SimpleQueue[Callable[[], _Result]] = queue.SimpleQueue()
    stop = Stop()

    def serve() -> None:
        while True:
            try:
                item = todo.get_nowait()
            except queue.Empty:
                return
            try:
                stop.check()
                result = work(item, stop)
            except BaseException as error:  # noqa: BLE001  it is raised where results are read
                results.put(partial(_raise, error))
                return
            results.put(partial(_same, result))

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(min(jobs, count))]
    for thread in threads:
        thread.start()
    try:
        for _ in range(count):
            yield results.get()()
    finally:
        stop.set()
        for thread in threads:
            thread.join(_END_WITHIN_S / len(threads))


def _same(result: _Result) -> _Result:
    return result


def _raise(error: BaseException) -> NoReturn:
    raise error
