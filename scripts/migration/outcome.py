"""The report of a migration: built from outcomes, and from nothing else."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Callable

from scripts.errors import MigrationIncomplete
from scripts.migration.model import Evidence, Outcome, Result, Status
from scripts.migration.sample import EVIDENCE, Sample

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Mapping

    from scripts.migration.inventory import Uncollectable
    from scripts.migration.model import Reference
    from scripts.migration.parts import Part
    from scripts.migration.plan import Share
    from scripts.migration.table import Ledger, Position

SCHEMA_VERSION = 1


class Outcomes:
    """What became of every planned object.

    Args:
        results: One for each object.
        references: Where the objects are used of which a person wants to know it.
        copying_s: How long copying took, in seconds.
        notes: What was found out about the target before anything was copied.
    """

    def __init__(
        self,
        results: Ledger[Result],
        references: Mapping[Position, tuple[Reference, ...]] | None = None,
        copying_s: float = 0.0,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.results = results
        self.notes = notes
        self.copying_s = copying_s
        self.references = references or {}

    @cached_property
    def counts(self) -> Counter[Result]:
        """How many objects there are of each result.

        Raises:
            ValueError: An object has none.
        """
        return self.results.counts()

    def __len__(self) -> int:
        return sum(self.counts.values())

    def __iter__(self) -> Iterator[Outcome]:
        return self.chosen(self.counts)

    def chosen(self, results: Iterable[Result]) -> Iterator[Outcome]:
        """Yield the outcomes that have one of ``results``."""
        for position in self.results.positions(results):
            result = self.results.verdict(position)
            yield Outcome(
                self.results.table.item(position), result.status, result.evidence,
                self.results.words.get(position, ""), result.repaired,
                self.references.get(position, ()),
            )  # fmt: skip


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
        by_revision: The share that each told revision had in the plan.
        revisions: How many revisions were read, the workspace among them.
        elapsed_s: From the first look to the last, in seconds.
        sample: What was read back although the listing proved it.
        parts: What moved beside the objects.
    """

    source: str
    target: str
    outcomes: Outcomes
    uncollectable: tuple[Uncollectable, ...] = ()
    excluded: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    by_revision: tuple[Share, ...] = ()
    revisions: int = 0
    elapsed_s: float = 0.0
    sample: Sample = EVIDENCE
    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        for result in self.outcomes.counts:
            if result.claims_intact and not result.is_intact:
                raise ValueError("an object is called intact without proof")

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many objects there are of each kind. Two sums hold.

        ``planned`` = ``intact`` + ``corrupt`` + ``missing`` + ``failed``, and
        ``intact`` = ``present`` + ``copied``. ``repaired`` is a part of ``copied``.
        """
        kinds = self.outcomes.counts

        def count(of: Iterable[Result]) -> int:
            return sum(kinds[kind] for kind in of)

        def of_status(status: Status) -> int:
            return count(kind for kind in kinds if kind.status is status)

        return {
            "planned": len(self.outcomes),
            "present": of_status(Status.PRESENT),
            "copied": of_status(Status.COPIED),
            "intact": count(kind for kind in kinds if kind.is_intact),
            "corrupt": of_status(Status.CORRUPT),
            "missing": of_status(Status.MISSING),
            "failed": of_status(Status.FAILED),
            "repaired": count(kind for kind in kinds if kind.repaired),
        }

    @property
    def complete(self) -> bool:
        """Whether every object of every revision is proven to be in the target."""
        whole = not self.uncollectable and all(part.complete for part in self.parts)
        return whole and all(kind.is_intact for kind in self.outcomes.counts)

    @cached_property
    def not_intact(self) -> tuple[Outcome, ...]:
        """The outcomes that keep the migration from being complete."""
        return tuple(self._chosen(lambda kind: not kind.is_intact))

    @cached_property
    def repaired(self) -> tuple[Outcome, ...]:
        """The outcomes of objects of which the target held wrong bytes."""
        return tuple(self._chosen(lambda kind: kind.repaired))

    @cached_property
    def bytes_copied(self) -> int:
        """How many bytes were copied and proven, in bytes."""
        return self._bytes_of(lambda kind: kind.status is Status.COPIED)

    @cached_property
    def bytes_intact(self) -> int:
        """How many bytes are proven in the target, in bytes."""
        return self._bytes_of(lambda kind: kind.is_intact)

    def evidence_counts(self) -> dict[str, int]:
        """How many intact objects each kind of proof stands for."""
        kinds = self.outcomes.counts
        found = {
            evidence.value: sum(
                count
                for kind, count in kinds.items()
                if kind.is_intact and kind.evidence is evidence
            )
            for evidence in Evidence
        }
        return {evidence: count for evidence, count in found.items() if count}

    def _chosen(self, wanted: Callable[[Result], bool]) -> Iterator[Outcome]:
        return self.outcomes.chosen(kind for kind in self.outcomes.counts if wanted(kind))

    def _bytes_of(self, wanted: Callable[[Result], bool]) -> int:
        kinds = (kind for kind in self.outcomes.counts if wanted(kind))
        return self.outcomes.results.bytes_of(kinds)

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
            "copying_s": round(self.outcomes.copying_s, 3),
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
            "repaired": [_outcome_json(outcome) for outcome in self.repaired],
            "by_revision": [asdict(share) for share in self.by_revision],
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
