"""Copy lists of objects from one directory to another, in a process that does nothing else.

``python -m scripts.migration.stores.disk_worker DESCRIPTOR...``: what is said on its lines stands
in :mod:`.disk_workers`. It takes away what it has begun when it is no longer needed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.errors import StoreError
from scripts.migration.block_copy import BlockCopier
from scripts.migration.store import ReadOnly
from scripts.migration.stores.disk import DiskStore
from scripts.migration.stores.disk_workers import Answer
from scripts.migration.stores.serving import lines_of, serve
from scripts.migration.workers import Stop

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from multiprocessing.connection import Connection

    from scripts.migration.block_copy import Task
    from scripts.migration.model import Result
    from scripts.migration.stores.disk_workers import Start
    from scripts.migration.stores.serving import Answering
    from scripts.migration.table import Position

_TELLS_EVERY_S = 0.1


class _Moved:
    """Gathers bytes that were moved, and tells of them now and then."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._gathered_bytes = 0
        self._told_s = time.monotonic()

    def advance(self, size_bytes: int) -> None:
        self._gathered_bytes += size_bytes
        if time.monotonic() - self._told_s >= _TELLS_EVERY_S:
            self.tell()

    def tell(self) -> None:
        self._line.send(self._gathered_bytes)
        self._gathered_bytes = 0
        self._told_s = time.monotonic()


class _Copying:
    """Copies what is asked for on lines."""

    def __init__(self, start: Start) -> None:
        self.stop = Stop()
        self._source = ReadOnly(DiskStore(start.source_name, Path(start.source)))
        self._target = DiskStore(start.target_name, Path(start.target), may_be_new=True)

    def answering(self, line: Connection) -> Answering:
        moved = _Moved(line)
        # Whoever asked for an object must learn with the answer that it was read back.
        target = self._target.for_another_thread()
        copier = BlockCopier({"": self._source}, target, moved.advance)

        def answer(tasks: Iterable[Task]) -> None:
            done: list[tuple[Position, Result, str]] = []
            trouble: StoreError | None = None
            try:
                copier.copy(tasks, self.stop, lambda *found: done.append(found))
            except StoreError as error:
                trouble = error
            moved.tell()
            line.send(Answer(done, target.take_read_backs(), trouble))

        return answer

    def clean(self) -> None:
        self._target.clean()


def main(descriptors: Sequence[str]) -> None:
    """Serve the lines of these descriptors."""
    lines = lines_of(descriptors)
    copying = _Copying(lines[0].recv())
    serve(lines, copying.answering, copying.stop)
    copying.clean()


if __name__ == "__main__":
    main(sys.argv[1:])
