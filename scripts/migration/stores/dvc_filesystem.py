"""A DVC remote of any other kind, through the filesystem that DVC itself has for it.

What differs from kind to kind is how an object becomes visible in one step: some rename, others
show an upload once it is finished. Either way the bytes are collected here and checked first, so
that nothing unchecked is ever sent.
"""

from __future__ import annotations

import binascii
import re
import tempfile
import threading
import uuid
from base64 import b64decode
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from scripts.errors import ObjectMissing, StoreError, StoreUnavailable
from scripts.migration.model import LAYOUTS, Evidence, Layout, ServerCopy, StoredObject, object_at
from scripts.migration.run_entry import RunEntry, run_at
from scripts.migration.store import CHUNK_BYTES
from scripts.migration.stores.filesystem_errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from scripts.migration.model import Location
    from scripts.migration.store import Source
    from scripts.migration.transfer import Advance
    from scripts.migration.tuning import Tuning

RENAMING = frozenset({"ssh", "webdav", "webdavs", "hdfs", "webhdfs"})
"""The kinds whose files are written beside their place and renamed; they have directories."""
FINISHING = frozenset({"azure", "gs", "oss", "gdrive"})
"""The kinds whose uploads appear when they are finished; they have no directories to be missing."""
_INCOMING = ".slipway-incoming"
_SHARD = re.compile(r"[0-9a-f]{2}")
_SMALL_BYTES = 4 << 20
_LARGE_AT_ONCE = 4
"""So many larger objects take room on this machine's disk at once."""


