"""The seam to DVC remotes: what a migration asks of a store. The comments are contracts.

``tests/contract/test_store.py`` holds every store to them. :class:`Source` cannot write: what reads
the source is given one, and :class:`ReadOnly` makes it so at run time, whatever the types say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from scripts.migration.model import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from scripts.migration.block_copy import Copier
    from scripts.migration.model import Evidence, Layout, Location, ServerCopy, StoredObject
    from scripts.migration.run_entry import RunEntry
    from scripts.migration.transfer import Advance
    from scripts.migration.tuning import Tuning

CHUNK_BYTES = 4 << 20
"""The most that a store hands out or takes in one piece, in bytes."""
SMALL_BYTES = 1 << 20
"""Up to so many bytes an object is read whole before it is published: each thread may keep one. Of
a million small objects, handing on pieces costs more than reading them."""


def is_small(item: StoredObject) -> bool:
    """Return whether ``item`` is read whole before it is published; not if its size is unknown."""
    return item.size_bytes is not None and item.size_bytes <= SMALL_BYTES


class Source(Protocol):
    """A DVC remote that is only read. All methods may be called from any thread.

    Every method raises ``StoreUnavailable`` if another try may help, ``AccessDenied`` if the store
    refuses, and another ``StoreError`` for what will not mend by itself.
    """

    @property
    def name(self) -> str:
        """The remote's name in DVC's configuration."""

    @property
    def place(self) -> str:
        """Where the remote is, for people; holds no secret."""

    @property
    def location(self) -> Location | None:
        """Where a server keeps the objects, if it could copy them from here by itself."""

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield every object of both layouts, once, with its ``size_bytes``.

        What is being written, or was left over by a killed writer, is not listed; nor is anything
        that is no object (the run-cache, foreign files). ``checksum`` is set only if the store
        computed it from the bytes that it keeps.

        Raises:
            StoreError: The bucket or directory is not there; the message names it.
        """

    def list_few(self, looked_for: int) -> list[StoredObject] | None:
        """Return all that :meth:`list_objects` yields if one request tells it, or ``None``.

        ``None`` also if the store is asked otherwise than by requests.

        Args:
            looked_for: For how many objects it will be looked: for more than one request tells,
                none is made.

        Raises:
            StoreError: As :meth:`list_objects`.
        """

    def layouts(self) -> frozenset[Layout]:
        """Return the layouts of which the store holds something, by one look at its top.

        It may name one that turns out to be empty, and never leaves out one that is not. Whoever
        lists shard by shard asks this first: most stores hold nothing of one of the two.

        Raises:
            StoreError: As :meth:`list_objects`.
        """

    def list_shard(
        self, shard: int, layouts: frozenset[Layout] = LAYOUTS
    ) -> Iterator[StoredObject]:
        """Yield what :meth:`list_objects` yields, of the hashes whose first byte is ``shard``.

        Shards may be listed side by side. Nothing is yielded of a shard that holds nothing.

        Args:
            shard: From 0 to 255.
            layouts: Where to look; no other is asked for.

        Raises:
            StoreError: As :meth:`list_objects`.
        """

    def read(self, item: StoredObject) -> Iterator[bytes]:
        """Yield the bytes of ``item`` (as listed by this store) in pieces of at most CHUNK_BYTES.

        The bytes are handed out as they are: checking them is the caller's task.

        Raises:
            ObjectMissing: There is no such object. It may be raised by the first ``next``.
        """

    def list_runs(self) -> Iterator[RunEntry]:
        """Yield every entry of DVC's run-cache (``runs/``), as objects are listed.

        A place that is not there has none. Entries are read and published as objects are.
        """

    def list_top(self) -> Iterator[str]:
        """Yield the names at the top of the place, whatever they are; directories end in ``/``."""


