"""How long work looks: bars on a terminal, a line every 30 s elsewhere. Work only counts."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scripts.report import bytes_text, duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType
    from rich.progress import Progress as Bars
    from rich.progress import Task, TaskID

    from scripts.progress import Phase

LINE_EVERY_S = 30.0
_SAID_AFTER_S = 1.0
"""What took less is not worth a line of its own."""


class Count:
    """How much of a phase is done: all that working threads touch; it costs them nothing."""

    def __init__(self, total: int | None, unit: str) -> None:
        self.total, self.unit = total, unit
        self.started_s = time.monotonic()
        self.done = 0
        self._lock = threading.Lock()

    def advance(self, amount: int = 1) -> None:
        """Count; see :class:`scripts.progress.Phase`."""
        with self._lock:
            self.done += amount

    def counted(self) -> str:
        """``1.5 kB of 3.0 MB``, ``3 of 20 objects``, or what is done alone."""
        return counted_text(self.done, self.total, self.unit)

    def pace(self) -> str:
        """``, 1.2 MB/s, 40.0 s left``, as far as that is known."""
        elapsed_s = time.monotonic() - self.started_s
        if not self.done or elapsed_s <= 0:
            return ""
        rate = self.done / elapsed_s
        left = f", {duration_text((self.total - self.done) / rate)} left" if self.total else ""
        return f", {rate_text(rate, self.unit)}{left}"

    def going_on(self) -> str:
        """Return how far a phase is; of one that counts nothing, for how long it runs."""
        if self.total is None and not self.done:
            return f"going on for {duration_text(time.monotonic() - self.started_s)}"
        return f"{self.counted()}{self.pace()}"

    def ended(self, name: str) -> str:
        """Return the line that is left of the phase, empty where it was short."""
        elapsed_s = time.monotonic() - self.started_s
        if elapsed_s < _SAID_AFTER_S:
            return ""
        counted = f", {counted_text(self.done, None, self.unit)}" if self.done else ""
        return f"{name}: done in {duration_text(elapsed_s)}{counted}"


def counted_text(done: int, total: int | None, unit: str) -> str:
    """Return how much is done, as people read it."""
    text = bytes_text if unit == "bytes" else "{:,.0f}".format
    shown = text(done) if total is None else f"{text(done)} of {text(total)}"
    return shown if unit == "bytes" else f"{shown} {unit}"


def rate_text(rate: float, unit: str) -> str:
    """Return how much is done in a second."""
    return f"{bytes_text(rate)}/s" if unit == "bytes" else f"{rate:,.0f}/s"


class TerminalProgress:
    """Bars on a terminal; see :class:`scripts.progress.Progress`."""

    def __init__(self, console: Console) -> None:
        self._counts: dict[TaskID, Count] = {}
        self._bars = _make_bars(console, self._counts)

    @contextmanager
    def phase(
        self, name: str, *, total: int | None = None, unit: str = "objects"
    ) -> Iterator[Phase]:
        """Show a bar until the block ends, then one line that says how long it took."""
        count = Count(total, unit)
        task = self._bars.add_task(name, total=total, counted="", unit=unit)
        self._counts[task] = count
        self._bars.start()
        try:
            yield count
        finally:
            del self._counts[task]
            self._bars.remove_task(task)
            if not self._bars.task_ids:  # between phases the terminal is free, for a question say
                self._bars.stop()
        if count.ended(name):
            self._bars.console.print(count.ended(name), highlight=False)

    def say(self, message: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(f"  {message}", markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._bars.stop()


class LineProgress:
    """Lines where there is no terminal; see :class:`scripts.progress.Progress`."""

    def __init__(self, every_s: float = LINE_EVERY_S) -> None:
        self._every_s = every_s

    @contextmanager
    def phase(
        self, name: str, *, total: int | None = None, unit: str = "objects"
    ) -> Iterator[Phase]:
        """Say that a phase begins, now and then how far it is, and how long it took."""
        count = Count(total, unit)
        ended = threading.Event()

        def tick() -> None:
            while not ended.wait(self._every_s):
                _print(f"{name}: {count.going_on()}")

        _print(f"{name} ...")
        threading.Thread(target=tick, daemon=True).start()
        try:
            yield count
        finally:
            ended.set()
        if count.ended(name):
            _print(count.ended(name))

    def say(self, message: str) -> None:
        """Print a line."""
        _print(f"  {message}")

    def close(self) -> None:
        """Nothing is left behind by lines."""


def _print(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _make_bars(console: Console, counts: dict[TaskID, Count]) -> Bars:
    from rich import progress  # noqa: PLC0415  listing tasks must stay instant
    from rich.text import Text  # noqa: PLC0415

    class Rate(progress.ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(rate_text(task.speed, task.fields["unit"]) if task.speed else "")

    class Time(progress.ProgressColumn):
        """How long it will still take; where nobody can tell, how long it has taken."""

        def render(self, task: Task) -> Text:
            if task.total and task.time_remaining is not None:
                return Text(f"{duration_text(task.time_remaining)} left")
            return Text(duration_text(task.elapsed or 0.0))

    class Ticking(progress.Progress):
        """Reads the counts when it is about to draw, not when somebody counts."""

        def get_renderables(self) -> Iterator[RenderableType]:
            for task, count in list(counts.items()):
                self.update(task, completed=count.done, counted=count.counted())
            yield from super().get_renderables()

    return Ticking(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=30),
        progress.TextColumn("{task.fields[counted]}"),
        Rate(),
        Time(),
        console=console,
        transient=True,
    )
