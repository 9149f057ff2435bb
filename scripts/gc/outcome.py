"""The report of a clean-up: built from the plan and from what became of each removal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.errors import CacheError
from scripts.gc.model import Reason, Removed
from scripts.gc.plan import by_reason, kept_json
from scripts.report import count_text

if TYPE_CHECKING:
    from scripts.gc.model import Kept, Outcome, Removal
    from scripts.gc.plan import Plan

SCHEMA_VERSION = 1
_WORTH_NAMING = (
    Reason.DAMAGED,
    Reason.UNPROVEN,
    Reason.PART_UNPROVEN,
    Reason.NOT_IN_REMOTE,
    Reason.CHANGED,
    Reason.FAILED,
)


@dataclass(frozen=True)
class Report:
    """What a clean-up came to.

    Attributes:
        plan: What was planned.
        outcomes: One for each planned removal; none if nothing was to be changed.
        applied: Whether anything was to be changed: not in a dry run, nor after a "no".
        lost: The objects that were to stay and are gone; somebody else removed them.
        elapsed_s: From the first look to the last, in seconds.
    """

    plan: Plan
    outcomes: tuple[Outcome, ...] = ()
    applied: bool = False
    lost: tuple[str, ...] = ()
    elapsed_s: float = 0.0

    @property
    def removed(self) -> tuple[Removal, ...]:
        """What is gone from the cache."""
        return tuple(
            outcome.removal for outcome in self.outcomes if outcome.status is Removed.REMOVED
        )

    @property
    def kept(self) -> tuple[Kept, ...]:
        """What stays, and why; what was to go and could not is among it."""
        return (*self.plan.kept, *(outcome.kept for outcome in self.outcomes if outcome.kept))

    @property
    def bytes_removed(self) -> int:
        """The size of what is gone, in bytes."""
        return sum(removal.cached.item.size_bytes or 0 for removal in self.removed)

    @property
    def failed(self) -> tuple[Kept, ...]:
        """What was to go and could not be removed."""
        return tuple(entry for entry in self.kept if entry.reason is Reason.FAILED)

    @property
    def named(self) -> tuple[Kept, ...]:
        """What stays though nobody needs it, for a person to look at."""
        return tuple(entry for entry in self.kept if entry.reason in _WORTH_NAMING)

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        going = [removal.evidence.value for removal in self.plan.removals]
        return {
            "schema_version": SCHEMA_VERSION,
            "remote": self.plan.remote,
            "cache": self.plan.cache,
            "keep": self.plan.request.keep.value,
            "not_in_remote": self.plan.request.not_in_remote,
            "applied": self.applied,
            "planned": {"objects": len(going), "bytes": self.plan.bytes_to_remove},
            "removed": {"objects": len(self.removed), "bytes": self.bytes_removed},
            "kept": {
                reason.name.lower(): counts for reason, counts in by_reason(self.kept).items()
            },
            "evidence": {kind: going.count(kind) for kind in dict.fromkeys(going)},
            "other_projects": list(self.plan.others),
            "notes": list(self.plan.notes),
            "not_removed": kept_json(self.named),
            "lost": list(self.lost),
            "elapsed_s": round(self.elapsed_s, 3),
        }

    def require_clean(self) -> None:
        """Do nothing if what was to go is gone and the rest is there.

        Raises:
            CacheError: It is not.
        """
        if self.lost:
            raise CacheError(
                f"{count_text(len(self.lost), 'object')} that should have stayed: gone from "
                f"{self.plan.cache}, {self.lost[0]} among them. Something else removes objects "
                "there.",
                hint="`dvc fetch` brings back what the remote has.",
            )
        if self.failed:
            first = self.failed[0]
            raise CacheError(
                f"{count_text(len(self.failed), 'object')} cannot be removed from "
                f"{self.plan.cache}; {first.item.key}: {first.detail}.",
                hint="Look at `ls -ld` of its directory: removing takes write access there. Then "
                "run the same command again.",
            )
