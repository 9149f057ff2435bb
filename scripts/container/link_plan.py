"""The nouns of `./inv cache --use`: what it will do, and what it did. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.errors import CacheError
from scripts.report import bytes_text

if TYPE_CHECKING:
    from scripts.container.model import ContainerPlan
    from scripts.links.checkout import Overview
    from scripts.links.choose import Choice
    from scripts.links.relinked import Relinked


@dataclass(frozen=True)
class LinkPlan:
    """What `--use` will do.

    Attributes:
        choice: The link types to write, and those that were wanted in vain.
        before: ``cache.type`` as DVC's configuration has it; empty where it is not set.
        container: The container's plan under the new types.
        restarts: Whether the mounts change, so that the container has to be made anew.
        notes: What a person should know of the new mounts.
        overview: The checkout before.
        copy_bytes: How many bytes would be copied out of the cache.
    """

    choice: Choice
    before: tuple[str, ...]
    container: ContainerPlan
    restarts: bool
    notes: tuple[str, ...]
    overview: Overview
    copy_bytes: int

    def consequences(self) -> tuple[str, ...]:
        """Return what a person has to agree to before anything changes."""
        told = []
        if self.copy_bytes:
            why = "".join(f" ({item.link_type}: {item.reason})" for item in self.choice.dropped)
            told.append(f"{bytes_text(self.copy_bytes)} will be copied out of the cache{why}")
        if self.restarts:
            told.append(
                "`up` will restart the container for new mounts, which ends what runs in it"
            )
        return tuple(told)


@dataclass(frozen=True)
class LinkResult:
    """What `--use` did: the types written, the checkout relinked, the sample asked again outside.

    ``unverified`` names the files of the sample that are not linked as said, seen from outside.
    """

    types: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]
    restarted: bool
    relinked: Relinked
    unverified: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        content = self.relinked.as_json()
        content.pop("sample", None)
        return {
            "schema_version": 1,
            "cache_type": list(self.types),
            "dropped": [{"type": name, "reason": reason} for name, reason in self.dropped],
            "restarted": self.restarted,
            "sampled": len(self.relinked.sample),
            "unverified": list(self.unverified),
            "relinked": content,
        }

    def require_verified(self) -> None:
        """End with an error if a file of the sample is not linked as it was said to be.

        Raises:
            CacheError: Names the first one.
        """
        if self.unverified:
            raise CacheError(
                f"{len(self.unverified)} of {len(self.relinked.sample)} files are not linked as "
                f"said, seen from outside: first, {self.unverified[0]}.",
                hint="`./inv doctor` shows every tracked file that is not as it should be.",
            )
