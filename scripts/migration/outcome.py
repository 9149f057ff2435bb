"""The report of a migration: built from outcomes, and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.errors import MigrationIncomplete
from scripts.migration.model import Evidence, Status
from scripts.migration.sample import EVIDENCE, Sample

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.migration.inventory import Uncollectable
    from scripts.migration.model import Outcome
    from scripts.migration.parts import Part

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Report:
    """What a migration came to, or a remote that was only verified.

    Attributes:
        source: The remote that was read, by name; empty if a remote was only verified.
        target: The remote that was filled or verified, by name.
        outcomes: One for each planned object.
        uncollectable: Revisions of which it is not known what they need.
        excluded: How many outputs are rightly not in the source, by verdict.
        notes: What a person should know beside that.
        revisions: How many revisions were read, the workspace among them.
        elapsed_s: From the first look to the last, in seconds.
        sample: What was read back although the listing proved it.
        parts: What moved beside the objects.
    """

    source: str
    target: str
    outcomes: tuple[Outcome, ...]
    uncollectable: tuple[Uncollectable, ...] = ()
    excluded: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    revisions: int = 0
    elapsed_s: float = 0.0
    sample: Sample = EVIDENCE
    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        if len({outcome.item.key for outcome in self.outcomes}) != len(self.outcomes):
            raise ValueError("an object has more than one outcome")
        for outcome in self.outcomes:
            if outcome.status in (Status.PRESENT, Status.COPIED) and not outcome.is_intact:
                raise ValueError(f"{outcome.item.key} is called intact without proof")

    @property
    def counts(self) -> dict[str, int]:
        """How many objects there are of each kind. Two sums hold.

        ``planned`` = ``intact`` + ``corrupt`` + ``missing`` + ``failed``, and
        ``intact`` = ``present`` + ``copied``. ``repaired`` is a part of ``copied``.
        """
        states = [outcome.status for outcome in self.outcomes]
        return {
            "planned": len(states),
            "present": states.count(Status.PRESENT),
            "copied": states.count(Status.COPIED),
            "intact": sum(outcome.is_intact for outcome in self.outcomes),
            "corrupt": states.count(Status.CORRUPT),
            "missing": states.count(Status.MISSING),
            "failed": states.count(Status.FAILED),
            "repaired": sum(outcome.repaired for outcome in self.outcomes),
        }

    @property
    def complete(self) -> bool:
        """Whether every object of every revision is proven to be in the target."""
        whole = not self.uncollectable and all(part.complete for part in self.parts)
        return whole and all(outcome.is_intact for outcome in self.outcomes)

    @property
    def not_intact(self) -> tuple[Outcome, ...]:
        """The outcomes that keep the migration from being complete."""
        return tuple(outcome for outcome in self.outcomes if not outcome.is_intact)

    @property
    def bytes_copied(self) -> int:
        """How many bytes were copied and proven, in bytes."""
        copied = (outcome for outcome in self.outcomes if outcome.status is Status.COPIED)
        return sum(outcome.item.size_bytes or 0 for outcome in copied)

    @property
    def bytes_intact(self) -> int:
        """How many bytes are proven in the target, in bytes."""
        return sum(outcome.item.size_bytes or 0 for outcome in self.outcomes if outcome.is_intact)

    def evidence_counts(self) -> dict[str, int]:
        """How many intact objects each kind of proof stands for."""
        kinds = [outcome.evidence for outcome in self.outcomes if outcome.is_intact]
        return {kind.value: kinds.count(kind) for kind in Evidence if kind in kinds}

    def as_json(self) -> dict[str, Any]:
        """Return the report as it is written to a file; ``bytes`` counts what this run copied."""
        return {
            "schema_version": SCHEMA_VERSION,
            "source": self.source or None,
            "target": self.target,
            "complete": self.complete,
            "counts": self.counts,
            "bytes": self.bytes_copied,
            "bytes_intact": self.bytes_intact,
            "elapsed_s": round(self.elapsed_s, 3),
            "revisions": self.revisions,
            "evidence": self.evidence_counts(),
            "sample": {"share": self.sample.share, "seed": self.sample.seed},
            "excluded": dict(self.excluded),
            "notes": list(self.notes),
            "uncollectable": [
                {"revision": lost.revision, "path": lost.path, "reason": lost.reason}
                for lost in self.uncollectable
            ],
            "not_intact": [_outcome_json(outcome) for outcome in self.not_intact],
            "repaired": [_outcome_json(outcome) for outcome in self.outcomes if outcome.repaired],
            **{part.name: part.as_json() for part in self.parts},
        }

    def require_complete(self) -> None:
        """Do nothing if every object is proven.

        Raises:
            MigrationIncomplete: It is not; carries this report.
        """
        if self.complete:
            return
        counts = self.counts
        found = [f"{counts[name]} {name}" for name in ("corrupt", "missing", "failed")]
        found.append(f"{len(self.uncollectable)} uncollectable")
        found += [part.told for part in self.parts]
        told = ", ".join(text for text in found if not text.startswith("0 "))
        if not self.source:
            raise MigrationIncomplete(
                f"{self.target} does not provably hold what the revisions need: {told}.",
                report=self,
                hint=f"`./inv dvc-migrate --from OTHER --to {self.target}` copies and repairs what "
                "another remote has.",
            )
        raise MigrationIncomplete(
            f"The migration from {self.source} to {self.target} is incomplete: {told}.",
            report=self,
            hint="Nothing was switched. The report names each one; mend it, then run the same "
            "command again: what is proven is not copied twice.",
        )


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "object": outcome.item.key,
        "status": outcome.status.value,
        "reason": outcome.reason,
        "size_bytes": outcome.item.size_bytes,
        "references": [
            {"path": place.path, "revision": place.revision} for place in outcome.references
        ],
    }
