"""How fast stores are used: below a person's limit, and no faster than they can take.

A paced store is that store, through a :class:`Bandwidth` that all stores of a migration share and a
:class:`Gate` of its own. Nothing else of a migration knows of either.
"""

from __future__ import annotations

import math
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Callable

from scripts.errors import SettingsError, StoreUnavailable
from scripts.migration.model import LAYOUTS, THIS_MACHINE, ServerCopy
from scripts.migration.retry import LONGEST_ASKED_S
from scripts.migration.store import ReadOnly, is_small
from scripts.migration.workers import pause

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from scripts.migration.block_copy import Copier
    from scripts.migration.model import Evidence, Layout, Location, StoredObject
    from scripts.migration.opening import Stores
    from scripts.migration.run_entry import RunEntry
    from scripts.migration.store import Source, Store
    from scripts.migration.transfer import Advance
    from scripts.migration.tuning import Tuning

_LIMIT = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?(?:/s)?", re.IGNORECASE)
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_BURST_S = 0.25
"""So much of a second's bytes may go at once after a rest."""
_LOOK_EVERY_S = 0.2


class Bandwidth:
    """A token bucket that all threads take from, in the order in which they ask.

    Args:
        bytes_per_s: The limit.
        clock: Tells the time, in seconds.
        wait: Waits for so many seconds.
    """

    def __init__(
        self,
        bytes_per_s: float = math.inf,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = pause,
    ) -> None:
        self.bytes_per_s = bytes_per_s
        self._clock = clock
        self._wait = wait
        self._lock = threading.Lock()
        self._paid_until_s = -math.inf

    def take(self, size_bytes: int) -> None:
        """Return once ``size_bytes`` more may have been moved."""
        if self.bytes_per_s == math.inf:
            return
        with self._lock:
            now_s = self._clock()
            begin_s = max(self._paid_until_s, now_s - _BURST_S)
            self._paid_until_s = begin_s + size_bytes / self.bytes_per_s
            wait_s = self._paid_until_s - now_s
        if wait_s > 0:
            self._wait(wait_s)


def read_bandwidth(text: str) -> Bandwidth:
    """Return the limit that a person asked for: ``50M`` is 50 MiB/s; empty is no limit.

    Raises:
        SettingsError: It is no such limit.
    """
    if not text:
        return Bandwidth()
    told = _LIMIT.fullmatch(text.strip())
    if told is None or not float(told.group(1)):
        raise SettingsError(
            f"--bwlimit is '{text}', which is no rate.",
            hint="It is a number and its unit, K, M, G or T for each second: 50M is 50 MiB/s.",
        )
    return Bandwidth(float(told.group(1)) * _UNITS[told.group(2).upper()])


