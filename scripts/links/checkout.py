"""The nouns of a checkout: how each tracked file is tied to the cache, and what of it is trouble.

No I/O; everything passes through JSON, so that it can cross the wall.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LISTED = 1000
"""The most files that a summary names; it counts them all."""


class LinkState(Enum):
    """How a file in the workspace is tied to its object in the cache."""

    REFLINK = "reflink"
    """Shares its bytes on the disk with the object until one of them is written."""
    HARDLINK = "hardlink"
    """A further name of the object."""
    SYMLINK = "symlink"
    """A symbolic link that leads to the object."""
    COPY = "copy"
    """A file of its own."""
    INLINE = "inline"
    """A file of its own that occupies no block: empty, or so small that btrfs keeps it among its
    own records. There is nothing to share, so it is as good as a reflink and as a copy."""
    DANGLING = "dangling"
    """A symbolic link that leads nowhere on this side of the wall."""
    FOREIGN = "foreign"
    """A symbolic link that leads to something else than the object."""
    MISSING = "missing"
    """No file: nothing there, or a directory in its place."""

    def is_as_wanted(self, link_type: str, size_bytes: int) -> bool:
        """Tell whether a file in this state needs no link of ``link_type`` any more.

        An empty file is as good as a hardlink too: DVC makes empty files instead of those, since
        one empty object would soon run out of names.
        """
        if self is LinkState.INLINE:
            return link_type in ("reflink", "copy") or (link_type == "hardlink" and not size_bytes)
        return bool(self.value == link_type)


@dataclass(frozen=True)
class TrackedFile:
    """One file that DVC tracks, as it is now.

    Attributes:
        path: Where it is, or should be, in the workspace; absolute.
        object_path: Its object in the cache; absolute.
        oid: What names the object: the MD5 of its bytes.
        hash_name: How it was hashed: ``md5``, or ``md5-dos2unix`` for objects of DVC 2.
        out: The tracked file or directory that it belongs to; absolute.
        state: How it is tied to its object.
        size_bytes: The length of its content; 0 where there is none.
        own_bytes: The bytes on disk that it holds alone.
        in_cache: Whether the object is there (right or not).
        is_executable: Whether DVC tracks it as executable.
        is_right: Whether its content is what DVC tracks; ``None`` where nobody looked, or there
            is none.
    """

    path: str
    object_path: str
    oid: str
    hash_name: str
    out: str
    state: LinkState
    size_bytes: int = 0
    own_bytes: int = 0
    in_cache: bool = True
    is_executable: bool = False
    is_right: bool | None = None

    @property
    def is_linked(self) -> bool:
        """Whether writing to it writes to the object."""
        return self.state in (LinkState.HARDLINK, LinkState.SYMLINK)

    @property
    def corrupts_cache(self) -> bool:
        """Whether it was edited through its link, so that the object holds the edit."""
        return self.is_linked and self.is_right is False

    def trouble(self, link_types: Sequence[str] = ()) -> str:
        """Return what is wrong with it, or "".

        ``corrupt``, ``dangling``, ``foreign``, ``uncached`` (the cache lacks its object, so that
        this may be the only copy here) or ``copied``.

        Args:
            link_types: What files should be, the most wanted first; a copy is trouble only where
                something else is wanted first. An edited copy is a person's work, not trouble.
        """
        if self.corrupts_cache:
            return "corrupt"
        if self.state in (LinkState.DANGLING, LinkState.FOREIGN):
            return self.state.value
        if not self.in_cache and self.state is LinkState.COPY:
            return "uncached"
        wants_links = bool(link_types) and link_types[0] != "copy"
        if self.state is LinkState.COPY and wants_links and self.is_right is not False:
            return "copied"
        return ""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {**asdict(self), "state": self.state.value}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TrackedFile:
        """Return what :meth:`as_json` gave."""
        return cls(**{**content, "state": LinkState(content["state"])})


@dataclass(frozen=True)
class Count:
    """How many files, how many bytes of content, and how many bytes on disk of their own."""

    files: int = 0
    size_bytes: int = 0
    own_bytes: int = 0


def count_by_state(files: Iterable[TrackedFile]) -> dict[str, Count]:
    """Return a count for each state that occurs, by its name."""
    sums: dict[str, list[int]] = {}
    for file in files:
        entry = sums.setdefault(file.state.value, [0, 0, 0])
        entry[0] += 1
        entry[1] += file.size_bytes
        entry[2] += file.own_bytes
    return {state.value: Count(*sums[state.value]) for state in LinkState if state.value in sums}


def counts_from_json(content: Mapping[str, Any]) -> dict[str, Count]:
    """Return what :func:`dataclasses.asdict` made of the counts."""
    return {state: Count(**count) for state, count in content.items()}


@dataclass(frozen=True)
class Tracked:
    """Every file that DVC tracks in a workspace, as it is now.

    Attributes:
        root: The workspace.
        files: One for each file, in the order of their paths.
        unlisted: Tracked directories whose list of files (the ``.dir`` object) is not in the
            cache, so that nobody can tell what belongs in them.
    """

    root: str
    files: tuple[TrackedFile, ...]
    unlisted: tuple[str, ...] = ()

    def overview(self, link_types: Sequence[str] = (), *, listed: int = LISTED) -> Overview:
        """Sum it up, naming up to ``listed`` files that are trouble."""
        troubled: dict[str, int] = {}
        named: list[TrackedFile] = []
        for file in self.files:
            kind = file.trouble(link_types)
            if kind:
                troubled[kind] = troubled.get(kind, 0) + 1
                if len(named) < listed:
                    named.append(file)
        counts = count_by_state(self.files)
        return Overview(self.root, counts, troubled, tuple(named), self.unlisted)


@dataclass(frozen=True)
class Overview:
    """A checkout summed up: what passes through the wall.

    Attributes:
        root: The workspace.
        counts: All tracked files, by the name of their state.
        troubled: How many files are trouble, by its kind (see :meth:`TrackedFile.trouble`).
        listed: The first of those.
        unlisted: As in :class:`Tracked`.
    """

    root: str
    counts: Mapping[str, Count]
    troubled: Mapping[str, int]
    listed: tuple[TrackedFile, ...]
    unlisted: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {**asdict(self), "listed": [file.as_json() for file in self.listed]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Overview:
        """Return what :meth:`as_json` gave."""
        return cls(
            root=content["root"],
            counts=counts_from_json(content["counts"]),
            troubled=content["troubled"],
            listed=tuple(TrackedFile.from_json(item) for item in content["listed"]),
            unlisted=tuple(content["unlisted"]),
        )
