"""Ask an S3 server for its own copies, in a process that does nothing else.

``python -m scripts.migration.stores.copy_worker DESCRIPTOR...``: what is said on its lines stands
in :mod:`.copy_workers`. A copy under way when it is no longer needed is the server's affair: it is
made whole or not at all.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from scripts.errors import StoreError
from scripts.migration.stores.client import Connection as Client
from scripts.migration.stores.client import Keys
from scripts.migration.stores.server_copy import ServerCopies
from scripts.migration.stores.serving import lines_of, serve
from scripts.migration.workers import Stop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    from scripts.migration.stores.copy_workers import Answer, Request, Start
    from scripts.migration.stores.serving import Answering


class _Asking:
    """Asks for what is asked for on lines."""

    def __init__(self, start: Start) -> None:
        self._keys = Keys("", "", None)
        connect = Client(start.settings, lambda: self._keys)
        self._copies = ServerCopies(start.name, start.location, connect, start.options)

    def answering(self, line: Connection) -> Answering:
        return partial(self._answer, line)

    def _answer(self, line: Connection, request: Request) -> None:
        self._keys, item, origin, replace = request
        try:
            answer: Answer = self._copies.copy(item, origin, replace=replace)
        except StoreError as error:
            answer = error
        line.send(answer)


def main(descriptors: Sequence[str]) -> None:
    """Serve the lines of these descriptors."""
    lines = lines_of(descriptors)
    serve(lines, _Asking(lines[0].recv()).answering, Stop())


if __name__ == "__main__":
    main(sys.argv[1:])
