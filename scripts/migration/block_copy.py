"""Copy objects that belong together, one after the other: here, or in a process of their own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Callable, NamedTuple, Protocol

from scripts.migration.model import Result, Status, StoredObject
from scripts.migration.table import Position
from scripts.migration.transfer import copy_or_tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts.migration.store import Source, Store
    from scripts.migration.transfer import Advance
    from scripts.migration.workers import Stop

_FAILURES_IN_A_ROW = 40
"""After so many, with no success between, the rest is not tried: the store is gone or full."""

Record = Callable[[Position, Result, str], None]
"""Told what became of an object, and why it is not intact if it is not."""


class Task(NamedTuple):
    """An object that is to be copied.

    Attributes:
        position: Where it stands in the plan.
        item: The object, as the place that it is read from lists it.
        read_from: That place, as a plan calls it.
        replace: Whether what the target holds under its name is wrong.
    """

    position: Position
    item: StoredObject
    read_from: str
    replace: bool


class Copier(Protocol):
    """Copies objects; ``jobs`` threads may call it at once."""

    jobs: int
    lot_objects: int | None
    """How many objects should come in one call; ``None`` for a block's, however many."""
    is_spread: bool
    """Whether objects should rather come from all over the shards, in as many calls as ``jobs``."""

    def copy(self, tasks: Iterable[Task], stop: Stop, record: Record) -> None:
        """Copy each object; what was published survives a power cut when this returns.

        Args:
            tasks: The objects.
            stop: Asked before every piece.
            record: Called in this thread for each object.

        Raises:
            StoreError: The target does not keep what was published.
        """


class BlockCopier:
    """The :class:`Copier` that does it itself; it gives up when nothing succeeds any more.

    Args:
        sources: Where objects are read, by what a plan calls it.
        target: Where they are published.
        advance: Told the bytes of every piece read.
        jobs: How many objects are in flight at once.
    """

    lot_objects: int | None = None

    def __init__(
        self, sources: Mapping[str, Source], target: Store, advance: Advance, jobs: int = 1
    ) -> None:
        self.jobs = jobs
        self.is_spread = not target.is_batched
        self._sources = sources
        self._target = target
        self._advance = advance
        self._lock = threading.Lock()
        self._failures = 0

    def copy(self, tasks: Iterable[Task], stop: Stop, record: Record) -> None:
        """Copy each object; see :meth:`Copier.copy`."""
        with self._target.together():
            for task in tasks:
                record(task.position, *self._copy_one(task, stop))

    def _copy_one(self, task: Task, stop: Stop) -> tuple[Result, str]:
        if self._failures >= _FAILURES_IN_A_ROW:
            reason = f"not tried: {_FAILURES_IN_A_ROW} objects had failed in a row"
            return Result(Status.FAILED), reason
        result, reason = copy_or_tell(
            task.item,
            self._sources[task.read_from],
            self._target,
            stop=stop,
            advance=self._advance,
            replace=task.replace,
        )
        with self._lock:
            self._failures = self._failures + 1 if result.status is Status.FAILED else 0
        return result, reason