class FilesystemStore:
    """A :class:`~scripts.migration.store.Store` on one of DVC's filesystems.

    Args:
        name: The remote's name in DVC's configuration.
        place: Its URL, for people; without a password.
        filesystem: DVC's, of one of the kinds above.
        root: The remote's path in it.
        may_be_new: Whether a directory that is not there, in one that is, is an empty store.
    """

    is_batched = False

    def __init__(
        self,
        name: str,
        place: str,
        filesystem: Any,  # noqa: ANN401  dvc ships no types
        root: str,
        *,
        may_be_new: bool = False,
    ) -> None:
        self.name = name
        self.place = place
        self.location: Location | None = None
        self._kind = str(filesystem.protocol)
        self._filesystem = filesystem
        self._root = root.rstrip("/")
        self._may_be_new = may_be_new
        self._has_published = False
        self._is_there = False
        self._large = threading.BoundedSemaphore(_LARGE_AT_ONCE)

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield every object; its checksum where the store computes MD5 itself (Google's does)."""
        top = self._top()
        current = self._names("files/md5") if "files" in top else []
        for directory in (*(f"files/md5/{name}" for name in current), *top):
            if _SHARD.fullmatch(directory.rpartition("/")[2]):
                yield from self._list_directory(directory)

    def list_few(self, looked_for: int) -> None:
        """Return nothing: how many requests a listing takes is not told."""

    def layouts(self) -> frozenset[Layout]:
        """Return the layouts that are there."""
        top = self._top()
        found = {Layout.LEGACY} if any(map(_SHARD.fullmatch, top)) else set()
        return frozenset(found | {Layout.CURRENT} if "files" in top else found)

    def list_shard(
        self, shard: int, layouts: frozenset[Layout] = LAYOUTS
    ) -> Iterator[StoredObject]:
        """Yield the objects of one shard."""
        is_empty = True
        for layout in Layout:
            if layout in layouts:
                for item in self._list_directory(f"{layout.value}{shard:02x}"):
                    is_empty = False
                    yield item
        if is_empty and not self._is_there:
            self._top()  # raises if it should be

    def _list_directory(self, directory: str) -> Iterator[StoredObject]:
        for entry in self._entries(directory):
            item = object_at(f"{directory}/{_name_of(entry)}")
            if item is None or entry.get("type") == "directory":
                continue
            size_bytes = entry.get("size")
            if size_bytes is None or entry.get("type") == "link":
                with translated(self.name, item.key):
                    size_bytes = self._open_filesystem().info(self._path(item.key))["size"]
            yield StoredObject(item.oid, item.layout, int(size_bytes), self._md5_of(entry))

    def _md5_of(self, entry: dict[str, Any]) -> str | None:
        """Return the MD5 that Google computes of what it keeps; others tell what they were told."""
        told = entry.get("md5Hash") if self._kind == "gs" else None
        try:
            return b64decode(told, validate=True).hex() if told else None
        except binascii.Error:
            return None

    def _top(self) -> list[str]:
        """Return the names at the top.

        Raises:
            StoreError: There is no such directory, though there should be.
        """
        try:
            with translated(self.name, "", self.place):
                top = sorted(_name_of(entry) for entry in self._listed(self._root))
        except ObjectMissing as error:
            if self._kind in FINISHING or (self._may_be_new and self._is_in_a_directory()):
                return []
            raise StoreError(
                f"{self.name}: there is no directory {self.place}.",
                hint="`dvc remote list` shows where each remote is; create it, or mend its url.",
            ) from error
        self._is_there = True
        return top

    def _is_in_a_directory(self) -> bool:
        parent = self._root.rpartition("/")[0]
        with translated(self.name, "", self.place):
            return bool(self._root) and bool(self._open_filesystem().isdir(parent or "/"))

    def _names(self, directory: str) -> list[str]:
        return sorted(_name_of(entry) for entry in self._entries(directory))

    def _entries(self, directory: str) -> list[dict[str, Any]]:
        try:
            with translated(self.name, directory):
                return self._listed(self._path(directory))
        except ObjectMissing:
            return []

    def _listed(self, path: str) -> list[dict[str, Any]]:
        filesystem = self._open_filesystem()
        filesystem.invalidate_cache(path)  # some remember what they listed
        return list(filesystem.ls(path, detail=True))

    def _open_filesystem(self) -> Any:  # noqa: ANN401
        """Return fsspec's filesystem; some connect when it is first asked for."""
        return self._filesystem.fs

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}" if self._root or self._kind == "ssh" else key

    def read(self, item: StoredObject) -> Iterator[bytes]:
        """Yield the bytes of ``item``."""
        with translated(self.name, item.key):
            stream = self._open_filesystem().open(self._path(item.key), "rb")
        with stream:
            while True:
                with translated(self.name, item.key):
                    chunk = stream.read(CHUNK_BYTES)
                if not chunk:
                    return
                yield chunk

    def list_runs(self) -> Iterator[RunEntry]:
        """Yield every entry of the run-cache, without a checksum."""
        for shard in self._names("runs"):
            for stage in self._names(f"runs/{shard}"):
                for entry in self._entries(f"runs/{shard}/{stage}"):
                    found = run_at(f"runs/{shard}/{stage}/{_name_of(entry)}")
                    if found is not None and entry.get("type") != "directory":
                        yield RunEntry(found.oid, found.layout, int(entry["size"]))

    def list_top(self) -> Iterator[str]:
        """Yield the names at the top."""
        try:
            with translated(self.name, "", self.place):
                entries = self._listed(self._root)
        except ObjectMissing:
            return
        for entry in entries:
            yield f"{_name_of(entry)}/" if entry.get("type") == "directory" else _name_of(entry)

    def publish(
        self,
        item: StoredObject,
        chunks: Iterable[bytes],
        *,
        replace: bool = True,  # noqa: ARG002  these filesystems cannot tell
    ) -> Evidence:
        """Collect ``chunks``, and send them once they have ended well."""
        self._has_published = True
        is_large = (item.size_bytes or 0) > _SMALL_BYTES
        with self._large if is_large else nullcontext(), _collecting() as collected:
            for chunk in chunks:
                _keep(collected, chunk)
            with translated(self.name, item.key):
                self._send(Path(collected.name), self._path(item.key))
        return Evidence.HASHED_IN_FLIGHT

    def together(self) -> AbstractContextManager[None]:
        """Publish one by one: a server answers when an object is kept."""
        return nullcontext()

    def _send(self, checked: Path, final: str) -> None:
        filesystem = self._open_filesystem()
        if self._kind in FINISHING:
            filesystem.put_file(str(checked), final)
            return
        incoming = self._path(f"{_INCOMING}/{uuid.uuid4().hex}")
        try:
            filesystem.put_file(str(checked), incoming)
            self._require_whole(incoming, checked.stat().st_size)
            filesystem.makedirs(final.rpartition("/")[0], exist_ok=True)
            self._rename(incoming, final)
        except FileNotFoundError as error:
            raise StoreUnavailable(
                f"{self.name}: another migration removed a file that was being written."
            ) from error
        except BaseException:
            self._remove_quietly(incoming)
            raise

    def _require_whole(self, path: str, size_bytes: int) -> None:
        kept_bytes = self._open_filesystem().info(path)["size"]
        if kept_bytes != size_bytes:
            raise StoreUnavailable(f"{self.name}: {kept_bytes} of {size_bytes} bytes arrived.")

    def _rename(self, incoming: str, final: str) -> None:
        filesystem = self._open_filesystem()
        if self._kind in {"webdav", "webdavs"}:  # fsspec's own would copy and delete
            filesystem.client.move(incoming, final, overwrite=True)
            return
        if self._kind in {"hdfs", "webhdfs"} and filesystem.exists(final):
            self._remove(final)  # they do not rename onto what is there
        filesystem.mv(incoming, final)

    def _remove(self, path: str) -> None:
        filesystem = self._open_filesystem()
        if self._kind == "azure":  # its filesystem can remove several at once only
            filesystem.rm([path])
        else:
            filesystem.rm_file(path)

    def _remove_quietly(self, path: str) -> None:
        try:
            self._remove(path)
        except Exception:  # noqa: BLE001  what went wrong before is told; this is left for `clean`
            return

    def copy_from(
        self,
        origin: Location | None,  # noqa: ARG002  nothing is known of its server
        item: StoredObject,  # noqa: ARG002
        *,
        replace: bool = True,  # noqa: ARG002
    ) -> ServerCopy:
        """Copy nothing."""
        return ServerCopy.UNABLE

    def processes(self, source: Source, advance: Advance, jobs: int, tuning: Tuning) -> None:
        """Return nothing: threads wait for the server."""

    def cautions(self) -> tuple[str, ...]:
        """Return nothing: such a place has no rules of its own."""
        return ()

    def require_writable(self) -> tuple[str, ...]:
        """Write a small file where no object lies, and remove it."""
        self._top()
        probe = self._path(f"{_INCOMING}/{uuid.uuid4().hex}")
        with translated(self.name, "", self.place):
            filesystem = self._open_filesystem()
            filesystem.makedirs(probe.rpartition("/")[0], exist_ok=True)
            filesystem.pipe_file(probe, b"x")
            self._remove(probe)
        return ()

    def remove(self, item: StoredObject) -> None:
        """Remove ``item``."""
        try:
            with translated(self.name, item.key):
                self._remove(self._path(item.key))
        except ObjectMissing:
            return

    def clean(self, *, thorough: bool = True) -> int:  # noqa: ARG002  one look shows all
        """Remove what was being written before this store wrote anything.

        Whose it is cannot be told. Another migration whose file is taken away writes it again.
        """
        if self._has_published:
            return 0
        left = self._names(_INCOMING) if _INCOMING in self._top() else []
        for name in left:
            self._remove_quietly(self._path(f"{_INCOMING}/{name}"))
        return len(left)


@contextmanager
def _collecting() -> Iterator[IO[bytes]]:
    try:
        collected = tempfile.NamedTemporaryFile(prefix="slipway-", buffering=0)  # noqa: SIM115
    except OSError as error:
        raise _no_room(error) from error
    with collected:
        yield collected


def _keep(collected: IO[bytes], chunk: bytes) -> None:
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[collected.write(rest) :]
    except OSError as error:
        raise _no_room(error) from error


def _no_room(error: OSError) -> StoreError:
    return StoreError(
        f"An object cannot be collected in {tempfile.gettempdir()}: {error.strerror}.",
        hint="Make room there, or name another directory with TMPDIR.",
    )


def _name_of(entry: dict[str, Any]) -> str:
    return str(entry["name"]).rstrip("/").rpartition("/")[2]
