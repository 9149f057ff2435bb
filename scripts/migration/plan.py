"""Facts in, plan out. Pure: a dry run is "do not call the next function"."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from scripts.migration.model import Evidence, Proof, Status, Word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scripts.migration.directories import Opened
    from scripts.migration.inventory import Uncollectable
    from scripts.migration.model import Reference, StoredObject
    from scripts.migration.parts import Part
    from scripts.migration.table import Ledger, Position

SCHEMA_VERSION = 1
UNASKED = Proof(Evidence.NONE)


class Action(Word):
    """What is to be done with an object."""

    KEEP = "keep"
    COPY = "copy"
    REPAIR = "repair"
    NONE = "none"


class Decision(NamedTuple):
    """What is to be done with an object; there are few different ones.

    With ``Action.NONE`` nothing can be done: ``status`` says what became of it. ``read_from`` names
    where it is read if the source lacks it. ``is_told`` says that where it is read the listing
    proves its bytes: a server may then copy it without their being looked at.
    """

    action: Action
    evidence: Evidence = Evidence.NONE
    status: Status | None = None
    read_from: str = ""
    is_told: bool = False

    @property
    def is_copying(self) -> bool:
        """Whether the object's bytes will be read."""
        return self.action in (Action.COPY, Action.REPAIR)


@dataclass(frozen=True)
class PlannedObject:
    """One object of a plan: what is to be done with it, why, and where it is used if that is told.

    ``item`` is the object as the source lists it.
    """

    item: StoredObject
    decision: Decision
    reason: str = ""
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True)
class Healing:
    """Where an object is that the source lacks: as ``place`` lists it, its bytes being right."""

    item: StoredObject
    place: str


@dataclass(frozen=True)
class Share:
    """What a revision has in a plan, or an output's path over all revisions.

    ``objects`` = ``present`` + ``to_copy`` + ``lost``; ``to_repair`` is a part of ``to_copy``. An
    object that several share is counted with each.

    Attributes:
        name: The revision, or the path.
        size_bytes: The size of the objects as far as a listing has it, in bytes.
        bytes_to_copy: How many of these will be read, in bytes.
    """

    name: str
    objects: int
    present: int
    to_copy: int
    to_repair: int
    lost: int
    size_bytes: int
    bytes_to_copy: int


@dataclass(frozen=True)
class Estimate:
    """How long copying will take, in seconds; if it is not ``is_whole``, reading alone does."""

    duration_s: float
    is_whole: bool


