"""Uploads in parts: the ETag that S3 gives to what it put together."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


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
