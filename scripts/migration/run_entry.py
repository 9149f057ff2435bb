"""An entry of DVC's run-cache: what a stage made of what, and how such an entry is named. No I/O.

DVC keeps one below ``runs/`` of a cache and of a remote for each run of a stage that it may repeat:
YAML with the stage's command, its dependencies, its parameters and its outputs, all by hash.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from scripts.errors import Corrupted
from scripts.migration.model import Layout, StoredObject, is_oid

_KEY = re.compile(r"runs/([0-9a-f]{2})/(\1[0-9a-f]{62}/[0-9a-f]{64})")
MOST_BYTES = 16 << 20
"""An entry is held in memory as a whole; one of a few hundred bytes is usual."""


class RunEntry(StoredObject):
    """An entry, kept, listed, read and published as objects are; :func:`run_at` makes one.

    Its ``oid`` is two names: the SHA-256 of the stage as it was before it ran, by which DVC looks
    for entries, and that of what the entry says. Sizes and numbers of files are left out of it, so
    entries of one name may differ in how they are written.
    """

    __slots__ = ()

    @property
    def key(self) -> str:
        """The entry's path inside the remote."""
        return f"runs/{self.oid[:2]}/{self.oid}"

    @property
    def md5(self) -> str:
        """Nothing: that of its bytes is no part of its name."""
        return ""

    @property
    def said(self) -> str:
        """The SHA-256 of what it says."""
        return self.oid.rpartition("/")[2]

    @property
    def label(self) -> str:
        """How people are told of it where they are told of a revision otherwise."""
        return f"run-cache ({self.oid[:10]})"


class RunOutput(NamedTuple):
    """An output that an entry names: its path from where the stage ran, and its object."""

    path: str
    item: StoredObject


def run_at(key: str, size_bytes: int | None = None, checksum: str | None = None) -> RunEntry | None:
    """Return the entry that lies at ``key`` of a remote, or ``None`` if none can lie there."""
    match = _KEY.fullmatch(key)
    return RunEntry(match.group(2), Layout.LEGACY, size_bytes, checksum) if match else None


def parse_run(entry: RunEntry, content: bytes) -> tuple[RunOutput, ...]:
    """Return the outputs that ``content`` names, once it is shown to be what ``entry`` names.

    DVC itself does not compare: it takes what it finds under a stage's name.

    Raises:
        Corrupted: It is something else.
    """
    said = _read_yaml(content)
    if said is None or _name_of(said) != entry.said:
        raise Corrupted("what it says does not hash to its name.")
    outs = said.get("outs")
    return tuple(
        RunOutput(
            str(out.get("path")),
            StoredObject(out["md5"], Layout.CURRENT if "hash" in out else Layout.LEGACY),
        )
        for out in (outs if isinstance(outs, list) else ())
        if isinstance(out, dict) and is_oid(out.get("md5"))
    )


class RunDigest:
    """Judges the bytes of an entry; see :class:`~scripts.migration.digest.Digest`."""

    def __init__(self) -> None:
        self._content = bytearray()

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._content += chunk

    def matches(self, item: StoredObject) -> bool:
        """Return whether they say what the entry ``item`` names."""
        said = _read_yaml(bytes(self._content))
        return isinstance(item, RunEntry) and said is not None and _name_of(said) == item.said


def _name_of(said: dict[str, Any]) -> str:
    from dvc.utils import dict_sha256  # noqa: PLC0415

    try:
        return str(dict_sha256(said, exclude=["size", "nfiles"]))
    except TypeError:  # it holds what no entry does: a date, a set
        return ""


def _read_yaml(content: bytes) -> dict[str, Any] | None:
    from dvc.utils.serialize import YAMLFileCorruptedError, parse_yaml  # noqa: PLC0415

    try:
        said = parse_yaml(content.decode(), "")
    except (YAMLFileCorruptedError, ValueError):
        return None
    return said if isinstance(said, dict) else None
