"""Runs a command under a sampler, inside, and keeps what a sampler loses: its exit code.

``python -I -S recorder.py DIRECTORY [SAMPLER ...] -- COMMAND ...``; imports nothing of Slipway, and
hardly anything else, as it is seen in the picture. Each starts the next one::

    recorder  >  py-spy (DIRECTORY/log)  >  this file again  >  start.sh  >  command

- py-spy ends with 0 however its command ends, and kills what it started when it is interrupted. So
  start.sh writes the exit code to DIRECTORY/status, and py-spy is in a process group of its own,
  where Ctrl-C does not reach it: the command decides what becomes of it.
- py-spy gives up on what shows no Python within a second, as a script that prepares something.
  So it is given this file again, which is Python and waits.
- py-spy looks at a process once, when it appears. A command that this file forked would still be
  this file then, and not be seen after its exec; so it is a shell that forks it.

Without a sampler, start.sh is started at once.
"""

from __future__ import annotations

import os
import signal
import sys

_STARTS = "--starts"
_OUTPUT, _ERROR = 3, 4
"""Where the command's streams wait while standard output and error are the sampler's log."""


def _record(directory: str, sampler: list[str], command: list[str]) -> int:
    group = os.getpgrp()
    _write(directory, "group", str(group))
    starter = [f"{os.path.dirname(os.path.abspath(__file__))}/start.sh", directory, *command]  # noqa: PTH100, PTH120  pathlib takes longer than a sample
    # What is ignored would stay ignored in the command, so each child is given the default again.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not sampler:
        os.waitpid(_spawn(["sh", *starter], group, []), 0)
        return 0
    os.dup2(1, _OUTPUT)
    os.dup2(2, _ERROR)
    log = os.open(f"{directory}/log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    itself = [sys.executable, "-I", "-S", __file__, directory, _STARTS, str(group), "--", *starter]
    try:
        child = _spawn([*sampler, "--", *itself], 0, [(log, 1), (log, 2)])
    except OSError as error:
        os.write(log, f"Error: {sampler[0]} cannot be started: {error.strerror}\n".encode())
    else:
        os.waitpid(child, 0)
    return 0


def _start(group: int, starter: list[str]) -> int:
    os.waitpid(_spawn(["sh", *starter], group, [(_OUTPUT, 1), (_ERROR, 2)]), 0)
    return 0


def _spawn(argv: list[str], group: int, streams: list[tuple[int, int]]) -> int:
    """Start a program in a process group, 0 for a new one; return its process id."""
    actions: list[tuple[int, ...]] = [(os.POSIX_SPAWN_DUP2, mine, its) for mine, its in streams]
    if streams and streams[0][0] == _OUTPUT:
        actions += [(os.POSIX_SPAWN_CLOSE, _OUTPUT), (os.POSIX_SPAWN_CLOSE, _ERROR)]
    return os.posix_spawnp(
        argv[0], argv, os.environ,
        file_actions=actions, setpgroup=group, setsigdef=[signal.SIGINT],
    )  # fmt: skip


def _write(directory: str, name: str, text: str) -> None:
    with open(f"{directory}/{name}", "w", encoding="utf-8") as stream:  # noqa: PTH123  as above
        stream.write(text)


def main(argv: list[str]) -> int:
    """Record the command behind the first ``--``."""
    cut = argv.index("--")
    directory, *sampler = argv[:cut]
    command = argv[cut + 1 :]
    if sampler[:1] == [_STARTS]:
        return _start(int(sampler[1]), command)
    return _record(directory, sampler, command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
