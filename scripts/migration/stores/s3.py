"""A DVC remote in an S3 bucket, over obstore."""

from __future__ import annotations

import hashlib
import re
import threading
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from scripts.errors import ObjectMissing
from scripts.migration.block_copy import BlockCopier
from scripts.migration.model import (
    LAYOUTS,
    Evidence,
    Layout,
    ServerCopy,
    StoredObject,
    object_at,
)
from scripts.migration.overlap import LARGE_BYTES, in_order
from scripts.migration.run_entry import RunEntry, run_at
from scripts.migration.store import CHUNK_BYTES, is_small
from scripts.migration.stores.conditions import Creates
from scripts.migration.stores.multipart import Composite, KnownEtags
from scripts.migration.stores.s3_errors import (
    is_full,
    is_not_implemented,
    refusal_of,
    translated,
)
from scripts.migration.stores.server_copy import INCOMING
from scripts.migration.tuning import PRODUCTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from obstore.store import S3Store as Bucket

    from scripts.migration.block_copy import Copier
    from scripts.migration.model import Location
    from scripts.migration.store import Source
    from scripts.migration.stores.bucket_rules import BucketRules
    from scripts.migration.stores.conditions import Conditions
    from scripts.migration.stores.copy_workers import CopyWorkers
    from scripts.migration.stores.server_copy import ServerCopies
    from scripts.migration.stores.streamed import Streamed
    from scripts.migration.stores.uploads import Uploads
    from scripts.migration.transfer import Advance
    from scripts.migration.tuning import Tuning

_SHARD = re.compile(r"[0-9a-f]{2}")
_PLAIN_ETAG = re.compile(r"[0-9a-f]{32}")
PART_BYTES = 8 << 20
"""An object of up to one part is held in memory and goes up whole: its ETag is its MD5."""
_MOST_PARTS = 9_000
"""S3 takes 10,000; a part grows with an object of more than 72 GB."""
_LARGE_AT_ONCE = 2
_PARTS_AT_ONCE = 2
"""With ``_LARGE_AT_ONCE`` it bounds the memory of uploads: 2 x (2 + 1) parts."""