class Gate:
    """How many objects of one store are in flight: halved when it throttles, then one more by one.

    At first there is no limit but the number of threads. Those that were in flight together when
    the store throttled are one sign, not many: they halve the limit once.

    Args:
        clock: Tells the time, in seconds.
        wait: Waits for so many seconds.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = pause,
    ) -> None:
        self.limit = math.inf
        self._clock = clock
        self._wait = wait
        self._lock = threading.Lock()
        self._in_flight = 0
        self._cuts = 0
        self._closed_until_s = -math.inf

    def passing(self) -> _Passage:
        """Return a block that holds one place as it runs; how it ends tells the gate something."""
        return _Passage(self)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Hold no place while the block runs, but rest if the store asks for it meanwhile."""
        try:
            yield
        except StoreUnavailable as error:
            with self._lock:
                self._rest(error)
            raise

    def enter(self) -> int:
        """Wait for a place and take it; return what :meth:`leave` is to be told."""
        while True:
            with self._lock:
                wait_s = self._closed_until_s - self._clock()
                if wait_s <= 0 and self._in_flight < self.limit:
                    self._in_flight += 1
                    return self._cuts
            self._wait(max(wait_s, _LOOK_EVERY_S))

    def leave(self, cuts: int, error: BaseException | None) -> None:
        """Give the place back; ``error`` is what the work in it ended with."""
        with self._lock:
            if isinstance(error, StoreUnavailable) and error.is_throttled:
                self._rest(error)
                if cuts == self._cuts:
                    self._cuts += 1
                    self.limit = max(1.0, min(self.limit, self._in_flight) // 2)
            elif error is None and self._in_flight + 1 > self.limit:
                self.limit += 1 / self.limit
            self._in_flight -= 1

    def _rest(self, error: StoreUnavailable) -> None:
        until_s = self._clock() + min(error.retry_after_s, LONGEST_ASKED_S)
        self._closed_until_s = max(self._closed_until_s, until_s)


class _Passage:
    """A block for each request, which a generator would make dear."""

    __slots__ = ("_cuts", "_gate")

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __enter__(self) -> None:
        self._cuts = self._gate.enter()

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._gate.leave(self._cuts, error)


class PacedSource:
    """A :class:`~scripts.migration.store.Source` that is read no faster than it should be."""

    def __init__(self, source: Source, bandwidth: Bandwidth) -> None:
        self.name = source.name
        self.place = source.place
        self.location = source.location
        if bandwidth.bytes_per_s != math.inf and _is_here(source.location):
            self.location = None  # nobody copies from there but by reading, within the limit
        self._source = source
        self._bandwidth = bandwidth
        self._gate = Gate()

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield every object; other work may go on between two of them."""
        with self._gate.watching():
            yield from self._source.list_objects()

    def list_few(self, looked_for: int) -> list[StoredObject] | None:
        """Return every object if one request tells them."""
        with self._gate.watching():
            return self._source.list_few(looked_for)

    def layouts(self) -> frozenset[Layout]:
        """Return the layouts that are there."""
        with self._gate.watching():
            return self._source.layouts()

    def list_shard(
        self, shard: int, layouts: frozenset[Layout] = LAYOUTS
    ) -> Iterator[StoredObject]:
        """Yield the objects of one shard."""
        with self._gate.watching():
            yield from self._source.list_shard(shard, layouts)

    def read(self, item: StoredObject) -> Iterator[bytes]:
        """Yield the bytes of ``item``, each piece once it may have been moved."""
        pieces = self._read_pieces(item)
        return iter(list(pieces)) if is_small(item) else pieces

    def _read_pieces(self, item: StoredObject) -> Iterator[bytes]:
        with self._gate.passing():
            for chunk in self._source.read(item):
                self._bandwidth.take(len(chunk))
                yield chunk

    def list_runs(self) -> Iterator[RunEntry]:
        """Yield every entry of the run-cache."""
        with self._gate.watching():
            yield from self._source.list_runs()

    def list_top(self) -> Iterator[str]:
        """Yield the names at the top."""
        with self._gate.watching():
            yield from self._source.list_top()


class PacedStore(PacedSource):
    """A :class:`~scripts.migration.store.Store` that is used no faster than it should be.

    What is published is not counted: it was read from a source that did.
    """

    def __init__(self, store: Store, bandwidth: Bandwidth) -> None:
        super().__init__(store, bandwidth)
        self.is_batched = store.is_batched
        self._store = store

    def publish(
        self, item: StoredObject, chunks: Iterable[bytes], *, replace: bool = True
    ) -> Evidence:
        """Write ``item`` once ``chunks`` has ended well."""
        with self._gate.passing():
            return self._store.publish(item, chunks, replace=replace)

    def together(self) -> AbstractContextManager[None]:
        """Let what is published in the block become visible at its end."""
        return self._store.together()

    def copy_from(
        self, origin: Location | None, item: StoredObject, *, replace: bool = True
    ) -> ServerCopy:
        """Let the server copy ``item``: its bytes pass through nobody's line."""
        if origin is None or self.location is None or origin.server != self.location.server:
            return ServerCopy.UNABLE  # nobody is asked, so nobody waits for a place
        with self._gate.passing():
            return self._store.copy_from(origin, item, replace=replace)

    def processes(
        self, source: Source, advance: Advance, jobs: int, tuning: Tuning
    ) -> AbstractContextManager[Copier] | None:
        """Open processes that copy from ``source``, which tells where it is without a limit."""
        return self._store.processes(source, advance, jobs, tuning)

    def cautions(self) -> tuple[str, ...]:
        """Return what a person should know of the place."""
        return self._store.cautions()

    def require_writable(self) -> tuple[str, ...]:
        """Return what was found by asking, if objects may be written."""
        return self._store.require_writable()

    def remove(self, item: StoredObject) -> None:
        """Remove ``item``."""
        with self._gate.passing():
            self._store.remove(item)

    def clean(self, *, thorough: bool = True) -> int:
        """Remove what killed writers left over."""
        return self._store.clean(thorough=thorough)


def _is_here(location: Location | None) -> bool:
    return location is not None and location.server == THIS_MACHINE


def paced(stores: Stores, bandwidth: Bandwidth) -> Stores:
    """Return the same stores, all of them together within ``bandwidth``."""
    return replace(
        stores,
        source=paced_source(stores.source, bandwidth),
        target=PacedStore(stores.target, bandwidth),
        healers=tuple(paced_source(healer, bandwidth) for healer in stores.healers),
    )


def paced_source(source: Source, bandwidth: Bandwidth) -> Source:
    """Return the same source, within ``bandwidth``."""
    return ReadOnly(PacedSource(source, bandwidth))
