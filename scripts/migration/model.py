"""What a migration speaks of: objects, references, evidence, outcomes. Plain facts, no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

_OID = re.compile(r"[0-9a-f]{32}(\.dir)?")
_KEY = re.compile(r"(files/md5/)?([0-9a-f]{2})/([0-9a-f]{30}(?:\.dir)?)")
DIRECTORY_SUFFIX = ".dir"
SHARDS = 256


class Word(Enum):
    """An enumeration whose members are keys of dictionaries, millions of times.

    There is one of each, so where it lies is hash enough; Enum's own is a call into Python.
    """

    __hash__ = object.__hash__


class Layout(Word):
    """Where a remote keeps an object, and by which rule the object is named.

    ``CURRENT`` is DVC 3's (MD5 of the bytes), ``LEGACY`` is DVC 2's (MD5 after dos2unix of text).
    """

    CURRENT = "files/md5/"
    LEGACY = ""


LAYOUTS = frozenset(Layout)


class Evidence(Word):
    """How it is known that the target holds an object's bytes. "Same size" is no proof."""

    NONE = "none"
    SIZE = "size"
    HASHED_IN_FLIGHT = "hashed in flight"
    STORE_CHECKSUM = "store checksum"
    READ_BACK = "read back"

    @property
    def is_proof(self) -> bool:
        """Whether the bytes that the target keeps were checked, not only those sent."""
        return self in (Evidence.STORE_CHECKSUM, Evidence.READ_BACK)


class StoredObject(NamedTuple):
    """An object of a DVC remote.

    Attributes:
        oid: Its name: 32 hexadecimal digits, and ``.dir`` for a directory's list of files.
        layout: Where it lies and by which rule it is named.
        size_bytes: Its size as a listing gave it, in bytes; ``None`` where no listing has it.
        checksum: The MD5 of the bytes that the store keeps, if it tells one.
        told_by: How it knows: it computed that MD5 itself, or read the bytes back since they
            last changed.
    """

    oid: str
    layout: Layout = Layout.CURRENT
    size_bytes: int | None = None
    checksum: str | None = None
    told_by: Evidence = Evidence.STORE_CHECKSUM

    @property
    def key(self) -> str:
        """The object's path inside the remote; unique over both layouts."""
        oid = self.oid
        return f"{self.layout._value_}{oid[:2]}/{oid[2:]}"  # `value` is a call into Python

    @property
    def md5(self) -> str:
        """The MD5 that its bytes must have."""
        return self.oid[:32]

    @property
    def is_directory(self) -> bool:
        """Whether it lists the files of a directory."""
        return self.oid.endswith(DIRECTORY_SUFFIX)

    @property
    def shard(self) -> int:
        """The first byte of its hash: which of the 256 units of work it belongs to."""
        return int(self.oid[:2], 16)


def is_oid(text: object) -> bool:
    """Return whether ``text`` can name an object; anything else must never become a path."""
    return isinstance(text, str) and _OID.fullmatch(text) is not None


def object_at(key: str) -> StoredObject | None:
    """Return the object that lies at ``key`` of a remote, or ``None`` if none can lie there."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    layout = Layout.CURRENT if match.group(1) else Layout.LEGACY
    return StoredObject(match.group(2) + match.group(3), layout)


@dataclass(frozen=True)
class Proof:
    """What the target was found to hold; ``reason`` says why there is no proof."""

    evidence: Evidence
    reason: str = ""


ABSENT = Proof(Evidence.NONE, "it is not in the target")
OTHER_BYTES = Proof(Evidence.NONE, "the target holds other bytes under its name")


THIS_MACHINE = "this machine"
"""The server of directories; the name of a directory is its path."""


@dataclass(frozen=True)
class Location:
    """Where a server keeps a store's objects: all that another store on it needs to copy from here.

    Attributes:
        server: Which server it is; two locations on one server have the same.
        bucket: The bucket's name.
        prefix: The store's path in it, without slashes around it.
    """

    server: str
    bucket: str
    prefix: str = ""

    def key_of(self, key: str) -> str:
        """Return the name that the bucket has for a store's ``key``."""
        return f"{self.prefix}/{key}" if self.prefix else key


class ServerCopy(Enum):
    """What became of the wish that a server copies an object by itself."""

    DONE = "done"
    THERE_ALREADY = "there already"
    UNABLE = "unable"


class Status(Word):
    """What became of a planned object."""

    PRESENT = "present"
    COPIED = "copied"
    CORRUPT = "corrupt"
    MISSING = "missing"
    FAILED = "failed"


@dataclass(frozen=True, order=True)
class Reference:
    """Where an object is used: a path of a revision."""

    path: str
    revision: str


class Result(NamedTuple):
    """What became of an object; there are few different ones, whatever the number of objects."""

    status: Status
    evidence: Evidence = Evidence.NONE
    repaired: bool = False

    @property
    def claims_intact(self) -> bool:
        """Whether the target is said to hold it, with or without proof."""
        return self.status in (Status.PRESENT, Status.COPIED)

    @property
    def is_intact(self) -> bool:
        """Whether it is proven to be in the target."""
        return self.claims_intact and self.evidence.is_proof


@dataclass(frozen=True)
class Outcome:
    """What became of one planned object.

    Attributes:
        item: The object.
        status: ``PRESENT`` if it needed no copy, ``COPIED`` if this run copied it.
        evidence: How it is known that the target holds the object.
        reason: Why the object is not intact; empty if it is.
        repaired: Whether wrong bytes in the target were replaced.
        references: Where the object is used (the first few places).
    """

    item: StoredObject
    status: Status
    evidence: Evidence = Evidence.NONE
    reason: str = ""
    repaired: bool = False
    references: tuple[Reference, ...] = ()

    @property
    def is_intact(self) -> bool:
        """Whether the object is proven to be in the target."""
        return self.result.is_intact

    @property
    def result(self) -> Result:
        """What became of it, without which object it is."""
        return Result(self.status, self.evidence, self.repaired)
