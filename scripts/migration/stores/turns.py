"""Let threads look into directories by turns as long as no disk lets them wait."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST = 32
_JUDGED_AFTER_S = 0.02
"""A short block can be interrupted by anything."""


class Turns:
    """How many threads are in a block at once: one; twice as many when it was mostly waiting.

    A block of many short system calls gives Python's lock away at each. Where the system answers
    from its memory, threads that are in such blocks together do little but hand it on.

    Args:
        clock: Tells the time, in seconds.
        worked: Tells for how many seconds processors have worked for this process: for any thread,
            as waiting for Python's lock is no sign that more of them are needed.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        worked: Callable[[], float] = time.process_time,
    ) -> None:
        self._clock = clock
        self._tell_worked = worked
        self._free = threading.Semaphore(1)
        self._lock = threading.Lock()
        self.at_once = 1
        self._elapsed_s = self._worked_s = 0.0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait for a turn, and take it for the block."""
        with self._free:
            started_s, worked_s = self._clock(), self._tell_worked()
            yield
            elapsed_s, worked_s = self._clock() - started_s, self._tell_worked() - worked_s
        for _ in range(self._more(elapsed_s, worked_s)):
            self._free.release()

    def _more(self, elapsed_s: float, worked_s: float) -> int:
        """Return how many threads more may come, after a block that took so long."""
        with self._lock:
            self._elapsed_s += elapsed_s
            self._worked_s += worked_s
            if self._elapsed_s < _JUDGED_AFTER_S:
                return 0
            waited = self._worked_s < self._elapsed_s / 2
            self._elapsed_s = self._worked_s = 0.0
            more = min(self.at_once, _MOST - self.at_once) if waited else 0
            self.at_once += more
            return more
