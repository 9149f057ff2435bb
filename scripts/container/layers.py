"""The layers of images, searched as the engine hands them out: nothing is unpacked to the disk.

`docker save` is the only way to all layers that every engine has. It prepares a whole image before
it prints the first byte, so that only what is new is asked for (:mod:`.searched`).
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sys
import tarfile
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any, Callable, cast

from scripts import process
from scripts.container.places import CHUNK_BYTES, Place, Search, chunks_of, short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts.container.needles import Hit, Needles
    from scripts.progress import Phase, Progress

    Parts = Iterator[tuple[tarfile.TarInfo, io.BufferedReader]]

NAME = "image layers"
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_UNPACK: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
"""How packed layers begin, and what reads them; Python 3.9 reads no zstandard."""
_ZSTANDARD = b"\x28\xb5\x2f\xfd"
_F_SETPIPE_SZ = 1031
"""Linux's own number; Python names it from 3.10 on."""


def layers_of(images: Sequence[str]) -> frozenset[str]:
    """Return the digests of all layers of these images."""
    if not images:
        return frozenset()
    listed = ["docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", *images]
    lines = process.run(listed).stdout.splitlines()
    return frozenset(digest for line in lines for digest in json.loads(line) or ())


def search_layers(
    images: Sequence[str],
    needles: Needles,
    progress: Progress,
    clean: frozenset[str] = frozenset(),
) -> Place:
    """Search every layer, and so every file, those that a later layer removes too.

    Files that are packed themselves are searched as they are.

    Args:
        images: Identifiers of the images.
        needles: What is looked for.
        progress: Told how far it is.
        clean: Digests of images and layers that are known to hold none of the needles.

    Raises:
        CommandFailed: The engine does not give what it holds.
    """
    new = [image for image in images if image not in clean]
    before = set(layers_of([image for image in images if image in clean]))
    if not new:
        return Place(NAME, 0, searched_before=len(before))
    sizes = process.run(["docker", "image", "inspect", "--format", "{{.Size}}", *new]).stdout
    total = sum(map(int, sizes.split()))
    with progress.phase("searching image layers", total=total, unit="bytes") as phase:
        search = Search(needles, phase)
        with _saved(new) as parts:
            for member, part in parts:
                digest = f"sha256:{member.name.rpartition('/')[2]}"
                if digest in clean:
                    before.add(digest)
                    phase.advance(member.size)
                else:
                    search_part(search, member.name, part)
    place = search.place(NAME, searched_before=len(before))
    if not place.found:
        return place
    return replace(place, found=_by_file(new, place.found, needles, progress))


def search_part(search: Search, name: str, part: io.BufferedReader) -> None:
    """Search one part of a saved image: a layer, or a description.

    An archive of files is searched as one stream: it holds each of them, and their names, in one
    piece. That takes a fraction of the time that it takes to read it file by file.
    """
    if part.peek(len(_ZSTANDARD)).startswith(_ZSTANDARD):
        search.skip(f"{_where(name, part)}: it is packed with zstandard")
        return
    content = _unpacked(part)
    search.look(_where(name, content), chunks_of(content))


def _by_file(
    images: Sequence[str],
    found: Mapping[str, frozenset[Hit]],
    needles: Needles,
    progress: Progress,
) -> Mapping[str, frozenset[Hit]]:
    """Read the layers again in which something stands, and return in which files it does."""
    named: dict[str, frozenset[Hit]] = {}
    with progress.phase("finding the files") as phase, _saved(images) as parts:
        for member, part in parts:
            content = _unpacked(part)
            where = _where(member.name, content)
            if where in found:
                files = _found_in_files(where, content, needles, phase) if _is_tar(content) else {}
                named.update(files or {where: found[where]})
    return named


def _found_in_files(
    layer: str, content: IO[bytes], needles: Needles, phase: Phase
) -> Mapping[str, frozenset[Hit]]:
    search = Search(needles)
    with _archive(content) as files:
        for member in files:
            search.look_at(f"{layer}, a name", f"{member.name} {member.linkname}")
            file = files.extractfile(member) if member.isreg() else None
            if file is not None:
                search.look(f"{layer}, file /{member.name}", chunks_of(file))
            phase.advance()
    return search.place(NAME).found


@contextmanager
def _saved(images: Sequence[str]) -> Iterator[Parts]:
    with process.streamed(["docker", "save", *images]) as stream:
        _widen(stream)
        yield parts_of(stream)


def parts_of(stream: IO[bytes]) -> Parts:
    """Yield the files of an archive that is a stream; what is left unread of one is skipped."""
    forward = _Forward(stream)
    with tarfile.open(fileobj=cast("IO[bytes]", forward), mode="r:") as saved:
        for member in saved:
            if member.isreg():
                yield member, io.BufferedReader(_Part(forward, member.size))


class _Forward:
    """A stream that tells its place and seeks forward, which is all that a list of parts takes.

    Of its two ways to read a stream, tarfile's own copies everything several times.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = cast("io.BufferedReader", stream)
        self._at = 0

    def tell(self) -> int:
        return self._at

    def seek(self, at: int) -> None:
        while self._at < at and self.read(min(CHUNK_BYTES, at - self._at)):
            pass

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._at += len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:
        count = self._stream.readinto(buffer)
        self._at += count
        return count


class _Part(io.RawIOBase):
    """The next ``size`` bytes of a stream."""

    def __init__(self, stream: _Forward, size: int) -> None:
        self._stream, self._left = stream, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed: Buffer
        count = self._stream.readinto(buffer[: self._left])
        self._left -= count
        return count


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold a whole chunk: the engine goes on while the one before it is searched."""
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415  Windows has none

        with suppress(OSError):  # the machine allows less: it is only slower
            fcntl.fcntl(pipe.fileno(), _F_SETPIPE_SZ, CHUNK_BYTES)


def _unpacked(part: io.BufferedReader) -> io.BufferedReader:
    head = part.peek(8)
    for magic, unpack in _UNPACK.items():
        if head.startswith(magic):
            return cast("io.BufferedReader", unpack(part, "rb"))
    return part


def _archive(stream: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK_BYTES)


def _is_tar(content: io.BufferedReader) -> bool:
    return content.peek(512)[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC)


def _where(name: str, content: io.BufferedReader) -> str:
    if _is_tar(content) or content.peek(8).startswith(_ZSTANDARD):
        return f"image layer {short(name.replace('/layer.tar', '').rpartition('/')[2])}"
    return f"{name} of the saved image"
