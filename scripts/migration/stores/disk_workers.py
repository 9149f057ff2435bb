"""The processes that copy from one directory to another, as the migration sees them.

Between disks no request keeps the processors busy outside Python: an object is some short system
calls and a hash, and threads wait for Python's lock after each. So there is a process for each
processor; see :mod:`.disk_worker`. Its threads are for disks that let them wait. It is sent a
:class:`Start`, and on each line lists of tasks. It answers with the bytes that it has moved since
it last spoke, and at the end of each list with an :class:`Answer`.
"""

from __future__ import annotations

import os
import queue
import sys
import time
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple

from typing_extensions import Self

from scripts.errors import StoreError, ToolError
from scripts.process import Worker

if TYPE_CHECKING:
    from collections.abc import Iterable
    from multiprocessing.connection import Connection

    from scripts.migration.block_copy import Record, Task
    from scripts.migration.model import Result
    from scripts.migration.stores.read_backs import Records
    from scripts.migration.table import Position
    from scripts.migration.transfer import Advance
    from scripts.migration.workers import Stop

_ROOT = Path(__file__).resolve().parents[3]
_MODULE = "scripts.migration.stores.disk_worker"
_MOST = 8
_LOT_OBJECTS = 64
"""A thread waits for the disk once for so many."""
_LOOK_EVERY_S = 0.2
LEAVES_WITHIN_S = 0.8
"""How long a worker waits for its threads when nobody needs them any more."""
_GONE_WITHIN_S = 1.2


class Start(NamedTuple):
    """Between which directories a worker copies, and the names of these remotes."""

    source_name: str
    source: str
    target_name: str
    target: str


class Answer(NamedTuple):
    """What became of the tasks of a list, what was read back, and what went wrong at the end."""

    done: list[tuple[Position, Result, str]]
    read_back: Records
    error: tuple[type[StoreError], str, str] | None = None


def count_of(jobs: int) -> int:
    """Return how many processes are worth while, at most."""
    return min(len(os.sched_getaffinity(0)), jobs, _MOST)


class DiskWorkers:
    """Processes that copy; a :class:`~scripts.migration.block_copy.Copier`.

    Args:
        start: Between which directories.
        count: How many processes.
        jobs: How many objects are in flight at once, in all of them together.
        advance: Told the bytes that they move.
        know: Told what they have read back.
    """

    lot_objects: int | None = _LOT_OBJECTS

    def __init__(
        self,
        start: Start,
        count: int,
        jobs: int,
        advance: Advance,
        know: Callable[[Records], None],
    ) -> None:
        self.jobs = jobs
        self._start = start
        self._advance = advance
        self._know = know
        self._lines_of = [jobs // count + (number < jobs % count) for number in range(count)]
        self._workers: list[Worker] = []
        self._free: queue.SimpleQueue[tuple[Worker, Connection]] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {"PYTHONPATH": os.pathsep.join(paths)}
        try:
            for lines in self._lines_of:
                worker = Worker([sys.executable, "-m", _MODULE], lines=lines, env=env)
                self._workers.append(worker)
                _begin(worker, self._start)
        except BaseException:  # Ctrl-C too: what has been started must not stay
            self._end()
            raise
        # In turns, so that few lists of tasks are spread over all processes.
        for lines_at_once in zip_longest(*(worker.lines for worker in self._workers)):
            for worker, line in zip(self._workers, lines_at_once):
                if line is not None:
                    self._free.put((worker, line))
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        """Let them leave: each takes away what it has begun, and is killed if it does not."""
        for worker in self._workers:
            for line in worker.lines:
                line.close()
        end_s = time.monotonic() + _GONE_WITHIN_S
        for worker in self._workers:
            if worker.returncode(max(0.0, end_s - time.monotonic())) is None:
                worker.kill()

    def copy(self, tasks: Iterable[Task], stop: Stop, record: Record) -> None:
        """Let a process copy each object; see :meth:`Copier.copy`.

        Raises:
            StoreError: The target does not keep what was published.
            ToolError: The process died.
        """
        worker, line = self._free.get()  # there are as many as callers
        try:
            line.send(list(tasks))
            answer = _follow(line, stop, self._advance)
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            raise _died(worker) from error
        self._free.put((worker, line))
        self._know(answer.read_back)
        for done in answer.done:
            record(*done)
        if answer.error is not None:
            kind, message, hint = answer.error
            raise kind(message, hint=hint)


def _begin(worker: Worker, start: Start) -> None:
    try:
        worker.lines[0].send(start)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise _died(worker) from error


def _follow(line: Connection, stop: Stop, advance: Advance) -> Answer:
    while True:
        stop.check()
        if line.poll(_LOOK_EVERY_S):
            told: int | Answer = line.recv()
            if isinstance(told, Answer):
                return told
            advance(told)


def _died(worker: Worker) -> ToolError:
    code = worker.returncode(_GONE_WITHIN_S)
    return ToolError(
        f"A process that copied objects has ended with exit code {code}.",
        hint="Was it killed, for want of memory perhaps? Run the same command again to continue.",
    )
