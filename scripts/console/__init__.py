"""The only printer: bars, tables, colours, questions, and errors as a person reads them.

Colours follow the terminal, NO_COLOR and pipes, as rich does. What a program asks for goes to
standard output, all else to standard error.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Protocol, TypeVar

from scripts.console.long_work import LineProgress, TerminalProgress
from scripts.errors import EXIT_INTERRUPTED, SlipwayError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console, RenderableType


class _Reported(Protocol):
    def as_json(self) -> dict[str, object]: ...


_Result = TypeVar("_Result", bound=_Reported)

_PIPE_WIDTH = 120
"""Columns where there is no terminal to ask."""


def show(renderable: RenderableType) -> None:
    """Print a table, a text or anything else that rich draws; an address in a text stays whole."""
    from rich.text import Text  # noqa: PLC0415  as in _console

    _console().print(renderable, soft_wrap=isinstance(renderable, Text))


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


def confirming(*, yes: bool, unasked: bool = True) -> Callable[[str], bool]:
    """Return what asks a person a question. Without a terminal the answer is no.

    Args:
        yes: Do not ask (``--yes``).
        unasked: What is answered then.
    """

    def confirm(question: str) -> bool:
        if yes:
            return unasked
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
    display = TerminalProgress(console) if console.is_terminal else LineProgress()
    try:
        yield display
    finally:
        display.close()


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console  # noqa: PLC0415  listing tasks must stay instant

    # Texts are never broken (an address must stay whole); tables in a pipe need some width.
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=_PIPE_WIDTH)