class S3Store:
    """A :class:`~scripts.migration.store.Store` in a bucket.

    Args:
        name: The remote's name in DVC's configuration.
        place: Its URL, for people.
        bucket: obstore's client, its prefix set to the remote's path.
        uploads: What killed writers left over there; ``None`` if that cannot be asked for.
        copies: What the server copies by itself; ``None`` if that cannot be asked for.
        copy_in_processes: Opens so many processes that ask for that, for so many threads.
        location: Where it is, for other stores on the same server.
        known: What ETags of objects in parts tell.
        rules: What the bucket does by itself; ``None`` if that cannot be asked for.
        conditions: Whether it creates only what is new; ``None`` if that cannot be asked for.
        with_checksums: obstore's client again, which sends a checksum with each object.
        streamed: Puts whole what is large; ``None`` if all that is large is to go in parts.
        tuning: How much a listing tells at once, and what is too large to go whole.
    """

    is_batched = False

    def __init__(
        self,
        name: str,
        place: str,
        bucket: Bucket,
        uploads: Uploads | None = None,
        *,
        copies: ServerCopies | None = None,
        copy_in_processes: Callable[[int, int], CopyWorkers] | None = None,
        location: Location | None = None,
        known: KnownEtags | None = None,
        rules: BucketRules | None = None,
        conditions: Conditions | None = None,
        with_checksums: Bucket | None = None,
        streamed: Streamed | None = None,
        tuning: Tuning = PRODUCTION,
    ) -> None:
        self.name = name
        self.place = place
        self.location = location
        self._copies = copies
        self._copied_by: ServerCopies | CopyWorkers | None = copies
        self._copy_in_processes = copy_in_processes
        self._rules = rules
        self._conditions = conditions
        self._with_checksums = with_checksums
        self._streamed = streamed
        self._tuning = tuning
        self._bucket = bucket
        self._uploads = uploads
        self._has_published = False
        self._creates = True
        """Whether ``If-None-Match`` is sent: not to a server that refuses it."""
        self._found: tuple[str, ...] | None = None
        self._composes = True
        """Whether the server's ETags of uploads in parts tell of parts; some tell the MD5."""
        self._large = threading.BoundedSemaphore(_LARGE_AT_ONCE)
        self._sent: dict[str, str] = {}
        """The ETags of what this store sent itself, by key, where they are not the object's name:
        those of parts, and of text that is named by other line ends."""
        self._known = known or KnownEtags()

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield every object; its checksum where the ETag tells the MD5 of the whole.

        Of an upload in parts it does if the same bytes were sent from here in the same parts. What
        others sent has parts of unknown size, so its ETag tells nothing.
        """
        top = self._prefixes_below(None)
        if "files" in top:
            yield from self._list_below("files/md5")
        for prefix in filter(_SHARD.fullmatch, top):
            yield from self._list_below(prefix)

    def list_few(self, looked_for: int) -> list[StoredObject] | None:
        """Return every object if they fill no page of the bucket's listing."""
        most = self._tuning.page_objects
        if looked_for > most:
            return None
        with translated(self.place, self.name):
            page = next(obstore.list(self._bucket, None, chunk_size=most), [])
        return None if len(page) >= most else list(self._objects_of(page))

    def layouts(self) -> frozenset[Layout]:
        """Return the layouts that are there."""
        top = self._prefixes_below(None)
        found = {Layout.LEGACY} if any(map(_SHARD.fullmatch, top)) else set()
        return frozenset(found | {Layout.CURRENT} if "files" in top else found)

    def list_shard(
        self, shard: int, layouts: frozenset[Layout] = LAYOUTS
    ) -> Iterator[StoredObject]:
        """Yield the objects of one shard."""
        for layout in Layout:
            if layout in layouts:
                yield from self._list_below(f"{layout.value}{shard:02x}")

    def _list_below(self, prefix: str) -> Iterator[StoredObject]:
        yield from self._objects_of(self._list(prefix))

    def _objects_of(self, listed: Iterable[Any]) -> Iterator[StoredObject]:
        for meta in listed:
            item = object_at(meta["path"])
            if item is not None:
                etag, md5 = (meta["e_tag"] or "").strip('"'), item.md5
                checksum = md5 if etag == md5 else self._md5_of(item, etag)
                yield StoredObject(item.oid, item.layout, meta["size"], checksum)

    def _md5_of(self, item: StoredObject, etag: str) -> str | None:
        if etag and self._sent.get(item.key) == etag:
            return item.md5
        return etag if _PLAIN_ETAG.fullmatch(etag) else self._known.md5_of(etag)

    def _prefixes_below(self, prefix: str | None) -> list[str]:
        with translated(self.place, self.name):
            return sorted(obstore.list_with_delimiter(self._bucket, prefix)["common_prefixes"])

    def _list(self, prefix: str) -> Iterator[Any]:
        with translated(self.place, self.name):
            for page in obstore.list(self._bucket, prefix, chunk_size=self._tuning.page_objects):
                yield from page

    def read(self, item: StoredObject) -> Iterator[bytes]:
        """Yield the bytes of ``item``, each piece by a request of its own, some at once.

        No request lasts long, so a time limit on requests does not limit the size of objects.
        """
        size_bytes = item.size_bytes
        if size_bytes is None or size_bytes <= CHUNK_BYTES:
            content = b""
            with translated(self.place, self.name, item.key):
                answer = obstore.get(self._bucket, item.key)
                size_bytes = answer.meta["size"]
                if size_bytes <= CHUNK_BYTES:
                    content = answer.bytes().to_bytes()
            if size_bytes <= CHUNK_BYTES:
                yield content
                return

        def fetch(start: int) -> bytes:
            end = min(start + CHUNK_BYTES, size_bytes)
            with translated(self.place, self.name, item.key):
                return obstore.get_range(self._bucket, item.key, start=start, end=end).to_bytes()

        steps = [partial(fetch, start) for start in range(0, size_bytes, CHUNK_BYTES)]
        yield from in_order(steps, is_worth_it=size_bytes >= LARGE_BYTES)

    def list_runs(self) -> Iterator[RunEntry]:
        """Yield every entry of the run-cache; its checksum where the ETag tells it."""
        for meta in self._list("runs"):
            etag = (meta["e_tag"] or "").strip('"')
            checksum = etag if _PLAIN_ETAG.fullmatch(etag) else None
            entry = run_at(meta["path"], meta["size"], checksum)
            if entry is not None:
                yield entry

    def list_top(self) -> Iterator[str]:
        """Yield the names at the top."""
        with translated(self.place, self.name):
            listed = obstore.list_with_delimiter(self._bucket, None)
        yield from (f"{prefix}/" for prefix in listed["common_prefixes"])
        yield from (meta["path"] for meta in listed["objects"])

    def publish(
        self, item: StoredObject, chunks: Iterable[bytes], *, replace: bool = True
    ) -> Evidence:
        """Write ``item``: in one request, by obstore or as it is read, or in parts if it is huge.

        What is not to be replaced is created with ``If-None-Match: *``. obstore knows no such
        condition for an upload in parts, which therefore replaces.

        The server makes an upload in parts visible only when it is completed, and obstore aborts it
        when ``chunks`` raises. What is damaged on the way is refused, by TLS or as a request is
        signed with the SHA-256 or the MD5 of its body, and is no evidence: its ETag is another.
        """
        self._has_published = True
        if is_small(item):
            return self._publish_whole(item, b"".join(chunks), replace=replace)
        size_bytes = item.size_bytes or 0
        goes_whole = PART_BYTES < size_bytes <= self._tuning.most_whole_bytes
        if goes_whole and self._streamed is not None and self._streamed.takes(item):
            with translated(self.place, self.name, item.key):
                told = self._streamed.put(item, chunks, creates=self._creates and not replace)
            return Evidence.NONE if told is None else self._evidence(item, told, item.md5)
        pieces = iter(chunks)
        with self._large if size_bytes else nullcontext():
            head, is_all = _first_part(pieces)
            if is_all:
                return self._publish_whole(item, b"".join(head), replace=replace)
            with translated(self.place, self.name, item.key):
                told, sent = self._put_parts(item, _again(head, pieces))
        return self._evidence(item, told, sent)

    def _publish_whole(self, item: StoredObject, content: bytes, *, replace: bool) -> Evidence:
        with translated(self.place, self.name, item.key):
            told = self._put_whole(item.key, content, replace=replace)
        return Evidence.NONE if told is None else self._evidence(item, told, _md5_of(item, content))

    def _evidence(self, item: StoredObject, told: str, sent: str) -> Evidence:
        """Return what it proves that the server told the ETag ``told`` where ``sent`` is right."""
        if not sent or told.strip('"') != sent:
            return Evidence.HASHED_IN_FLIGHT
        if sent != item.md5:
            self._sent[item.key] = sent
            if "-" in sent and item.layout is Layout.CURRENT:  # else named by other line ends
                self._known.add(sent, item.md5)
        return Evidence.STORE_CHECKSUM

    def _put_parts(self, item: StoredObject, pieces: Iterator[bytes]) -> tuple[str, str]:
        """Return the ETag that the server gave, and the one that right bytes have."""
        part_bytes = max(PART_BYTES, (item.size_bytes or 0) // _MOST_PARTS)
        composite = Composite(part_bytes)
        is_watched = self._composes
        told = obstore.put(
            self._bucket, item.key, composite.watch(pieces) if is_watched else pieces,
            use_multipart=True, chunk_size=part_bytes, max_concurrency=_PARTS_AT_ONCE,
        )["e_tag"] or ""  # fmt: skip
        self._composes = "-" in (told or "-")
        if not self._composes and item.layout is Layout.CURRENT:
            return told, item.md5
        return told, composite.etag() if is_watched else ""

    def _put_whole(self, key: str, content: bytes, *, replace: bool) -> str | None:
        """Return the ETag that the server gave, empty for none; ``None`` if it had one before."""
        if not replace and self._creates:
            try:
                return obstore.put(self._bucket, key, content, mode="create")["e_tag"] or ""
            except AlreadyExistsError:
                return None
            except BaseError as error:
                if not is_not_implemented(error):
                    raise
                self._creates = False
        return obstore.put(self._bucket, key, content, use_multipart=False)["e_tag"] or ""

    def together(self) -> AbstractContextManager[None]:
        """Publish one by one: a server answers when an object is kept."""
        return nullcontext()

    def copy_from(
        self, origin: Location | None, item: StoredObject, *, replace: bool = True
    ) -> ServerCopy:
        """Let the server copy ``item``; see :class:`~.server_copy.ServerCopies`."""
        if self._copied_by is None or origin is None:
            return ServerCopy.UNABLE
        self._has_published = True
        return self._copied_by.copy(item, origin, replace=replace)

    def processes(
        self, source: Source, advance: Advance, jobs: int, tuning: Tuning
    ) -> AbstractContextManager[Copier] | None:
        """Return a process for each processor where the server copies; else threads wait for it."""
        from scripts.migration.stores.processes import count_of  # noqa: PLC0415  seldom needed

        here, there, count = self.location, source.location, count_of(jobs, tuning)
        if here is None or there is None or here.server != there.server or count < 2:
            return None
        if self._copy_in_processes is None:
            return None
        return self._copying(self._copy_in_processes(count, jobs), source, advance, jobs)

    @contextmanager
    def _copying(
        self, workers: CopyWorkers, source: Source, advance: Advance, jobs: int
    ) -> Iterator[Copier]:
        """Copy in threads that have processes ask for the server's copies."""
        with workers:
            self._copied_by = workers
            try:
                yield BlockCopier({"": source}, self, advance, jobs)
            finally:
                self._copied_by = self._copies

    def cautions(self) -> tuple[str, ...]:
        """Return what the bucket itself will do with objects; see :mod:`.bucket_rules`."""
        return self._rules.cautions() if self._rules else ()

    def require_writable(self) -> tuple[str, ...]:
        """Ask whether objects may be put there, and whether only what is new is created.

        One that is created to see this is removed again. Where the bucket would retain it, or does
        not let it be, an upload is begun and aborted instead: that needs the right to write, and
        nothing is written. From here on objects are sent with a checksum where the bucket's
        retention wants one.
        """
        if self._found is None:
            creates = self._ask()
            self._creates = creates is not Creates.REFUSED
            self._found = creates.cautions(self.name)
        return self._found

    def _ask(self) -> Creates:
        creates, trouble = Creates.UNKNOWN, None
        if self._rules is not None and self._rules.needs_checksums:
            self._bucket = self._with_checksums or self._bucket
        elif self._conditions is not None:
            creates, trouble = self._conditions.ask()
        if creates is Creates.UNKNOWN:
            if not is_full(trouble):  # else it may be the one key that is refused
                trouble = self._uploads.trouble() if self._uploads else None
            refusal = refusal_of(trouble, self.place, self.name)
            if refusal is not None:
                raise refusal from trouble
        return creates

    def remove(self, item: StoredObject) -> None:
        """Remove ``item``; a bucket with versions keeps its bytes until they expire."""
        try:
            with translated(self.place, self.name, item.key):
                obstore.delete(self._bucket, item.key)
        except ObjectMissing:
            return  # some servers say so; it is what was wanted

    def clean(self, *, thorough: bool = True) -> int:
        """Abort what was unfinished before this store wrote anything: uploads, copies beside.

        The server does not tell whose they are. Another migration whose upload is taken away writes
        that object again, and that upload is left alone, being younger.
        """
        if self._has_published:
            return 0
        if not thorough and INCOMING.rstrip("/") not in self._prefixes_below(None):
            return 0
        copies = self._copies.clean() if self._copies else 0
        return copies + (self._uploads.abort_all() if self._uploads else 0)


def _md5_of(item: StoredObject, content: bytes) -> str:
    """Return the MD5 of an object's checked bytes: its name, but for text with other line ends."""
    if item.layout is Layout.CURRENT:
        return item.md5
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _again(head: list[bytes], pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield ``head``, keeping nothing of it, and then the other pieces."""
    while head:
        yield head.pop(0)
    yield from pieces


def _first_part(pieces: Iterator[bytes]) -> tuple[list[bytes], bool]:
    """Take pieces until they are more than one part; return them, and whether they are all."""
    head = []
    head_bytes = 0
    for piece in pieces:
        head.append(piece)
        head_bytes += len(piece)
        if head_bytes > PART_BYTES:
            return head, False
    return head, True
