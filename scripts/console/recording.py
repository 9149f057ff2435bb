"""Recording: how much was done at which moment, taken from the counts that the display shows."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.progress import Phase, Progress

FIRST_EVERY_S = 0.25
MOST_SAMPLES = 400
"""Beyond that every second one is dropped, and the next ones are taken half as often."""


class Recording:
    """A :class:`~scripts.progress.Progress` that passes all on and remembers the bytes.

    ``samples`` are pairs of seconds since the beginning and bytes done until then, over all phases
    that count bytes.
    """

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._started_s = time.monotonic()
        self._lock = threading.Lock()
        self._every_s = FIRST_EVERY_S
        self._done_bytes = 0
        self.samples: list[tuple[float, int]] = [(0.0, 0)]

    @contextmanager
    def phase(
        self, name: str, *, total: int | None = None, unit: str = "objects"
    ) -> Iterator[Phase]:
        """Open a phase; see :class:`scripts.progress.Progress`."""
        with self._shown.phase(name, total=total, unit=unit) as phase:
            if unit != "bytes":
                yield phase
                return
            self._sample(self._now())  # until here nothing was copied
            yield _Counted(phase, self)
            self._sample(self._now())

    def say(self, message: str) -> None:
        """Pass it on."""
        self._shown.say(message)

    def count(self, amount: int) -> None:
        """Count bytes, and remember the moment if enough time has gone since the last one."""
        now = self._now()
        with self._lock:
            self._done_bytes += amount
            due = now >= self.samples[-1][0] + self._every_s
        if due:
            self._sample(now)

    def _sample(self, now: float) -> None:
        with self._lock:
            self.samples.append((now, self._done_bytes))
            if len(self.samples) > MOST_SAMPLES:
                self.samples = self.samples[::2]
                self._every_s *= 2

    def _now(self) -> float:
        return time.monotonic() - self._started_s


class _Counted:
    def __init__(self, phase: Phase, recording: Recording) -> None:
        self._phase, self._recording = phase, recording

    def advance(self, amount: int = 1) -> None:
        self._phase.advance(amount)
        self._recording.count(amount)
