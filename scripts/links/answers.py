"""Read what the worker inside says, line by line: progress, then a result or an error."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from scripts import errors
from scripts.errors import SlipwayError, ToolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.progress import Phase, Progress

INTERRUPTED = "KeyboardInterrupt"
"""The kind of error that an interrupted worker answers with."""


class Answers:
    """Takes the lines of one call and drives a progress with them.

    Args:
        progress: Where the phases that the worker opens are shown.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._opened = ExitStack()
        self._phase: Phase | None = None
        self._result: dict[str, Any] | None = None
        self._error: Mapping[str, str] | None = None

    def take(self, line: str) -> None:
        """Take the next line; what is not of the protocol, as a warning, is passed over."""
        try:
            said = json.loads(line)
        except ValueError:
            return
        if not isinstance(said, dict):
            return
        if "phase" in said:
            self._close()
            opened = self._progress.phase(said["phase"], total=said["total"], unit=said["unit"])
            self._phase = self._opened.enter_context(opened)
        elif "advance" in said and self._phase is not None:
            self._phase.advance(said["advance"])
        elif "phase_end" in said:
            self._close()
        elif "say" in said:
            self._progress.say(said["say"])
        elif "result" in said:
            self._result = said["result"]
        elif "error" in said:
            self._error = said["error"]

    def result(self) -> dict[str, Any]:
        """Return the worker's result, when all its lines were taken.

        Raises:
            SlipwayError: What the function raised inside, of the same class.
            ToolError: The worker ended without an answer.
            KeyboardInterrupt: It was interrupted.
        """
        self._close()
        if self._error is not None:
            raise _raised(self._error)
        if self._result is None:
            raise ToolError(
                "The worker inside ended without an answer.",
                hint="Run the same command again to continue; `./inv logs` may tell more.",
            )
        return self._result

    def _close(self) -> None:
        self._phase = None
        self._opened.close()


def _raised(content: Mapping[str, str]) -> BaseException:
    """Return the error that was raised inside, by the name of its class.

    A class that is made of other things than message and hint becomes the nearest above it that
    is made of these.
    """
    if content["kind"] == INTERRUPTED:
        return KeyboardInterrupt()
    found = vars(errors).get(content["kind"])
    kind = found if isinstance(found, type) and issubclass(found, SlipwayError) else SlipwayError
    while True:
        try:
            return kind(content["message"], hint=content["hint"])
        except TypeError:
            kind = kind.__bases__[0]
