"""A DVC remote in an S3 bucket, over obstore."""

from __future__ import annotations

import itertools
import re
import threading
from contextlib import nullcontext
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Any

from scripts.errors import AccessDenied, ObjectMissing
from scripts.migration.model import LAYOUTS, Layout, StoredObject, object_at
from scripts.migration.run_entry import RunEntry, run_at
from scripts.migration.store import CHUNK_BYTES
from scripts.migration.stores.multipart import Composite
from scripts.migration.stores.s3_errors import is_not_implemented, translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from obstore.store import S3Store as Bucket

    from scripts.migration.stores.uploads import Uploads

_SHARD = re.compile(r"[0-9a-f]{2}")
_PLAIN_ETAG = re.compile(r"[0-9a-f]{32}")
_LISTING_PAGE = 1000
PART_BYTES = 8 << 20
"""An object of up to one part goes up whole, so that its ETag is its MD5."""
_MOST_PARTS = 9_000
"""S3 takes 10,000; a part grows with an object of more than 72 GB."""
_LARGE_BYTES = 1 << 20
_LARGE_AT_ONCE = 4
_PARTS_AT_ONCE = 3
"""With ``_LARGE_AT_ONCE`` it bounds the memory of uploads: 4 x (3 + 1) parts."""


class S3Store:
    """A :class:`~scripts.migration.store.Store` in a bucket.

    Args:
        name: The remote's name in DVC's configuration.
        place: Its URL, for people.
        bucket: obstore's client, its prefix set to the remote's path.
        uploads: What killed writers left over there; ``None`` if that cannot be asked for.
    """

    def __init__(
        self, name: str, place: str, bucket: Bucket, uploads: Uploads | None = None
    ) -> None:
        self.name = name
        self.place = place
        self._bucket = bucket
        self._uploads = uploads
        self._has_published = False
        self._creates = True
        """Whether the server takes ``If-None-Match``; one that ignores it does no harm."""
        self._large = threading.BoundedSemaphore(_LARGE_AT_ONCE)
        self._sent: dict[str, str] = {}
        """The MD5 of the whole by the ETag of its parts, of what this store sent itself."""

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield every object; its checksum where the ETag tells the MD5 of the whole.

        Of an upload in parts it does if this store sent the same bytes in the same parts. An
        object that another run sent has parts of unknown size, so its ETag tells nothing.
        """
        top = self._prefixes_below(None)
        if "files" in top:
            yield from self._list_below("files/md5")
        for prefix in filter(_SHARD.fullmatch, top):
            yield from self._list_below(prefix)

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
        for meta in self._list(prefix):
            item = object_at(meta["path"])
            if item is not None:
                checksum = self._md5_of((meta["e_tag"] or "").strip('"'))
                yield StoredObject(item.oid, item.layout, meta["size"], checksum)

    def _md5_of(self, etag: str) -> str | None:
        return etag if _PLAIN_ETAG.fullmatch(etag) else self._sent.get(etag)

    def _prefixes_below(self, prefix: str | None) -> list[str]:
        import obstore  # noqa: PLC0415

        with translated(self.place, self.name):
            return sorted(obstore.list_with_delimiter(self._bucket, prefix)["common_prefixes"])

    def _list(self, prefix: str) -> Iterator[Any]:
        import obstore  # noqa: PLC0415

        with translated(self.place, self.name):
            for page in obstore.list(self._bucket, prefix, chunk_size=_LISTING_PAGE):
                yield from page

    def read(self, item: StoredObject) -> Iterator[bytes]:
        """Yield the bytes of ``item``, each piece by a request of its own.

        No request lasts long, so a time limit on requests does not limit the size of objects.
        """
        import obstore  # noqa: PLC0415

        size_bytes = item.size_bytes
        if size_bytes is None or size_bytes <= CHUNK_BYTES:
            with translated(self.place, self.name, item.key):
                content = obstore.get(self._bucket, item.key).bytes().to_bytes()
            yield content
            return
        for start in range(0, size_bytes, CHUNK_BYTES):
            end = min(start + CHUNK_BYTES, size_bytes)
            with translated(self.place, self.name, item.key):
                piece = obstore.get_range(self._bucket, item.key, start=start, end=end).to_bytes()
            yield piece

    def list_runs(self) -> Iterator[RunEntry]:
        """Yield every entry of the run-cache; its checksum where the ETag tells it."""
        for meta in self._list("runs"):
            entry = run_at(meta["path"])
            if entry is not None:
                checksum = self._md5_of((meta["e_tag"] or "").strip('"'))
                yield replaced(entry, size_bytes=meta["size"], checksum=checksum)

    def list_top(self) -> Iterator[str]:
        """Yield the names at the top."""
        import obstore  # noqa: PLC0415

        with translated(self.place, self.name):
            listed = obstore.list_with_delimiter(self._bucket, None)
        yield from (f"{prefix}/" for prefix in listed["common_prefixes"])
        yield from (meta["path"] for meta in listed["objects"])

    def publish(self, item: StoredObject, chunks: Iterable[bytes], *, replace: bool = True) -> bool:
        """Write ``item``: in one request if it is small, else in parts.

        What is not to be replaced is created with ``If-None-Match: *``. obstore knows no such
        condition for an upload in parts, which therefore replaces.

        The server makes an upload in parts visible only when it is completed, and obstore aborts it
        when ``chunks`` raises. Requests are signed with the SHA-256 of their body, so what is
        damaged on the way is refused.
        """
        import obstore  # noqa: PLC0415

        size_bytes = item.size_bytes or 0
        pieces = iter(chunks)
        self._has_published = True
        with self._large if size_bytes > _LARGE_BYTES else nullcontext():
            head, is_all = _first_part(pieces)
            with translated(self.place, self.name, item.key):
                if is_all:
                    return self._put_whole(item.key, b"".join(head), replace=replace)
                part_bytes = max(PART_BYTES, size_bytes // _MOST_PARTS)
                composite = Composite(part_bytes)
                obstore.put(
                    self._bucket, item.key, composite.watch(itertools.chain(head, pieces)),
                    use_multipart=True, chunk_size=part_bytes, max_concurrency=_PARTS_AT_ONCE,
                )  # fmt: skip
        if item.layout is Layout.CURRENT:  # else its name is that of other line ends
            self._sent[composite.etag()] = item.md5
        return True

    def _put_whole(self, key: str, content: bytes, *, replace: bool) -> bool:
        import obstore  # noqa: PLC0415
        from obstore.exceptions import AlreadyExistsError, BaseError  # noqa: PLC0415

        if not replace and self._creates:
            try:
                obstore.put(self._bucket, key, content, mode="create")
            except AlreadyExistsError:
                return False
            except BaseError as error:
                if not is_not_implemented(error):
                    raise
                self._creates = False
            else:
                return True
        obstore.put(self._bucket, key, content, use_multipart=False)
        return True

    def require_writable(self) -> None:
        """Begin an upload and abort it: that needs the right to write, and nothing is written."""
        if self._uploads is not None and self._uploads.is_refused():
            raise AccessDenied(
                f"{self.name} ({self.place}): the store refuses to be written to.",
                hint="The keys need the right to put objects there (s3:PutObject).",
            )

    def remove(self, item: StoredObject) -> None:
        """Remove ``item``; a bucket with versions keeps its bytes until they expire."""
        import obstore  # noqa: PLC0415

        try:
            with translated(self.place, self.name, item.key):
                obstore.delete(self._bucket, item.key)
        except ObjectMissing:
            return  # some servers say so; it is what was wanted

    def clean(self) -> int:
        """Abort the unfinished uploads that were there before this store wrote anything.

        The server does not tell whose they are. Another migration whose upload is taken away writes
        that object again, and that upload is left alone, being younger.
        """
        if self._uploads is None or self._has_published:
            return 0
        return self._uploads.abort_all()


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
