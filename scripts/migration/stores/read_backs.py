"""Which objects a disk store has read back, so that a listing need not read them once more."""

from __future__ import annotations

import threading
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.migration.model import Layout, StoredObject

Records = dict[tuple["Layout", int], bytes]
"""What is remembered, by layout and shard: to be told to another process."""


class ReadBacks:
    """Which objects were read back, and when their files had last changed: 25 bytes for each."""

    _RECORD = Struct("<16s?q")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[tuple[Layout, int], bytearray] = {}

    def remember(self, item: StoredObject, changed_ns: int) -> None:
        """Remember that ``item`` was read back, its file having last changed at ``changed_ns``."""
        record = self._RECORD.pack(bytes.fromhex(item.md5), item.is_directory, changed_ns)
        with self._lock:
            self._records.setdefault((item.layout, item.shard), bytearray()).extend(record)

    def take(self) -> Records:
        """Return all that is remembered, and forget it."""
        with self._lock:
            taken, self._records = self._records, {}
        return {key: bytes(records) for key, records in taken.items()}

    def add(self, taken: Records) -> None:
        """Remember what another of these has remembered."""
        with self._lock:
            for key, records in taken.items():
                self._records.setdefault(key, bytearray()).extend(records)

    def of(self, layout: Layout, shard: int) -> dict[tuple[str, bool], int]:
        """Return when the files of one shard had changed, by MD5 and kind."""
        with self._lock:
            records = bytes(self._records.get((layout, shard), b""))
        found = self._RECORD.iter_unpack(records)
        return {(digest.hex(), kind): changed_ns for digest, kind, changed_ns in found}
