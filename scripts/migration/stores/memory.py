"""A store in memory: the smallest thing that keeps the contract; for tests and examples."""

from __future__ import annotations

import hashlib
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

from scripts.errors import ObjectMissing
from scripts.migration.model import (
    LAYOUTS,
    Evidence,
    Layout,
    ServerCopy,
    StoredObject,
    object_at,
)
from scripts.migration.run_entry import RunEntry, run_at
from scripts.migration.store import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from scripts.migration.model import Location
    from scripts.migration.store import Source
    from scripts.migration.transfer import Advance
    from scripts.migration.tuning import Tuning


class MemoryStore:
    """A :class:`~scripts.migration.store.Store` whose bytes live in ``contents``, by key."""

    is_batched = False

    def __init__(self, name: str = "memory", contents: dict[str, bytes] | None = None) -> None:
        self.name = name
        self.place = f"memory:{name}"
        self.location: Location | None = None
        self.contents = {} if contents is None else contents
        self._lock = threading.Lock()

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield every object."""
        with self._lock:
            listed = sorted(self.contents.items())
        for key, content in listed:
            item = object_at(key)
            if item is not None:
                checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
                yield StoredObject(item.oid, item.layout, len(content), checksum)

    def list_few(self, looked_for: int) -> None:
        """Return nothing: it takes no requests."""

    def layouts(self) -> frozenset[Layout]:
        """Return the layouts that are there."""
        return frozenset(item.layout for item in self.list_objects())

    def list_shard(
        self, shard: int, layouts: frozenset[Layout] = LAYOUTS
    ) -> Iterator[StoredObject]:
        """Yield the objects of one shard."""
        for item in self.list_objects():
            if item.shard == shard and item.layout in layouts:
                yield item

    def read(self, item: StoredObject) -> Iterator[bytes]:
        """Yield the bytes of ``item``."""
        try:
            content = self.contents[item.key]
        except KeyError as error:
            raise ObjectMissing(f"{self.name}: there is no object {item.key}.") from error
        for start in range(0, len(content), CHUNK_BYTES):
            yield content[start : start + CHUNK_BYTES]

    def list_runs(self) -> Iterator[RunEntry]:
        """Yield every entry of the run-cache."""
        with self._lock:
            listed = sorted(self.contents.items())
        for key, content in listed:
            entry = run_at(
                key, len(content), hashlib.md5(content, usedforsecurity=False).hexdigest()
            )
            if entry is not None:
                yield entry

    def list_top(self) -> Iterator[str]:
        """Yield the names at the top."""
        with self._lock:
            parts = [key.partition("/") for key in sorted(self.contents)]
        yield from dict.fromkeys(f"{top}{slash}" for top, slash, _ in parts)

    def publish(
        self, item: StoredObject, chunks: Iterable[bytes], *, replace: bool = True
    ) -> Evidence:
        """Write ``item`` once ``chunks`` has ended well."""
        content = b"".join(chunks)
        with self._lock:
            if not replace and item.key in self.contents:
                return Evidence.NONE
            self.contents[item.key] = content
        return Evidence.HASHED_IN_FLIGHT

    def together(self) -> AbstractContextManager[None]:
        """Publish one by one: memory waits for nothing."""
        return nullcontext()

    def copy_from(
        self,
        origin: Location | None,  # noqa: ARG002  there is no server
        item: StoredObject,  # noqa: ARG002
        *,
        replace: bool = True,  # noqa: ARG002
    ) -> ServerCopy:
        """Copy nothing: memory does nothing by itself."""
        return ServerCopy.UNABLE

    def processes(self, source: Source, advance: Advance, jobs: int, tuning: Tuning) -> None:
        """Return nothing: there is nothing to wait for."""

    def cautions(self) -> tuple[str, ...]:
        """Return nothing: such a place has no rules of its own."""
        return ()

    def require_writable(self) -> tuple[str, ...]:
        """Return nothing: memory can be written."""
        return ()

    def remove(self, item: StoredObject) -> None:
        """Remove ``item``."""
        with self._lock:
            self.contents.pop(item.key, None)

    def clean(self, *, thorough: bool = True) -> int:  # noqa: ARG002  one look is enough
        """Remove nothing: nothing is ever left over."""
        return 0
