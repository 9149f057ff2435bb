"""The errors that are meant for a person, and the exit code of each.

::

    StarterError            1   anything else that a person can mend
      ConfigError           2   a key, its value, and what is allowed
      DataError             8   a file or folder of the data
      TrainingError         9   training cannot go on: the loss is no number, memory is short
    interrupted           130   Ctrl-C; `train resume=RUN` continues
    terminated            143   SIGTERM, by a scheduler say; likewise

A message says what is wrong with which thing; its hint says what to do next. What is no
:class:`StarterError` is a bug and keeps its traceback.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_INTERRUPTED = 130
"""What a shell reports for SIGINT: 128 + 2."""
EXIT_TERMINATED = 143
"""What a shell reports for SIGTERM: 128 + 15."""


class StarterError(Exception):
    """Base of all errors that are meant for a person.

    Args:
        message: What is wrong with which thing, in one sentence.
        hint: What to do next; empty where there is nothing to add.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.text = message
        self.hint = hint


class ConfigError(StarterError):
    """A key is unknown, missing, of the wrong type or out of range; the message names it."""

    exit_code = 2


class DataError(StarterError):
    """A file or folder of the data cannot be used; the message names it."""

    exit_code = 8


class TrainingError(StarterError):
    """Training cannot go on."""

    exit_code = 9
