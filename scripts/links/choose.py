"""Choose: from what works on both sides to the link types that DVC shall use. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.errors import CacheError
from scripts.links.model import LINK_TYPES

if TYPE_CHECKING:
    from scripts.links.model import Probed

AUTO = ("reflink", "copy")
"""DVC's own order: files that may be edited in place, without a copy where the disk can do that."""
_REMEDIES = {
    "EXDEV": "Hardlinks and reflinks need the cache on the workspace's file system: move it there, "
    "or use symlink.",
    "ENOTSUP": "Reflinks need btrfs, xfs or another file system that has them; hardlink or symlink "
    "work without.",
    "EPERM": "Look at who owns the cache's files: the system links only what you may write.",
}


@dataclass(frozen=True)
class Dropped:
    """A link type that is wanted and cannot be used: why, and what would make it work."""

    link_type: str
    reason: str
    remedy: str = ""


@dataclass(frozen=True)
class Choice:
    """The link types to use, in order, and those that were wanted in vain.

    ``falls_to_copy`` tells that something else was wanted, and copies are what remains.
    """

    types: tuple[str, ...]
    dropped: tuple[Dropped, ...] = ()

    @property
    def falls_to_copy(self) -> bool:
        """Whether files are copied though another type was wanted first."""
        return self.types[0] == "copy" and bool(self.dropped)


def choose(wanted: tuple[str, ...], outside: Probed, inside: Probed) -> Choice:
    """Return which of the types wanted work on both sides.

    Args:
        wanted: Link types in order; empty for :data:`AUTO`.
        outside: What was found on the host.
        inside: What was found in the container, with the mounts that it will have.

    Raises:
        CacheError: None of them works; the message says why, the hint what would help.
    """
    types = wanted or AUTO
    dropped = tuple(item for item in (why_not(name, outside, inside) for name in types) if item)
    refused = {item.link_type for item in dropped}
    usable = tuple(name for name in types if name not in refused)
    if not usable:
        reasons = "; ".join(f"{item.link_type}: {item.reason}" for item in dropped)
        working = [name for name in LINK_TYPES if not why_not(name, outside, inside)]
        raise CacheError(
            f"No link type of {', '.join(types)} works here. {reasons}.",
            hint=" ".join(dict.fromkeys(item.remedy for item in dropped if item.remedy))
            or f"What works here: {', '.join(working)}.",
        )
    return Choice(usable, dropped)


def why_not(link_type: str, outside: Probed, inside: Probed | None) -> Dropped | None:
    """Return why a link type cannot be used, or ``None`` if it works on each side that is known."""
    for where, side in (("outside", outside), ("inside", inside)):
        if side is None:
            continue
        attempt = side.attempt(link_type)
        if not attempt.works:
            return Dropped(
                link_type, f"{where}, {attempt.reason}", _REMEDIES.get(attempt.error, "")
            )
    return None


def what_dvc_does(
    link_type: str, wanted: tuple[str, ...], outside: Probed, inside: Probed | None
) -> str:
    """Return what DVC does with a link type under the ``cache.type`` that is set; for a person."""
    types = wanted or AUTO
    if link_type not in types:
        return "not in cache.type"
    working = [name for name in types if not why_not(name, outside, inside)]
    if not working:
        return "fails: no link type is left to try"
    if working[0] == link_type:
        return "uses it"
    if link_type in working:
        return f"uses it where {working[0]} fails"
    return f"tries it in vain, then {working[0]}"