class Store(Source, Protocol):
    """A DVC remote that is filled."""

    @property
    def is_batched(self) -> bool:
        """Whether :meth:`together` saves work, most for objects of one shard.

        If not, objects are best written all over the shards: servers that keep a directory for each
        are slower where one object after the other goes into the same.
        """

    def publish(
        self, item: StoredObject, chunks: Iterable[bytes], *, replace: bool = True
    ) -> Evidence:
        """Write ``item``; nothing becomes visible unless ``chunks`` ends without an exception.

        The check therefore stands inside ``chunks``, as its last step: what came to its end is what
        ``item`` names. An exception of ``chunks``
        leaves what was visible before, leaves nothing behind that costs room, and passes
        unchanged. An object that is there already is replaced in one step: a reader sees the old
        or the new one. Memory does not grow with the object. After the return, the object
        survives a power cut.

        With ``replace`` false, a store that can tell leaves what somebody else has put there
        meanwhile, whatever its bytes are. A store that cannot tell replaces it.

        Returns:
            ``STORE_CHECKSUM`` or ``READ_BACK`` if publishing itself showed that the store keeps
            the right bytes, ``HASHED_IN_FLIGHT`` if it did not, and ``NONE`` if it left what was
            there: that is then for the caller to prove.
        """

    def together(self) -> AbstractContextManager[None]:
        """Let what this thread publishes in the block become visible and durable at its end.

        So that a store can wait for its disk once for many objects. If the block raises, some of
        them may be missing.
        """

    def copy_from(
        self, origin: Location | None, item: StoredObject, *, replace: bool = True
    ) -> ServerCopy:
        """Let the server copy ``item`` (as the store at ``origin`` lists it), if it can.

        What becomes visible holds the bytes that ``item`` names, as far as the server's own
        checksums tell; what they do not tell is ``UNABLE``, as is everything that a server refuses:
        the bytes are then to be read and published. ``replace`` is that of :meth:`publish`.
        """

    def processes(
        self, source: Source, advance: Advance, jobs: int, tuning: Tuning
    ) -> AbstractContextManager[Copier] | None:
        """Open processes that copy objects from ``source`` to here, or return ``None``.

        They are for where threads would keep each other from working, and do what
        :class:`~scripts.migration.block_copy.BlockCopier` does. When the block ends, so do they.

        Args:
            source: The store to read from.
            advance: Told the bytes that they have copied.
            jobs: How many objects may be in flight at once.
            tuning: How many processes, and what each is asked for.
        """

    def cautions(self) -> tuple[str, ...]:
        """Return what a person should know of the place before anything is written there."""

    def require_writable(self) -> tuple[str, ...]:
        """Do nothing if objects may be written, as far as can be told without writing one.

        It may write something beside, which it removes. Asking again costs nothing much.

        Returns:
            What a person should know of how the store writes, and was found by asking it.

        Raises:
            AccessDenied: They may not.
            StoreError: Nothing can be written for another reason.
        """

    def remove(self, item: StoredObject) -> None:
        """Remove ``item``; do nothing if it is not there. For ``prune.py`` alone."""

    def clean(self, *, thorough: bool = True) -> int:
        """Remove what killed writers left over; return how many.

        What others are writing stays, or fails there with ``StoreUnavailable``, so that they write
        it again. Without ``thorough`` is removed what one quick look shows. Uploads in parts need
        not be among it: the object of one that was killed is still to be copied.
        """


class ReadOnly:
    """The reading half of a store, and nothing else of it."""

    __slots__ = (
        "_layouts", "_list_few", "_list_objects", "_list_runs", "_list_shard", "_list_top",
        "_location", "_name", "_place", "_read",
    )  # fmt: skip

    def __init__(self, store: Source) -> None:
        self._name = store.name
        self._place = store.place
        self._location = store.location
        self._list_objects = store.list_objects
        self._list_few = store.list_few
        self._layouts = store.layouts
        self._list_shard = store.list_shard
        self._read = store.read
        self._list_runs = store.list_runs
        self._list_top = store.list_top

    @property
    def name(self) -> str:
        """The remote's name in DVC's configuration."""
        return self._name

    @property
    def place(self) -> str:
        """Where the remote is, for people."""
        return self._place

    @property
    def location(self) -> Location | None:
        """Where a server keeps the objects; see :attr:`Source.location`."""
        return self._location

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield every object; see :meth:`Source.list_objects`."""
        return self._list_objects()

    def list_few(self, looked_for: int) -> list[StoredObject] | None:
        """Return every object if one request tells them; see :meth:`Source.list_few`."""
        return self._list_few(looked_for)

    def layouts(self) -> frozenset[Layout]:
        """Return the layouts that are there; see :meth:`Source.layouts`."""
        return self._layouts()

    def list_shard(
        self, shard: int, layouts: frozenset[Layout] = LAYOUTS
    ) -> Iterator[StoredObject]:
        """Yield the objects of one shard; see :meth:`Source.list_shard`."""
        return self._list_shard(shard, layouts)

    def read(self, item: StoredObject) -> Iterator[bytes]:
        """Yield the bytes of ``item``; see :meth:`Source.read`."""
        return self._read(item)

    def list_runs(self) -> Iterator[RunEntry]:
        """Yield every entry of the run-cache; see :meth:`Source.list_runs`."""
        return self._list_runs()

    def list_top(self) -> Iterator[str]:
        """Yield the names at the top; see :meth:`Source.list_top`."""
        return self._list_top()
