"""Threads that end at once: on Ctrl-C, and when one of them fails."""

from __future__ import annotations

import atexit
import os
import queue
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Callable, Generic, NoReturn, TypeVar

from typing_extensions import Self

from scripts.errors import EXIT_INTERRUPTED, SlipwayError
from scripts.migration.heaps import use_few_heaps

if TYPE_CHECKING:
    from collections.abc import Iterable

_Work = TypeVar("_Work")
_Result = TypeVar("_Result")
_END_WITHIN_S = 1.2


class Stopped(Exception):
    """Raised inside a worker when the work as a whole is to end."""


_own = threading.local()


def pause(duration_s: float) -> None:
    """Sleep for ``duration_s`` seconds.

    Raises:
        Stopped: The work that the calling thread does for :func:`in_threads` is to end.
    """
    stop: Stop | None = getattr(_own, "stop", None)
    if stop is None:
        time.sleep(duration_s)
    else:
        stop.sleep(duration_s)


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
) -> list[_Result]:
    """Return ``work(item, stop)`` of every item, in the order in which they were done.

    The threads are daemons: one that hangs in a request keeps nobody from leaving.

    Args:
        work: Called in ``jobs`` threads. An exception of it ends the work and is raised here.
        items: What to work on.
        jobs: How many threads at most.
    """
    use_few_heaps()
    todo: queue.SimpleQueue[_Work] = queue.SimpleQueue()
    count = 0
    for item in items:
        todo.put(item)
        count += 1
    results: queue.SimpleQueue[Callable[[], _Result]] = queue.SimpleQueue()
    stop = Stop()

    def serve() -> None:
        _own.stop = stop
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
        return [results.get()() for _ in range(count)]
    except BaseException as error:
        stop.set()
        _leave(threads, error)
        raise


class Shared(Generic[_Work]):
    """An iterator that several threads take from: each item comes to one of them."""

    def __init__(self, items: Iterable[_Work]) -> None:
        self._items = iter(items)
        self._lock = threading.Lock()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> _Work:
        with self._lock:
            return next(self._items)


def _leave(threads: list[threading.Thread], error: BaseException) -> None:
    """Wait a moment for the threads, and see to it that those that hang do no harm at the end.

    A thread that comes back from foreign code while Python is shutting down aborts the process: the
    exit code would be lost. So if one is still in a request then, the process leaves before that.
    """
    end = time.monotonic() + _END_WITHIN_S
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    hanging = [thread for thread in threads if thread.is_alive()]
    if hanging:
        code = EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
        code = error.exit_code if isinstance(error, SlipwayError) else code
        atexit.register(_exit_if_hanging, hanging, code)


def _exit_if_hanging(threads: list[threading.Thread], exit_code: int) -> None:
    if any(thread.is_alive() for thread in threads):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code)


def _same(result: _Result) -> _Result:
    return result


def _raise(error: BaseException) -> NoReturn:
    raise error
