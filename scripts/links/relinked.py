"""What relinking did, as it passes through the wall, and a sample of it to ask for there."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from scripts.links.checkout import LISTED, Count, counts_from_json
from scripts.links.tracked import Looker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SAMPLE_FILES = 1000
_SEED = 20260101
"""Fixed, so that two runs on one checkout look at the same files."""


@dataclass(frozen=True)
class Linked:
    """A file and what it is said to be: the name of a ``LinkState``."""

    path: str
    object_path: str
    state: str


@dataclass(frozen=True)
class LeftAlone:
    """A file that stays as it was, why, and what to do about it."""

    path: str
    reason: str
    hint: str = ""


@dataclass(frozen=True)
class Relinked:
    """What relinking a checkout did.

    Attributes:
        root: The workspace.
        link_types: What was wanted, the most wanted first.
        before: The files by state before, and so their own bytes on disk.
        after: The same afterwards, asked of the file system again.
        changed: How many files were replaced, by what they were to become.
        fell_back: How many files are of a type that was not wanted first, by that type.
        left_alone: The files that stay as they were though they are not as wanted.
        left_by_reason: How many those are, by reason; JSON names only the first of them.
        impossible: How many of those none of the types wanted could be made for.
        failed: Files that are not what they were made, asked of the file system.
        sample: Files to ask for on the other side of the wall, see :func:`verify_sample`.
        unlisted: Tracked directories whose list of files is not in the cache: not looked at.
        left_behind: How many temporary files of a killed run were removed.
    """

    root: str
    link_types: tuple[str, ...]
    before: Mapping[str, Count]
    after: Mapping[str, Count]
    changed: Mapping[str, int]
    fell_back: Mapping[str, int]
    left_alone: tuple[LeftAlone, ...]
    left_by_reason: Mapping[str, int]
    impossible: int
    failed: tuple[str, ...]
    sample: tuple[Linked, ...]
    unlisted: tuple[str, ...] = ()
    left_behind: int = 0

    @property
    def files_changed(self) -> int:
        """How many files were replaced."""
        return sum(self.changed.values())

    @property
    def own_bytes_before(self) -> int:
        """Bytes on disk that the files held alone before."""
        return sum(count.own_bytes for count in self.before.values())

    @property
    def own_bytes_after(self) -> int:
        """Bytes on disk that the files hold alone now."""
        return sum(count.own_bytes for count in self.after.values())

    @property
    def bytes_saved(self) -> int:
        """Bytes on disk that became free; negative where files became copies."""
        return self.own_bytes_before - self.own_bytes_after

    def as_json(self, *, listed: int = LISTED) -> dict[str, Any]:
        """Return it as JSON holds it, naming up to ``listed`` files that were left alone."""
        return {
            **asdict(self),
            "left_alone": [asdict(item) for item in self.left_alone[:listed]],
            "failed": self.failed[:listed],
            "bytes_saved": self.bytes_saved,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Relinked:
        """Return what :meth:`as_json` gave."""
        return cls(
            root=content["root"],
            link_types=tuple(content["link_types"]),
            before=counts_from_json(content["before"]),
            after=counts_from_json(content["after"]),
            changed=content["changed"],
            fell_back=content["fell_back"],
            left_alone=tuple(LeftAlone(**item) for item in content["left_alone"]),
            left_by_reason=content["left_by_reason"],
            impossible=content["impossible"],
            failed=tuple(content["failed"]),
            sample=tuple(Linked(**item) for item in content["sample"]),
            unlisted=tuple(content["unlisted"]),
            left_behind=content["left_behind"],
        )


def by_reason(left_alone: tuple[LeftAlone, ...]) -> dict[str, int]:
    """Count files that were left alone by the reason."""
    return dict(Counter(item.reason for item in left_alone))


def draw_sample(linked: Sequence[Linked], files: int = SAMPLE_FILES) -> tuple[Linked, ...]:
    """Return up to ``files`` of them, the same ones for the same list, in its order."""
    if len(linked) <= files:
        return tuple(linked)
    chosen = random.Random(_SEED).sample(range(len(linked)), files)  # noqa: S311  no secret
    return tuple(linked[number] for number in sorted(chosen))


def verify_sample(sample: Iterable[Linked]) -> tuple[str, ...]:
    """Ask the file system what each file is: by inode, extents or where its link leads.

    Needs no DVC, so that either side of the wall can ask.

    Returns:
        The files that are not what they are said to be, and what they are instead.

    Raises:
        OSError: The disk cannot be read.
    """
    looker = Looker()
    failed = []
    for item in sample:
        found, size_bytes, _, in_cache = looker.state_of(item.path, item.object_path)
        is_so = found.value == item.state or found.is_as_wanted(item.state, size_bytes)
        if not in_cache:
            failed.append(f"{item.path} ({item.state}, but its object is not in the cache)")
        elif not is_so:
            failed.append(f"{item.path} (is {found.value}, not {item.state})")
    return tuple(failed)
