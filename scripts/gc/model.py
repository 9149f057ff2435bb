"""What a clean-up of the cache speaks of: objects as they lie there, and why they stay. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scripts.migration.model import Evidence, Reference, StoredObject


class Keep(Enum):
    """Which of the project's own revisions keep what they need."""

    WORKSPACE = "workspace"
    HEADS = "heads"
    ALL = "all"


class Reason(Enum):
    """Why an object stays in the cache."""

    NEEDED = "needed here"
    OTHER_PROJECT = "needed by another project"
    LINKED = "a file is a symlink to it"
    ELSEWHERE = "its output is not kept in this remote"
    NOT_IN_REMOTE = "not in the remote: `dvc push` first"
    DAMAGED = "the remote's copy is damaged"
    UNPROVEN = "the remote's copy cannot be read"
    PART_UNPROVEN = "a file of this directory is not proven in the remote"
    CHANGED = "changed since it was planned"
    FAILED = "cannot be removed"


@dataclass(frozen=True)
class CachedObject:
    """An object as it was seen in the cache.

    Attributes:
        item: The object, with its ``size_bytes``.
        inode: Its number in the file system.
        changed_ns: When its inode changed last (``st_ctime_ns``).
        names: How many hard links lead to its bytes.
    """

    item: StoredObject
    inode: int
    changed_ns: int
    names: int = 1


@dataclass(frozen=True)
class Kept:
    """An object that stays; ``detail`` names the other project, or the failure."""

    item: StoredObject
    reason: Reason
    detail: str = ""
    place: Reference | None = None


@dataclass(frozen=True)
class Removal:
    """An object that can go.

    Attributes:
        cached: The object as it was seen.
        evidence: How it is known that the remote holds it.
        relies_on: The keys that must be in the remote: its own, and those of its files.
    """

    cached: CachedObject
    evidence: Evidence
    relies_on: tuple[str, ...]


@dataclass(frozen=True)
class Needs:
    """What one project needs in its cache, all by key.

    Attributes:
        root: The project's directory.
        needed: What the revisions that count need, files of directories among it.
        elsewhere: What any revision needs that is not fetched from the remote.
        places: A place where each object is used, as far as it is known.
        lost_lists: How many directories of older revisions can be opened nowhere.
        unread: How many places of older revisions cannot be read.
    """

    root: Path
    needed: frozenset[str]
    elsewhere: frozenset[str] = frozenset()
    places: Mapping[str, Reference] = field(default_factory=dict)
    lost_lists: int = 0
    unread: int = 0


class Removed(Enum):
    """What became of an object that was to go."""

    REMOVED = "removed"
    KEPT = "kept"


@dataclass(frozen=True)
class Outcome:
    """What became of one planned removal; ``kept`` says why it was kept after all."""

    removal: Removal
    status: Removed
    kept: Kept | None = None
