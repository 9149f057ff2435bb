"""The nouns of links: what was tried, what was measured, what is used. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.settings.values import LINK_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LINK_TYPES", "Attempt", "Measurement", "Probed"]


@dataclass(frozen=True)
class Attempt:
    """One link type, really tried between the cache and the workspace on one side of the wall.

    Attributes:
        link_type: One of :data:`LINK_TYPES`.
        works: Whether the link was made and leads to the object's bytes.
        reason: Why it does not work, for a person; empty where it works.
        error: The system's name of the failure (``EXDEV``), empty where it works.
        editable: Whether writing to the file leaves the object in the cache as it is.
    """

    link_type: str
    works: bool
    reason: str = ""
    error: str = ""
    editable: bool = False


@dataclass(frozen=True)
class Measurement:
    """What making ``files`` links of one type took.

    Attributes:
        link_type: One of :data:`LINK_TYPES`.
        files: How many links were made.
        elapsed_s: Seconds for all of them.
        extra_bytes: Bytes on disk that they hold alone, sharing them with no object.
    """

    link_type: str
    files: int
    elapsed_s: float
    extra_bytes: int


@dataclass(frozen=True)
class Probed:
    """What one side of the wall found.

    Attributes:
        attempts: One for each of :data:`LINK_TYPES`.
        elapsed_s: Seconds that the attempts took, without the measurements.
        link_limit: How many names one file can have there (``PC_LINK_MAX``); 0 where that is
            not known.
        measured: One for each type that works, if measuring was asked for.
    """

    attempts: tuple[Attempt, ...]
    elapsed_s: float
    link_limit: int
    measured: tuple[Measurement, ...] = ()

    def works(self, link_type: str) -> bool:
        """Tell whether a link type works on this side."""
        return any(item.works for item in self.attempts if item.link_type == link_type)

    def attempt(self, link_type: str) -> Attempt:
        """Return what became of a link type."""
        return next(item for item in self.attempts if item.link_type == link_type)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Probed:
        """Return what :func:`dataclasses.asdict` made JSON of, on the other side of the wall."""
        return cls(
            attempts=tuple(Attempt(**item) for item in content["attempts"]),
            elapsed_s=content["elapsed_s"],
            link_limit=content["link_limit"],
            measured=tuple(Measurement(**item) for item in content["measured"]),
        )
