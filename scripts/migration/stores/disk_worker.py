"""Copy lists of objects from one directory to another, in a process that does nothing else.

``python -m scripts.migration.stores.disk_worker DESCRIPTOR...``: a thread serves each line; what is
said on it stands in :mod:`.disk_workers`. When the other end is closed, whatever happened there,
this process stops, takes away what it has begun, and ends.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import traceback
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Optional

from scripts.errors import StoreError
from scripts.migration.block_copy import BlockCopier
from scripts.migration.store import ReadOnly
from scripts.migration.stores.disk import DiskStore
from scripts.migration.stores.disk_workers import LEAVES_WITHIN_S, Answer
from scripts.migration.workers import Stop, Stopped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.migration.block_copy import Task
    from scripts.migration.model import Result
    from scripts.migration.stores.disk_workers import Start
    from scripts.migration.table import Position

    _Lists = queue.SimpleQueue[Optional[list[Task]]]

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


class _Server:
    """Copies what is asked for on lines, a thread for each."""

    def __init__(self, start: Start, lines: Sequence[Connection]) -> None:
        self._source = ReadOnly(DiskStore(start.source_name, Path(start.source)))
        self._target = DiskStore(start.target_name, Path(start.target), may_be_new=True)
        self._lists: dict[Connection, _Lists] = {line: queue.SimpleQueue() for line in lines}
        self._stop = Stop()

    def serve(self) -> None:
        """Serve until a line's other end is closed; then end, and leave nothing behind."""
        threads = [
            threading.Thread(target=self._work, args=line, daemon=True)
            for line in self._lists.items()
        ]
        for thread in threads:
            thread.start()
        try:
            self._receive()
        except (EOFError, ConnectionResetError):
            self._stop.set()
        for lists in self._lists.values():
            lists.put(None)
        end_s = time.monotonic() + LEAVES_WITHIN_S
        for thread in threads:
            thread.join(max(0.0, end_s - time.monotonic()))
        self._target.clean()

    def _receive(self) -> NoReturn:
        while True:
            for line in connection.wait(list(self._lists)):
                assert isinstance(line, Connection)  # noqa: S101  for the types
                self._lists[line].put(line.recv())

    def _work(self, line: Connection, lists: _Lists) -> None:
        moved = _Moved(line)
        copier = BlockCopier({"": self._source}, self._target, moved.advance)
        try:
            for tasks in iter(lists.get, None):
                answer = self._copy(copier, tasks)
                moved.tell()
                line.send(answer)
        except (Stopped, BrokenPipeError, ConnectionResetError):
            return
        except BaseException:  # noqa: BLE001  a bug: whoever waits for the answer sees the end
            traceback.print_exc()
            os._exit(1)

    def _copy(self, copier: BlockCopier, tasks: list[Task]) -> Answer:
        done: list[tuple[Position, Result, str]] = []
        trouble = None
        try:
            copier.copy(tasks, self._stop, lambda *found: done.append(found))
        except StoreError as error:
            trouble = (type(error), error.message, error.hint)
        return Answer(done, self._target.take_read_backs(), trouble)


def main(descriptors: Sequence[str]) -> None:
    """Serve the lines of these descriptors."""
    lines = [Connection(int(descriptor)) for descriptor in descriptors]
    _Server(lines[0].recv(), lines).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
