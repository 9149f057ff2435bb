"""The only printer: bars, tables, colours, questions, and errors as a person reads them.

Colours follow the terminal, NO_COLOR and pipes, as rich does. What a program asks for goes to
standard output, all else to standard error.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Protocol, TypeVar

from scripts.errors import EXIT_INTERRUPTED, SlipwayError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console, RenderableType
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from scripts.progress import Phase


class _Reported(Protocol):
    def as_json(self) -> dict[str, object]: ...


_Result = TypeVar("_Result", bound=_Reported)

_PIPE_WIDTH = 120
"""Columns where there is no terminal to ask."""
_LINE_EVERY_S = 30


def show(renderable: RenderableType) -> None:
    """Print a table, a text or anything else that rich draws."""
    _console().print(renderable)


def show_result(
    result: _Result, view: Callable[[_Result], RenderableType], *, as_json: bool
) -> None:
    """Show a result to a person through its view, or to a program as JSON."""
    if as_json:
        show_json(result.as_json())
    else:
        show(view(result))


def show_json(content: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output: for programs."""
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


def say(message: str) -> None:
    """Print one line for a person on standard error."""
    _console(stderr=True).print(message, markup=False, highlight=False, soft_wrap=True)


def confirming(*, yes: bool) -> Callable[[str], bool]:
    """Return what asks a person a question.

    Args:
        yes: Answer every question with yes (``--yes``). Without a terminal the answer is no.
    """

    def confirm(question: str) -> bool:
        if yes:
            return True
        if not sys.stdin.isatty():
            return False
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")

    return confirm


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Turn a :class:`SlipwayError` into a message, a hint and its exit code."""
    try:
        yield
    except SlipwayError as error:
        show_error(error)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        say("\nInterrupted. Run the same command again to continue.")
        raise SystemExit(EXIT_INTERRUPTED) from None


def show_error(error: SlipwayError) -> None:
    """Print an error's message and hint on standard error."""
    from rich.text import Text  # noqa: PLC0415

    console = _console(stderr=True)
    console.print(Text.assemble(("ERROR ", "bold red"), error.message), soft_wrap=True)
    if error.hint:
        console.print(Text.assemble(("HINT  ", "bold cyan"), error.hint), soft_wrap=True)


@contextmanager
def progress() -> Iterator[TerminalProgress | LineProgress]:
    """Open the display of long work: bars on a terminal, a line now and then elsewhere."""
    console = _console(stderr=True)
    if not console.is_terminal:
        yield LineProgress()
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.progress import Progress as Bars  # noqa: PLC0415

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[counted]}"),
        TimeElapsedColumn(),
    )
    bars = Bars(*columns, console=console, transient=True)
    try:
        yield TerminalProgress(bars)
    finally:
        bars.stop()


class TerminalProgress:
    """Bars on a terminal; see :class:`scripts.progress.Progress`."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    @contextmanager
    def phase(
        self, name: str, *, total: int | None = None, unit: str = "objects"
    ) -> Iterator[Phase]:
        """Show a bar until the block ends, then one line that says how long it took."""
        started = time.monotonic()
        task = self._bars.add_task(name, total=total, counted="")
        bar = _Bar(self._bars, task, total, unit)
        self._bars.start()
        try:
            yield bar
        finally:
            self._bars.remove_task(task)
            if not self._bars.task_ids:  # between phases the terminal is free, for a question say
                self._bars.stop()
        if time.monotonic() - started > 1:
            self._bars.console.print(_done_line(name, bar.done, unit, started), highlight=False)

    def say(self, message: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(f"  {message}", markup=False, highlight=False, soft_wrap=True)


class _Bar:
    def __init__(self, bars: Bars, task: TaskID, total: int | None, unit: str) -> None:
        self._bars, self._task, self._total, self._unit = bars, task, total, unit
        self.done = 0

    def advance(self, amount: int = 1) -> None:
        self._bars.advance(self._task, amount)
        self.done = int(self._bars.tasks[self._bars.task_ids.index(self._task)].completed)
        self._bars.update(self._task, counted=_counted(self.done, self._total, self._unit))


class LineProgress:
    """Lines where there is no terminal; see :class:`scripts.progress.Progress`."""

    @contextmanager
    def phase(
        self, name: str, *, total: int | None = None, unit: str = "objects"
    ) -> Iterator[Phase]:
        """Say that a phase begins, every 30 s how far it is, and how long it took."""
        started = time.monotonic()
        lines = _Lines(name, total, unit)
        say(f"{name} ...")
        yield lines
        if time.monotonic() - started > 1:
            say(_done_line(name, lines.done, unit, started))

    def say(self, message: str) -> None:
        """Print a line."""
        say(f"  {message}")


class _Lines:
    def __init__(self, name: str, total: int | None, unit: str) -> None:
        self._name, self._total, self._unit = name, total, unit
        self._next = time.monotonic() + _LINE_EVERY_S
        self.done = 0

    def advance(self, amount: int = 1) -> None:
        self.done += amount
        if time.monotonic() > self._next:
            self._next = time.monotonic() + _LINE_EVERY_S
            say(f"{self._name}: {_counted(self.done, self._total, self._unit)}")


def _counted(done: int, total: int | None, unit: str) -> str:
    from scripts.report import bytes_text  # noqa: PLC0415

    text = bytes_text if unit == "bytes" else "{:,.0f}".format
    shown = text(done) if total is None else f"{text(done)} of {text(total)}"
    return shown if unit == "bytes" else f"{shown} {unit}"


def _done_line(name: str, done: int, unit: str, started: float) -> str:
    from scripts.report import duration_text  # noqa: PLC0415

    counted = f", {_counted(done, None, unit)}" if done else ""
    return f"{name}: done in {duration_text(time.monotonic() - started)}{counted}"


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console  # noqa: PLC0415  listing tasks must stay instant

    # Texts are never broken (an address must stay whole); tables in a pipe need some width.
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=_PIPE_WIDTH)
