"""Another user of the machine, who reads a directory all the while root fills it."""

from __future__ import annotations

import hashlib
import os
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.faults.migrating import ENDS_WITHIN_S
from tests.faults.sites import LOOKS_EVERY_S, Directory, Tree
from tests.forked import SERVER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

NOBODY = 65534


@contextmanager
def reading(directory: Path) -> Iterator[list[tuple[str, str]]]:
    """Let nobody read all that appears in ``directory`` while the block runs.

    Yields:
        A list, in which stands what was read when the block has ended: each object that was new or
        had changed, by its key, and the MD5 of its bytes.
    """
    ours, theirs = SERVER.Pipe()
    process = SERVER.Process(target=_read, args=(directory, theirs))
    process.start()
    theirs.close()
    assert ours.recv() == "begins"
    read: list[tuple[str, str]] = []
    try:
        yield read
    finally:
        ours.send("the last look")
        answer = ours.recv() if ours.poll(ENDS_WITHIN_S) else "it did not end"
        process.kill()
        process.join()
        process.close()
        ours.close()
    assert not isinstance(answer, str), answer
    read += answer


def _read(directory: Path, connection: Connection) -> None:
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        connection.send("begins")
        connection.send(_look(Directory(directory), connection))
    except Exception:  # noqa: BLE001  the test fails with it
        connection.send(traceback.format_exc())


def _look(place: Directory, until: Connection) -> list[tuple[str, str]]:
    seen: Tree = {}
    read = []
    is_last = False
    while not is_last:
        is_last = until.poll(LOOKS_EVERY_S)
        for key, mark in place.marks().items():
            if seen.get(key) != mark:
                read.append((key, hashlib.md5(place.get(key), usedforsecurity=False).hexdigest()))
                seen[key] = mark
    return read
