"""Profiling, planned and judged: which command runs inside, and what came of it. No I/O.

Two profilers, for two questions. py-spy looks at a command and all its processes from outside, so
many times a second, and draws a flame graph; the command hardly notices. Python's own cProfile
counts every call of one process, which costs; its file opens in snakeviz.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scripts.errors import EXIT_INTERRUPTED, CommandFailed, SettingsError, ToolError, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RECORDER, CALLS = "scripts/analysis/recorder.py", "scripts/analysis/calls.py"
"""What runs inside, on its own, from the workspace."""
RATES = range(1, 1001)
_PYTHON = re.compile(r"^(python|pypy)[0-9.]*$")
_LAST = re.compile(r"-(?P<flags>[bBdEiIOPqRsSuvx]*)(?P<kind>[mc])(?P<name>.*)", re.DOTALL)
"""The option that ends Python's own, with short ones before it: ``-um a.b``."""
_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
_NOTHING_SEEN = re.compile(
    "No stack counts found|No python processes found|Wrote flamegraph"
    "|Failed to get process executable name|Failed to find python version"
)
"""What py-spy says, by the moment at which the command ended."""
_PROCESS = re.compile(r'<title>process [^<]*</title><rect [^>]*y="(\d+)"[^>]*fg:w="(\d+)"')
"""A process in a flame graph: the level that it is drawn on, and its samples."""


class Profiler(Enum):
    """What looks at the command; the value is the suffix of its file."""

    SAMPLES = ".svg"
    CALLS = ".prof"


@dataclass(frozen=True)
class ProfileRequest:
    """A command and how to look at it; ``path`` is where the profile goes."""

    command: tuple[str, ...]
    profiler: Profiler
    path: Path
    rate: int = 100
    idle: bool = False


@dataclass(frozen=True)
class Recorded:
    """What a recording left: ``status`` as the recorder wrote it, ``None`` where it broke off.

    ``log`` is what py-spy said. ``samples`` are those of the command, ``counted`` whether there is
    a file of cProfile's.
    """

    status: str | None
    log: str = ""
    samples: int = 0
    counted: bool = False


@dataclass(frozen=True)
class Profile:
    """What came of it: a file, or the problem why there is none; and how the command ended.

    ``samples`` is ``None`` where every call was counted.
    """

    path: Path | None
    command_code: int
    samples: int | None = None
    problem: ToolError | None = None

    @property
    def exit_code(self) -> int:
        """The command's own; where that is 0 and there is no profile, the problem's."""
        return self.command_code or (self.problem.exit_code if self.problem else 0)


def read_request(
    command: Sequence[str], path: Path, *, calls: bool, rate: int = 100, idle: bool = False
) -> ProfileRequest:
    """Read what a person asked for.

    Raises:
        SettingsError: The rate or the file's name does not do.
    """
    profiler = Profiler.CALLS if calls else Profiler.SAMPLES
    if rate not in RATES:
        raise SettingsError(
            f"--rate {rate} is not between {RATES.start} and {RATES.stop - 1} samples a second.",
            hint="100 is enough for what takes seconds.",
        )
    if path.suffix != profiler.value:
        raise SettingsError(
            f"{path} does not end with {profiler.value}.",
            hint="A flame graph is a .svg; with --cprofile, the profile is a .prof.",
        )
    return ProfileRequest(tuple(command), profiler, path, rate, idle)


def plan_recording(request: ProfileRequest, workspace: str, directory: str) -> list[str]:
    """Return the command to run inside.

    Args:
        request: What is asked for.
        workspace: Where it is inside.
        directory: Where the recorder leaves what it has, inside.

    Raises:
        SettingsError: cProfile cannot look at such a command.
    """
    recorder = ["python", "-I", "-S", f"{workspace}/{RECORDER}", directory]
    output = f"{directory}/profile{request.profiler.value}"
    if request.profiler is Profiler.CALLS:
        return [*recorder, "--", *_counted(request.command, f"{workspace}/{CALLS}", output)]
    sampler = [
        "py-spy", "record", "--subprocesses", "--rate", str(request.rate),
        *(["--idle"] if request.idle else []), "--output", output,
    ]  # fmt: skip
    return [*recorder, *sampler, "--", *request.command]