@dataclass(frozen=True)
class Plan:
    """What a migration will do.

    Attributes:
        source: The remote that is read, by name.
        target: The remote that is filled, by name.
        decisions: What is to be done with every object that a revision needs.
        references: Where the objects are used that are lost or to be repaired.
        revisions: How many revisions were read, the workspace among them.
        excluded: How many outputs are rightly not in the source, by verdict.
        uncollectable: Revisions of which it is not known what they need.
        pinned: How many outputs name the source themselves, so that DVC goes on reading them there.
        notes: What a person should know beside that.
        by_revision: The share of each revision at which a ref stands, and of the workspace.
        by_path: The share of each output.
        started_s: When observing began, on the monotonic clock, in seconds.
        parts: What moves beside the objects.
        excluded_paths: Which outputs are rightly not in the source, by verdict.
        estimate: How long its copying will take; ``None`` where nothing tells.
    """

    source: str
    target: str
    decisions: Ledger[Decision]
    references: Mapping[Position, tuple[Reference, ...]] = field(default_factory=dict)
    revisions: int = 0
    excluded: Mapping[str, int] = field(default_factory=dict)
    uncollectable: tuple[Uncollectable, ...] = ()
    pinned: int = 0
    notes: tuple[str, ...] = ()
    by_revision: tuple[Share, ...] = ()
    by_path: tuple[Share, ...] = ()
    started_s: float = 0.0
    parts: tuple[Part, ...] = ()
    excluded_paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    estimate: Estimate | None = None

    @cached_property
    def kinds(self) -> Counter[Decision]:
        """How many objects each decision is taken for."""
        return self.decisions.counts()

    def chosen(self, decisions: Iterable[Decision]) -> Iterator[PlannedObject]:
        """Yield the objects for which one of ``decisions`` is taken."""
        for position in self.decisions.positions(decisions):
            yield PlannedObject(
                self.decisions.table.item(position),
                self.decisions.verdict(position),
                self.decisions.words.get(position, ""),
                self.references.get(position, ()),
            )

    @property
    def objects(self) -> Iterator[PlannedObject]:
        """Every object, one after the other: as many as there are."""
        return self.chosen(self.kinds)

    @cached_property
    def lost(self) -> tuple[PlannedObject, ...]:
        """The objects with which nothing can be done."""
        return tuple(self.chosen(kind for kind in self.kinds if kind.action is Action.NONE))

    @cached_property
    def to_repair(self) -> tuple[PlannedObject, ...]:
        """The objects of which the target holds wrong bytes."""
        return tuple(self.chosen(kind for kind in self.kinds if kind.action is Action.REPAIR))

    @property
    def healed_from(self) -> dict[str, int]:
        """How many objects that the source lacks are read from where else, by place."""
        found: Counter[str] = Counter()
        for kind, count in self.kinds.items():
            if kind.read_from:
                found[kind.read_from] += count
        return dict(found)

    @property
    def can_complete(self) -> bool:
        """Whether nothing is known yet that keeps the migration from being complete."""
        whole = not self.uncollectable and all(part.complete for part in self.parts)
        return whole and all(kind.status is None for kind in self.kinds)

    @cached_property
    def bytes_to_copy(self) -> int:
        """How many bytes will be read, from the source or where they are healed from."""
        return self.decisions.bytes_of(kind for kind in self.kinds if kind.is_copying)

    @cached_property
    def counts(self) -> dict[str, int]:
        """``planned`` = ``present`` + ``to_copy`` + ``corrupt`` + ``missing`` + ``failed``.

        ``to_repair`` and ``to_heal`` are parts of ``to_copy``; ``corrupt`` counts directory lists
        only, as files are first read when they are copied.
        """

        def count(of: Iterable[Decision]) -> int:
            return sum(self.kinds[kind] for kind in of)

        return {
            "planned": sum(self.kinds.values()),
            "present": count(kind for kind in self.kinds if kind.action is Action.KEEP),
            "to_copy": count(kind for kind in self.kinds if kind.is_copying),
            "to_repair": count(kind for kind in self.kinds if kind.action is Action.REPAIR),
            "to_heal": count(kind for kind in self.kinds if kind.read_from),
            **{
                status.value: count(kind for kind in self.kinds if kind.status is status)
                for status in (Status.CORRUPT, Status.MISSING, Status.FAILED)
            },
        }

    def as_json(self) -> dict[str, Any]:
        """Return the plan as it is told to programs; sizes are in bytes."""
        return {
            "schema_version": SCHEMA_VERSION,
            "source": self.source,
            "target": self.target,
            "can_complete": self.can_complete,
            "counts": self.counts,
            "bytes_to_copy": self.bytes_to_copy,
            "estimate": asdict(self.estimate) if self.estimate else None,
            "healed_from": self.healed_from,
            "revisions": self.revisions,
            "excluded": dict(self.excluded),
            "excluded_paths": {name: list(paths) for name, paths in self.excluded_paths.items()},
            "notes": list(self.notes),
            "uncollectable": [asdict(lost) for lost in self.uncollectable],
            "lost": [_planned_json(entry) for entry in self.lost],
            "to_repair": [_planned_json(entry) for entry in self.to_repair],
            "by_revision": [asdict(share) for share in self.by_revision],
            "by_path": [asdict(share) for share in self.by_path],
            **{part.name: part.as_json() for part in self.parts},
        }


def _planned_json(planned: PlannedObject) -> dict[str, Any]:
    status = planned.decision.status
    return {
        "object": planned.item.key,
        "status": status.value if status else None,
        "reason": planned.reason,
        "size_bytes": planned.item.size_bytes,
        "references": [asdict(place) for place in planned.references],
    }


@dataclass(frozen=True)
class Observed:
    """What was observed of one object.

    Attributes:
        source: How the source lists it, if it does.
        target: How the target lists it, if it does.
        proof: What the target is proven to hold under its name.
        unopened: Why its list of files cannot be read, if it is a directory's.
        healing: Where it is if the source lacks it.
        looked_into: Where it was looked for then.
    """

    source: StoredObject | None = None
    target: StoredObject | None = None
    proof: Proof = UNASKED
    unopened: Opened | None = None
    healing: Healing | None = None
    looked_into: tuple[str, ...] = ()


def decide(observed: Observed) -> tuple[Decision, str]:
    """Decide what is to be done with an object that a revision needs; say why, if it is no copy."""
    proof = observed.proof
    if proof.evidence.is_proof:
        return Decision(Action.KEEP, proof.evidence), ""
    if observed.unopened is not None and observed.unopened.status is not None:
        return Decision(Action.NONE, status=observed.unopened.status), observed.unopened.reason
    action = Action.COPY if observed.target is None else Action.REPAIR
    if observed.source is not None:
        is_told = observed.source.checksum == observed.source.md5
        return Decision(action, is_told=is_told), proof.reason if action is Action.REPAIR else ""
    if observed.healing is not None:
        is_told = observed.healing.item.checksum == observed.healing.item.md5
        decision = Decision(action, read_from=observed.healing.place, is_told=is_told)
        return decision, proof.reason
    reason = ", nor in ".join(("it is not in the source", *observed.looked_into))
    if observed.target is not None:
        reason += f", and in the target {proof.reason or 'it is not proven'}"
    return Decision(Action.NONE, status=Status.MISSING), reason
