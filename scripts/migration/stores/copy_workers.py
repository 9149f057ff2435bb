"""The processes that ask an S3 server for its own copies, as the migration sees them.

A request for a copy is 2 ms of botocore's Python, whatever the object's size: in one process no
number of threads makes more than 500 copies in a second. So there is a process for each processor;
see :mod:`.copy_worker`. It begins with a :class:`Start`, and answers each :class:`Request` with
what became of it, or with the error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Union

from scripts.errors import StoreError
from scripts.migration.model import ServerCopy
from scripts.migration.stores.client import Keys, keys_of
from scripts.migration.stores.processes import LOOK_EVERY_S, Processes
from scripts.migration.workers import pause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.migration.credentials import CredentialProvider
    from scripts.migration.model import Location, StoredObject
    from scripts.migration.stores.client import ClientSettings

Answer = Union[ServerCopy, StoreError]


class Start(NamedTuple):
    """What :class:`~.server_copy.ServerCopies` are made of, but keys."""

    name: str
    location: Location
    settings: ClientSettings
    options: Mapping[str, str]


class Request(NamedTuple):
    """A copy to ask for, and who asks: keys may be others by now."""

    keys: Keys
    item: StoredObject
    origin: Location
    replace: bool


class CopyWorkers(Processes):
    """Does in processes what :class:`~.server_copy.ServerCopies` does.

    Args:
        start: Which place is filled.
        credentials: Asked for the keys before each request.
        count: How many processes.
        jobs: From how many threads it will be called.
    """

    module = "scripts.migration.stores.copy_worker"

    def __init__(
        self, start: Start, credentials: CredentialProvider, count: int, jobs: int
    ) -> None:
        super().__init__(start, count, jobs)
        self._credentials = credentials

    def copy(self, item: StoredObject, origin: Location, *, replace: bool) -> ServerCopy:
        """Let a process ask for the copy; see :meth:`~.server_copy.ServerCopies.copy`.

        Raises:
            StoreError: As that.
            ToolError: The process died.
        """
        with self.line() as line:
            line.send(Request(keys_of(self._credentials), item, origin, replace))
            while not line.poll(LOOK_EVERY_S):
                pause(0)  # no longer than all the work is to go on
            answer: Answer = line.recv()
        if isinstance(answer, StoreError):
            raise answer
        return answer