def _counted(command: Sequence[str], runner: str, output: str) -> list[str]:
    """Return a Python command with the runner, which counts calls, in its place."""
    program, *words = command
    if not _PYTHON.match(PurePosixPath(program).name):
        return ["python", runner, output, "program", program, *words]
    options: list[str] = []
    kind = "script"
    while words and words[0].startswith("-") and words[0] != "-":
        option = words.pop(0)
        last = _LAST.fullmatch(option)
        if last and last["kind"] == "c":
            raise SettingsError(
                "cProfile counts the calls of a script or module, not of `-c`.",
                hint="Write it into a file; without --cprofile, py-spy looks at any command.",
            )
        if last:
            options += [f"-{last['flags']}"] if last["flags"] else []
            words = [last["name"], *words] if last["name"] else words
            kind = "module"
            break
        options += [option, words.pop(0)] if option in _WITH_VALUE and words else [option]
    if not words:
        raise SettingsError(
            f"`{' '.join(command)}` names no script or module whose calls could be counted.",
            hint="For example: ./inv profile --cprofile -- python train.py",
        )
    return [program, *options, runner, output, kind, *words]


def judge(request: ProfileRequest, recorded: Recorded) -> Profile:
    """Say what came of a recording; the command's exit code stays what it was.

    Raises:
        ToolMissing: The command could not be started.
        ToolError: The recording broke off, or py-spy could not begin.
    """
    shown = request.command[0]
    if recorded.status is None and "Error" in recorded.log:
        raise _failed(recorded)
    if recorded.status is None:
        raise ToolError(
            f"The recording of `{shown}` broke off; there is no profile.",
            hint="Is the container still up (`./inv status`)?",
        )
    said, _, reason = recorded.status.strip().partition(" ")
    if said == "unstarted":
        raise ToolMissing(
            f"`{shown}` cannot be started inside: {reason}.",
            hint="Relative paths begin at the directory that you are in.",
        )
    exit_code = int(reason)
    if recorded.counted:
        return Profile(request.path, exit_code)
    if recorded.samples:
        return Profile(request.path, exit_code, recorded.samples)
    return Profile(None, exit_code, problem=_problem(request, recorded, exit_code))


def command_samples(picture: str) -> int:
    """Return how many samples of a flame graph are the command's.

    Its outermost process is the recorder's, which is seen while it starts, and the next one the
    shell between it and the command; each further level was started by the one before.
    """
    levels: dict[int, int] = {}
    for y, samples in _PROCESS.findall(picture):
        levels[int(y)] = levels.get(int(y), 0) + int(samples)
    return levels[sorted(levels)[2]] if len(levels) > 2 else 0


def _problem(request: ProfileRequest, recorded: Recorded, exit_code: int) -> ToolError:
    shown = request.command[0]
    how = _ending(exit_code)
    if request.profiler is Profiler.CALLS:
        return ToolError(
            f"`{shown}` {how}, and left no profile: it did not come to Python's own end.",
            hint="Without --cprofile, py-spy looks at it from outside, however it ends.",
        )
    if _NOTHING_SEEN.search(recorded.log):
        return ToolError(
            f"`{shown}` {how} before a sample of it was taken.",
            hint="It ran too short, only waited, or runs no Python. --rate 1000 looks more often, "
            "--idle also while it waits, and --cprofile counts every call.",
        )
    return _failed(recorded)


def _failed(recorded: Recorded) -> CommandFailed:
    denied = re.search("permission denied|not permitted", recorded.log, re.IGNORECASE)
    return CommandFailed(
        ["py-spy", "record"], 1, recorded.log,
        hint="This kernel does not let a process look at its own children: "
        "`sysctl kernel.yama.ptrace_scope` must be 0 or 1. --cprofile works without." if denied
        else "--cprofile works without py-spy.",
    )  # fmt: skip


def _ending(exit_code: int) -> str:
    if exit_code == EXIT_INTERRUPTED:
        return "was interrupted"
    return f"ended with exit code {exit_code}" if exit_code else "ended"
