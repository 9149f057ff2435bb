"""The only user of subprocess: run a program and say clearly when it is missing or fails."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Callable, NoReturn

from scripts.errors import CommandFailed, NoAnswer, ToolError, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

_INSTALL_HINTS = {
    "docker": "Run `./inv engine`, or see https://docs.docker.com/engine/install/.",
    "git": "Install git (Debian and Ubuntu: `sudo apt-get install git`).",
    "dvc": "Run this inside the container (`./inv shell`), where DVC is installed.",
    "npm": "Install Node.js, which brings npm (Debian and Ubuntu: `sudo apt-get install npm`).",
}

_DIES_WITHIN_S = 1.0
"""A killed process that waits for a disk is not waited for much longer."""


@dataclass(frozen=True)
class Completed:
    """A program that has ended, and what it printed."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str


def installed(program: str) -> bool:
    """Tell whether ``program`` is found on PATH."""
    return shutil.which(program) is not None


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    check: bool = True,
    timeout_s: float | None = None,
) -> Completed:
    """Run a program to its end and return what it printed.

    Args:
        argv: The program and its arguments; no shell reads them. They must hold no secret.
        cwd: Where to run it.
        env: Variables to add to this process's own.
        stdin: What it reads; nothing if ``None``.
        check: Whether an exit code other than 0 is an error.
        timeout_s: After how many seconds it is ended.

    Raises:
        ToolMissing: The program is not installed.
        ToolError: It cannot be run for another reason.
        CommandFailed: It failed and ``check`` is set, or it ran out of time.
    """
    try:
        done = subprocess.run(
            list(argv),
            cwd=cwd,
            env=_environment(env),
            input="" if stdin is None else stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except OSError as error:
        raise _not_started(error, argv[0], cwd) from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(argv, -9, f"no end after {timeout_s:g} s") from error
    if check and done.returncode != 0:
        raise CommandFailed(argv, done.returncode, done.stderr)
    return Completed(tuple(argv), done.returncode, done.stdout, done.stderr)


@contextmanager
def streamed(argv: Sequence[str], *, both: bool = False) -> Iterator[IO[bytes]]:
    """Run a program that prints more than memory holds; the block reads what it prints.

    What the block leaves unread is read to its end; if the block fails, the program is ended.

    Args:
        argv: The program and its arguments; no shell reads them. They must hold no secret.
        both: Whether standard error is part of the stream.

    Raises:
        ToolMissing: The program is not installed.
        ToolError: It cannot be run for another reason.
        CommandFailed: It failed; the message ends with the last lines of standard error.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as printed:
        try:
            started = subprocess.Popen(
                list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if both else printed,
            )  # fmt: skip
        except OSError as error:
            raise _not_started(error, argv[0], None) from error
        with started:
            assert started.stdout is not None  # noqa: S101  for the types: it is a pipe
            try:
                yield started.stdout
                while started.stdout.read(1 << 20):
                    pass
            except BaseException:
                started.kill()
                raise
        printed.seek(0)
        if started.returncode != 0:
            raise CommandFailed(argv, started.returncode, printed.read())


def start_logged(argv: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None) -> int:
    """Start a program that outlives this process, and return its process id.

    Args:
        argv: The program and its arguments. They must hold no secret.
        log: What it prints is appended to this file, which only its owner may read.
        env: Variables to add to this process's own.

    Raises:
        ToolMissing: The program is not installed.
        ToolError: It cannot be run for another reason.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        started = subprocess.Popen(
            list(argv), env=_environment(env), stdin=subprocess.DEVNULL, stdout=descriptor,
            stderr=descriptor, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise _not_started(error, argv[0], None) from error
    finally:
        os.close(descriptor)
    return started.pid


def run_shown(
    argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> int:
    """Run a program on the person's own terminal and return its exit code.

    Raises:
        ToolMissing: The program is not installed.
        ToolError: It cannot be run for another reason.
    """
    sys.stdout.flush()
    try:
        return subprocess.run(list(argv), cwd=cwd, env=_environment(env), check=False).returncode
    except OSError as error:
        raise _not_started(error, argv[0], cwd) from error


def run_past_interrupt(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
    """Run a program on the person's own terminal, and return its exit code.

    Ctrl-C is the program's own affair: this process waits until the program has ended.

    Raises:
        ToolMissing: The program is not installed.
        ToolError: It cannot be run for another reason.
    """
    # A handler, as what is ignored stays ignored in the program.
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        return run_shown(argv, env=env)
    finally:
        signal.signal(signal.SIGINT, before)


def run_followed(
    argv: Sequence[str],
    *,
    follow: Callable[[str], None],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run a long program, giving each line that it prints (on either stream) to ``follow``.

    Raises:
        ToolMissing: The program is not installed.
        ToolError: It cannot be run for another reason.
        CommandFailed: It failed; the message ends with the last lines that it printed.
    """
    lines = []
    try:
        with subprocess.Popen(
            list(argv), cwd=cwd, env=_environment(env), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        ) as started:  # fmt: skip
            for line in started.stdout or ():
                lines.append(line)
                follow(line.rstrip())
    except OSError as error:
        raise _not_started(error, argv[0], cwd) from error
    if started.returncode != 0:
        raise CommandFailed(argv, started.returncode, "".join(lines))
    return Completed(tuple(argv), started.returncode, "".join(lines), "")


def run_attended(
    argv: Sequence[str],
    *,
    follow: Callable[[str], None],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run a program that reads its standard input to know that somebody still waits for it.

    Its standard input stays open until this process ends or is interrupted. Each line that it
    prints on standard output goes to ``follow``.

    Raises:
        ToolMissing: The program is not installed.
        ToolError: It cannot be run for another reason.
        CommandFailed: It failed; the message ends with the last lines of standard error.
    """
    try:
        with tempfile.TemporaryFile("w+", errors="replace") as printed:
            with subprocess.Popen(
                list(argv), cwd=cwd, env=_environment(env), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=printed, text=True, errors="replace",
            ) as started:  # fmt: skip
                for line in started.stdout or ():
                    follow(line.rstrip())
            printed.seek(0)
            stderr = printed.read()
    except OSError as error:
        raise _not_started(error, argv[0], cwd) from error
    if started.returncode != 0:
        raise CommandFailed(argv, started.returncode, stderr)
    return Completed(tuple(argv), started.returncode, "", stderr)


class Worker:
    """A program of Slipway's own that works for this process, and the lines to it.

    Args:
        argv: The program and its arguments; the descriptors of its ends of the lines are added.
        lines: How many lines.
        env: Variables to add to this process's own.

    Attributes:
        lines: This process's ends.

    Raises:
        ToolError: It cannot be run.
    """

    def __init__(
        self, argv: Sequence[str], *, lines: int = 1, env: Mapping[str, str] | None = None
    ) -> None:
        from multiprocessing import Pipe  # noqa: PLC0415  every command would load it

        self.lines: list[Connection] = []
        descriptors: list[int] = []
        with ExitStack() as theirs:
            try:
                for _ in range(lines):
                    here, there = Pipe()
                    self.lines.append(here)
                    theirs.enter_context(there)
                    descriptors.append(there.fileno())
                self._started = subprocess.Popen(
                    [*argv, *map(str, descriptors)], env=_environment(env), pass_fds=descriptors,
                    stdin=subprocess.DEVNULL, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise _not_started(error, argv[0], None) from error

    def returncode(self, within_s: float) -> int | None:
        """Wait for its end, no longer than ``within_s`` seconds; return its exit code."""
        try:
            return self._started.wait(within_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it at once."""
        self._started.kill()
        self.returncode(_DIES_WITHIN_S)


class Conversation:
    """A program that answers on its standard output what it is asked on its standard input.

    Args:
        argv: The program and its arguments. They must hold no secret.
        cwd: Where to run it.
        patience_s: How many seconds may pass without a byte of an answer.
        hint: What to do if they do.

    Raises:
        ToolMissing: The program is not installed.
        ToolError: It cannot be run for another reason.
    """

    def __init__(self, argv: Sequence[str], *, cwd: Path, patience_s: float, hint: str) -> None:
        self._argv, self._cwd, self._patience_s, self._hint = argv, cwd, patience_s, hint
        self._received = bytearray()
        with ExitStack() as opened:
            try:
                self._printed = opened.enter_context(tempfile.TemporaryFile("w+", errors="replace"))
                self._selector = opened.enter_context(selectors.DefaultSelector())
                self._started = subprocess.Popen(
                    list(argv), cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=self._printed, bufsize=0,
                )  # fmt: skip
            except OSError as error:
                raise _not_started(error, argv[0], cwd) from error
            assert self._started.stdin is not None  # noqa: S101  for the types: they are pipes
            assert self._started.stdout is not None  # noqa: S101
            self._questions = opened.enter_context(self._started.stdin)
            self._answers = opened.enter_context(self._started.stdout)
            self._selector.register(self._answers, selectors.EVENT_READ)
            self._opened = opened.pop_all()

    def ask(self, question: bytes) -> None:
        """Ask it the next question, no longer than a pipe holds (4 KiB everywhere).

        Raises:
            CommandFailed: It has ended.
        """
        try:
            self._questions.write(question)
        except BrokenPipeError:
            raise self._end() from None

    def read_line(self) -> bytes:
        """Return the next line of its answer, without its newline; raises as :meth:`read` does."""
        while b"\n" not in self._received:
            self._receive()
        line = self.read(self._received.index(b"\n") + 1)
        return line[:-1]

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes of its answer.

        Raises:
            CommandFailed: It has ended; the message ends with the last lines of standard error.
            NoAnswer: It is silent; it is ended.
        """
        while len(self._received) < size:
            self._receive()
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken

    def _receive(self) -> None:
        # In halves: of a process that is stopped (Ctrl-Z), one wait is over when it goes on.
        if not any(self._selector.select(self._patience_s / 2) for _ in range(2)):
            self._started.kill()
            shown, patience = " ".join(self._argv), f"{self._patience_s:g} s"
            raise NoAnswer(
                f"`{shown}` in {self._cwd} does not answer: not a byte came in {patience}.",
                hint=self._hint,
            )
        received = self._answers.read(1 << 16)
        if not received:
            raise self._end()
        self._received += received

    def _end(self) -> CommandFailed:
        returncode = self._wait()
        self._printed.seek(0)
        return CommandFailed(self._argv, returncode, self._printed.read())

    def _wait(self) -> int:
        try:
            return self._started.wait(_DIES_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._started.kill()
            return -signal.SIGKILL

    def close(self) -> None:
        """End it, as nothing is left to ask."""
        self._questions.close()
        self._wait()
        self._opened.close()


def start_detached(argv: Sequence[str], *, stdin: str = "") -> None:
    """Start a program that goes on when this process and its terminal have gone.

    Args:
        argv: The program and its arguments.
        stdin: What it can read, no longer than a pipe holds (4 KiB everywhere).

    Raises:
        ToolMissing: The program is not installed.
        ToolError: It cannot be run for another reason.
    """
    nothing = subprocess.DEVNULL
    try:
        started = subprocess.Popen(
            list(argv), cwd="/", stdin=subprocess.PIPE if stdin else nothing, stdout=nothing,
            stderr=nothing, start_new_session=True, text=True,
        )  # fmt: skip
    except OSError as error:
        raise _not_started(error, argv[0], None) from error
    if started.stdin is not None:
        with started.stdin as pipe:
            pipe.write(stdin)


def become(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> NoReturn:
    """Replace this process by a program, so that signals and the exit code are the program's own.

    Raises:
        ToolMissing: The program is not installed.
        ToolError: It cannot be run for another reason.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":  # execvp on Windows returns to the shell at once, before the program ends
        sys.exit(run_shown(argv, env=env))
    try:
        os.execvpe(argv[0], list(argv), _environment(env))
    except OSError as error:
        raise _not_started(error, argv[0], None) from error


def _environment(added: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(added or {})}


def _not_started(error: OSError, program: str, cwd: Path | None) -> ToolError:
    if not isinstance(error, FileNotFoundError):
        return ToolError(
            f"`{program}` cannot be run: {error.strerror or error}.",
            hint="Check that it may be run, and what this process may use "
            "(`ulimit -n` files, `ulimit -u` processes).",
        )
    if cwd is not None and not cwd.is_dir():
        return ToolMissing(f"Cannot run `{program}` in {cwd}: there is no such directory.")
    hint = _INSTALL_HINTS.get(program, f"Install {program} and see that it is on PATH.")
    return ToolMissing(f"`{program}` is not installed.", hint=hint)
