"""Uploads in parts: the ETag that S3 gives to what it put together."""

from __future__ import annotations

import hashlib
import re
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_LINE = re.compile(r"([0-9a-f]{32}-[0-9]{1,5}) ([0-9a-f]{32})")


class Composite:
    """Computes that ETag of the bytes sent: the MD5 of the parts' MD5s, and how many there are.

    A server that computes the same of the bytes that it keeps has the same bytes.

    Args:
        part_bytes: The size of each part but the last, in bytes.
    """

    def __init__(self, part_bytes: int) -> None:
        self._part_bytes = part_bytes
        self._parts = hashlib.md5(usedforsecurity=False)
        self._count = 0
        self._part = hashlib.md5(usedforsecurity=False)
        self._room = part_bytes

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield ``chunks`` as they are, taking them into account."""
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                taken, rest = rest[: self._room], rest[self._room :]
                self._part.update(taken)
                self._room -= len(taken)
                if not self._room:
                    self._end_part()
            yield chunk

    def etag(self) -> str:
        """Return the ETag once all is sent, without quotes."""
        if self._room < self._part_bytes:
            self._end_part()
        return f"{self._parts.hexdigest()}-{self._count}"

    def _end_part(self) -> None:
        self._parts.update(self._part.digest())
        self._count += 1
        self._part = hashlib.md5(usedforsecurity=False)
        self._room = self._part_bytes


class KnownEtags:
    """The MD5 of the whole by the ETag of its parts, of everything that was sent from here.

    That an ETag follows from bytes of a certain MD5 holds at any time and for any server, so what
    one run found out is kept for the next: it need not read back what it sent.

    Args:
        path: The file to keep it in, a line for each; ``None`` to forget it with this object.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, str] | None = None

    def md5_of(self, etag: str) -> str | None:
        """Return the MD5 of the bytes from which ``etag`` follows, if it is known."""
        with self._lock:
            return self._load().get(etag)

    def add(self, etag: str, md5: str) -> None:
        """Remember that ``etag`` follows from the right bytes of ``md5``."""
        with self._lock:
            known = self._load()
            if known.get(etag) == md5:
                return
            known[etag] = md5
            if self._path is None:
                return
            try:
                self._path.parent.mkdir(exist_ok=True)
                with self._path.open("ab", buffering=0) as stream:
                    stream.write(f"{etag} {md5}\n".encode())
            except OSError:
                self._path = None  # what is not kept is read back by the next run: slow, not wrong

    def _load(self) -> dict[str, str]:
        if self._known is None:
            self._known = {}
            try:
                text = self._path.read_text("ascii", errors="replace") if self._path else ""
            except OSError:
                text = ""  # as above
            for line in text.splitlines():
                found = _LINE.fullmatch(line)  # a line that a killed run left half is none
                if found is not None:
                    self._known[found.group(1)] = found.group(2)
        return self._known
