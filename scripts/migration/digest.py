"""How DVC names objects: MD5 of the bytes, or (DVC 2) of the text after dos2unix.

DVC 2 decided text or binary once a file, DVC 3 (for legacy objects) decides once a block of 1 MiB.
Both left objects in remotes, so a legacy object is right if either rule gives its name. Plain MD5
is accepted as well: bytes whose own MD5 is the name are certainly the bytes that were named.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from scripts.migration.model import Layout, StoredObject
from scripts.migration.run_entry import RunDigest, RunEntry

_BLOCK_BYTES = 1 << 20
_PROBE_BYTES = 512
_TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"
_MOST_NONTEXT = 0.30


class Digest(Protocol):
    """Takes an object's bytes in any portions and then judges them."""

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""

    def matches(self, item: StoredObject) -> bool:
        """Return whether all bytes taken are those that ``item`` names."""


def digest_for(item: StoredObject) -> Digest:
    """Return a fresh digest for the rule by which ``item`` is named."""
    if isinstance(item, RunEntry):
        return RunDigest()
    return _LegacyDigest() if item.layout is Layout.LEGACY else _Md5Digest()


def is_text(block: bytes) -> bool:
    """Return what DVC takes for text, from the first 512 bytes of ``block``."""
    probe = block[:_PROBE_BYTES]
    if not probe:
        return True
    if b"\x00" in probe:
        return False
    return len(probe.translate(None, _TEXT)) / len(probe) <= _MOST_NONTEXT


class _Md5Digest:
    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)

    def update(self, chunk: bytes) -> None:
        self._md5.update(chunk)

    def matches(self, item: StoredObject) -> bool:
        return self._md5.hexdigest() == item.md5


class _LegacyDigest:
    """All rules side by side, on blocks of exactly 1 MiB: a CRLF that a border cuts stays."""

    def __init__(self) -> None:
        self._plain = hashlib.md5(usedforsecurity=False)
        self._by_file = hashlib.md5(usedforsecurity=False)
        self._by_block = hashlib.md5(usedforsecurity=False)
        self._pending = bytearray()
        self._file_is_text: bool | None = None

    def update(self, chunk: bytes) -> None:
        self._pending += chunk
        while len(self._pending) >= _BLOCK_BYTES:
            self._take(bytes(self._pending[:_BLOCK_BYTES]))
            del self._pending[:_BLOCK_BYTES]

    def matches(self, item: StoredObject) -> bool:
        if self._pending:
            self._take(bytes(self._pending))
            self._pending.clear()
        found = (self._plain, self._by_file, self._by_block)
        return item.md5 in {md5.hexdigest() for md5 in found}

    def _take(self, block: bytes) -> None:
        block_is_text = is_text(block)
        if self._file_is_text is None:
            self._file_is_text = block_is_text
        unix = block.replace(b"\r\n", b"\n")
        self._plain.update(block)
        self._by_file.update(unix if self._file_is_text else block)
        self._by_block.update(unix if block_is_text else block)
