"""Processes that do a store's work beside this one: asked on lines, gone when these are closed.

What runs in them is a module that serves its lines with :mod:`.serving`. It is sent a beginning on
its first line, and then on each line one request after the other, which it answers.
"""

from __future__ import annotations

import os
import queue
import sys
import time
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import Self

from scripts.errors import ToolError
from scripts.process import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from scripts.migration.tuning import Tuning

_ROOT = Path(__file__).resolve().parents[3]
_MOST = 8
LOOK_EVERY_S = 0.2
"""How often whoever waits for an answer looks whether it is still wanted."""
LEAVES_WITHIN_S = 0.8
"""How long a process waits for its threads when nobody needs them any more."""
_GONE_WITHIN_S = 1.2


def count_of(jobs: int, tuning: Tuning) -> int:
    """Return how many processes are worth while, at most; of one, the caller's own is as good."""
    if tuning.processes is not None:
        return min(tuning.processes, jobs)
    if not hasattr(os, "sched_getaffinity"):  # not Linux: threads do it there
        return 1
    return min(len(os.sched_getaffinity(0)), jobs, _MOST)


class Processes:
    """Some processes of one kind; they begin and end with the block.

    Args:
        beginning: What each is told first; it can be pickled.
        count: How many.
        jobs: How many lines in all, spread over them.

    Attributes:
        module: What runs in them.
        workers: Those that run.

    Raises:
        ToolError: One cannot be run, or has ended at once.
    """

    module: str

    def __init__(self, beginning: object, count: int, jobs: int) -> None:
        self.workers: list[Worker] = []
        self._beginning = beginning
        self._lines_of = [jobs // count + (number < jobs % count) for number in range(count)]
        self._free: queue.SimpleQueue[tuple[Worker, Connection]] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {"PYTHONPATH": os.pathsep.join(paths)}
        try:
            for lines in self._lines_of:
                worker = Worker([sys.executable, "-m", self.module], lines=lines, env=env)
                self.workers.append(worker)
                with _told_if_it_ends(worker):
                    worker.lines[0].send(self._beginning)
        except BaseException:  # Ctrl-C too: what has been started must not stay
            self._end()
            raise
        # In turns, so that few requests are spread over all processes.
        for lines_at_once in zip_longest(*(worker.lines for worker in self.workers)):
            for worker, line in zip(self.workers, lines_at_once):
                if line is not None:
                    self._free.put((worker, line))
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        """Let them leave: each takes away what it has begun, and is killed if it does not."""
        for worker in self.workers:
            for line in worker.lines:
                line.close()
        end_s = time.monotonic() + _GONE_WITHIN_S
        for worker in self.workers:
            if worker.returncode(max(0.0, end_s - time.monotonic())) is None:
                worker.kill()

    @contextmanager
    def line(self) -> Iterator[Connection]:
        """Lend a line that nobody uses, for one request and its answer; ``jobs`` at once, at most.

        Raises:
            ToolError: The process died.
        """
        worker, line = self._free.get()
        with _told_if_it_ends(worker):
            yield line
        self._free.put((worker, line))


@contextmanager
def _told_if_it_ends(worker: Worker) -> Iterator[None]:
    try:
        yield
    except (EOFError, BrokenPipeError, ConnectionResetError) as error:
        code = worker.returncode(_GONE_WITHIN_S)
        raise ToolError(
            f"A process that copied objects has ended with exit code {code}.",
            hint="Was it killed, for want of memory perhaps? Run the same command again to "
            "continue.",
        ) from error
