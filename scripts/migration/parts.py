"""What stands beside the objects of a plan or a report, with counts and losses of its own. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from scripts.migration.model import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.migration.model import Outcome
    from scripts.migration.outcome import Report
    from scripts.migration.plan import Plan


@dataclass(frozen=True)
class Loss:
    """Something of a part that is not intact: what it is, which ``status``, and why."""

    name: str
    status: str
    reason: str


@dataclass(frozen=True)
class Part:
    """A part of a plan or a report.

    Attributes:
        name: Its key in the JSON.
        title: What it is, for people.
        counts: How many of each kind there are.
        losses: What keeps the migration from being complete.
        notes: What a person should know beside that.
        evidence: How many are known to be intact by which kind of proof.
    """

    name: str
    title: str
    counts: Mapping[str, int] = field(default_factory=dict)
    losses: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()
    evidence: Mapping[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether nothing of it is lost."""
        return not self.losses

    @property
    def told(self) -> str:
        """The losses in a few words."""
        return f"{len(self.losses)} of the {self.title}"

    def as_json(self) -> dict[str, Any]:
        """Return it as it is told to programs."""
        return {
            "counts": dict(self.counts),
            "evidence": dict(self.evidence),
            "not_intact": [asdict(loss) for loss in self.losses],
        }


def part_of(name: str, title: str, outcomes: Sequence[Outcome]) -> Part:
    """Return the part of a report that ``outcomes`` come to; two sums hold, as in the report's."""
    states = Counter(outcome.status for outcome in outcomes)
    counts = {
        "planned": len(outcomes),
        "present": states[Status.PRESENT],
        "copied": states[Status.COPIED],
        "intact": sum(outcome.is_intact for outcome in outcomes),
        **{kind: states[Status(kind)] for kind in ("corrupt", "missing", "failed")},
        "repaired": sum(outcome.repaired for outcome in outcomes),
    }
    losses = tuple(
        Loss(outcome.item.key, outcome.status.value, outcome.reason)
        for outcome in outcomes
        if not outcome.is_intact
    )
    proofs = Counter(outcome.evidence.value for outcome in outcomes if outcome.is_intact)
    return Part(name, title, counts, losses, evidence=proofs)


def plan_with(plan: Plan, *parts: Part) -> Plan:
    """Return ``plan`` with ``parts``, and their notes among its own."""
    notes = [note for part in parts for note in part.notes]
    return replace(plan, parts=(*plan.parts, *parts), notes=(*plan.notes, *notes))


def report_with(report: Report, *parts: Part) -> Report:
    """Return ``report`` with ``parts``; their notes are those of the plan."""
    return replace(report, parts=(*report.parts, *parts))
