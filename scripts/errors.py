"""The whole error tree, and the exit code of each branch.

::

    SlipwayError                 1
      SettingsError              2   a key, and where it came from
      ToolError                  3
        ToolMissing                  a program that is not installed
        CommandFailed                a program that failed: argv, exit code, last lines of stderr
        NoAnswer                     a program that was asked something and stays silent
      ContainerError             4   the engine, the image or the container
      StoreError                 5   a DVC remote
        ObjectMissing
        AccessDenied
        Corrupted
        StoreUnavailable             the only one that is retried
      MigrationIncomplete        6   carries the report
      CacheError                 7   the DVC cache, or its links to the workspace
      RequirementsDiffer        10   what is imported, declared and installed are not the same
    interrupted                130   "run the same command again to continue"

A message says what is wrong with which thing; its hint says what to do next. Neither holds a
secret. Whatever is not a :class:`SlipwayError` is a bug and keeps its traceback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_INTERRUPTED = 130
"""What a shell reports for SIGINT: 128 + 2."""

_SIGBUS = (-7, 128 + 7)
"""Linux ends so what maps a file that a full disk has no blocks for, as SQLite does for DVC."""
_STDERR_LINES_SHOWN = 12
_LINE_SHOWN = 200
"""Characters of each line: a build repeats whole scripts on one."""


class SlipwayError(Exception):
    """Base of all errors that are meant for a person.

    Args:
        message: What is wrong with which thing, in one sentence.
        hint: What to do next; empty where there is nothing to add.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SettingsError(SlipwayError):
    """A setting is unknown, malformed or impossible; the message names its key and its origin."""

    exit_code = 2


class ToolError(SlipwayError):
    """A program that Slipway calls is missing or failed."""

    exit_code = 3


class ToolMissing(ToolError):
    """A program is not installed."""


class CommandFailed(ToolError):
    """A program ended with an exit code other than 0.

    Args:
        argv: The command, as it was started. It must hold no secret.
        returncode: Its exit code; negative for a signal, as in :mod:`subprocess`.
        stderr: What it printed on standard error; the last lines become part of the message.
        hint: What to do next.
    """

    def __init__(
        self, argv: Sequence[str], returncode: int, stderr: str = "", *, hint: str = ""
    ) -> None:
        self.argv = tuple(argv)
        self.returncode = returncode
        self.stderr = stderr
        lines = [line.rstrip()[:_LINE_SHOWN] for line in stderr.splitlines() if line.strip()]
        tail = "".join(f"\n  {line}" for line in lines[-_STDERR_LINES_SHOWN:])
        shown = " ".join(self.argv[:6]) + (" ..." if len(self.argv) > 6 else "")
        if returncode in _SIGBUS:
            hint = hint or "That is SIGBUS: is a disk full that it keeps files on? `df` shows."
        super().__init__(f"`{shown}` ended with exit code {returncode}.{tail}", hint=hint)


class NoAnswer(ToolError):
    """A program that was asked something stays silent."""


class ContainerError(SlipwayError):
    """The engine, the image or the container cannot do what the plan needs."""

    exit_code = 4


class StoreError(SlipwayError):
    """A DVC remote cannot be used, or one of its objects cannot be."""

    exit_code = 5


class ObjectMissing(StoreError):
    """An object is not in the store."""


class AccessDenied(StoreError):
    """The store refuses the credentials, or there are none."""


class Corrupted(StoreError):
    """An object's bytes do not hash to the object's name."""


class StoreUnavailable(StoreError):
    """The store did not answer, or asked to be left alone; worth another try.

    Args:
        message: What did not answer.
        hint: What to do next.
        is_throttled: Whether it asks for fewer requests (HTTP 429 and 503).
        retry_after_s: How long it wants to be left alone, in seconds; 0 where it does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        is_throttled: bool = False,
        retry_after_s: float = 0.0,
    ) -> None:
        super().__init__(message, hint=hint)
        self.is_throttled = is_throttled
        self.retry_after_s = retry_after_s


class MigrationIncomplete(SlipwayError):
    """At least one object of the plan is not proven to be in the target.

    Args:
        message: How many objects are not intact, by status.
        report: The report as it was (or would be) written to the report file.
        hint: What to do next.
    """

    exit_code = 6

    def __init__(self, message: str, *, report: object = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.report = report


class CacheError(SlipwayError):
    """The DVC cache cannot be used, or its files cannot be linked as wanted."""

    exit_code = 7


class RequirementsDiffer(SlipwayError):
    """What the code imports, environment.txt declares and the image holds are not the same."""

    exit_code = 10
