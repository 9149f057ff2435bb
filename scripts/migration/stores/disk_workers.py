"""The processes that copy from one directory to another, as the migration sees them.

Between disks no request keeps the processors busy outside Python: an object is some short system
calls and a hash, and threads wait for Python's lock after each. So there is a process for each
processor; see :mod:`.disk_worker`. Its threads are for disks that let them wait. It begins with a
:class:`Start`, and is asked for lists of tasks. It answers with the bytes that it has moved since
it last spoke, and at the end of each list with an :class:`Answer`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Callable, NamedTuple

from scripts.errors import StoreError
from scripts.migration.stores.processes import LOOK_EVERY_S, Processes, count_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from multiprocessing.connection import Connection

    from scripts.migration.block_copy import Record, Task
    from scripts.migration.model import Result
    from scripts.migration.stores.read_backs import Records
    from scripts.migration.table import Position
    from scripts.migration.transfer import Advance
    from scripts.migration.tuning import Tuning
    from scripts.migration.workers import Stop


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
    error: StoreError | None = None


class DiskWorkers(Processes):
    """Processes that copy; a :class:`~scripts.migration.block_copy.Copier`.

    Args:
        start: Between which directories.
        jobs: How many objects are in flight at once, in all of them together.
        advance: Told the bytes that they move.
        know: Told what they have read back.
        clean: Takes away what processes that are gone had begun.
        tuning: How many processes, and how many objects should come in one call.
    """

    module = "scripts.migration.stores.disk_worker"
    is_spread = False

    def __init__(
        self,
        start: Start,
        jobs: int,
        *,
        advance: Advance,
        know: Callable[[Records], None],
        clean: Callable[[], object],
        tuning: Tuning,
    ) -> None:
        self.jobs = jobs
        self.lot_objects: int | None = tuning.lot_objects
        super().__init__(start, count_of(jobs, tuning), jobs)
        self._advance = advance
        self._know = know
        self._clean = clean

    def __exit__(self, *_: object) -> None:
        """Let them leave, and take away what those had begun that did not leave by themselves."""
        super().__exit__()
        with suppress(StoreError):  # the next run looks again
            self._clean()

    def copy(self, tasks: Iterable[Task], stop: Stop, record: Record) -> None:
        """Let a process copy each object; see :meth:`Copier.copy`.

        Raises:
            StoreError: The target does not keep what was published.
            ToolError: The process died.
        """
        with self.line() as line:
            line.send(list(tasks))
            answer = _follow(line, stop, self._advance)
        self._know(answer.read_back)
        for done in answer.done:
            record(*done)
        if answer.error is not None:
            raise answer.error


def _follow(line: Connection, stop: Stop, advance: Advance) -> Answer:
    while True:
        stop.check()
        if line.poll(LOOK_EVERY_S):
            told: int | Answer = line.recv()
            if isinstance(told, Answer):
                return told
            advance(told)
