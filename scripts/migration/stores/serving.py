"""A process that :mod:`.processes` has started, seen from inside: it answers on its lines.

When the other end of one is closed, whatever happened there, it stops and ends.
"""

from __future__ import annotations

import os
import queue
import threading
import time
import traceback
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Callable, NoReturn

from scripts.migration.stores.processes import LEAVES_WITHIN_S
from scripts.migration.workers import Stop, Stopped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    _Requests = queue.SimpleQueue[Any]

Answering = Callable[[Any], None]
"""Takes a request and answers it, on a line of its own."""


def lines_of(descriptors: Sequence[str]) -> list[Connection]:
    """Return the lines of a process by its command line."""
    return [Connection(int(descriptor)) for descriptor in descriptors]


def serve(
    lines: Sequence[Connection], answering: Callable[[Connection], Answering], stop: Stop
) -> None:
    """Serve until a line's other end is closed; then wait a moment for what is under way.

    Args:
        lines: The lines; a thread serves each.
        answering: Returns what answers on a line.
        stop: Set when nobody waits for an answer any more.
    """
    requests: dict[Connection, _Requests] = {line: queue.SimpleQueue() for line in lines}
    threads = [
        threading.Thread(target=_work, args=(answering(line), waiting), daemon=True)
        for line, waiting in requests.items()
    ]
    for thread in threads:
        thread.start()
    try:
        _receive(requests)
    except (EOFError, ConnectionResetError):
        stop.set()
    for waiting in requests.values():
        waiting.put(None)
    end_s = time.monotonic() + LEAVES_WITHIN_S
    for thread in threads:
        thread.join(max(0.0, end_s - time.monotonic()))


def _receive(requests: Mapping[Connection, _Requests]) -> NoReturn:
    while True:
        for line in connection.wait(list(requests)):
            assert isinstance(line, Connection)  # noqa: S101  for the types
            requests[line].put(line.recv())


def _work(answer: Answering, waiting: _Requests) -> None:
    try:
        for request in iter(waiting.get, None):
            answer(request)
    except (Stopped, BrokenPipeError, ConnectionResetError):
        return
    except BaseException:  # noqa: BLE001  a bug: whoever waits for the answer sees the end
        traceback.print_exc()
        os._exit(1)
