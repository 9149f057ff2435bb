"""Facts in, plan out. Pure: a dry run is "do not call the next function"."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from scripts.migration.model import Evidence, Proof, Reference, Status, StoredObject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.migration.directories import Opened
    from scripts.migration.inventory import Inventory, Uncollectable
    from scripts.migration.parts import Part

SCHEMA_VERSION = 1
REFERENCES_KEPT = 8
"""How many of the places that use an object are kept: enough to find it, whatever the history."""


class Action(Enum):
    """What is to be done with an object."""

    KEEP = "keep"
    COPY = "copy"
    REPAIR = "repair"
    NONE = "none"


@dataclass(frozen=True)
class PlannedObject:
    """An object that revisions need, and what is to be done with it.

    ``item`` is the object as the source lists it. With ``Action.NONE`` nothing can be done:
    ``status`` and ``reason`` say why. ``read_from`` names where it is read if the source lacks it.
    """

    item: StoredObject
    action: Action
    evidence: Evidence = Evidence.NONE
    status: Status | None = None
    reason: str = ""
    references: tuple[Reference, ...] = ()
    read_from: str = ""


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
class Observation:
    """All that was observed, by key where it is about objects."""

    inventory: Inventory
    source: Mapping[str, StoredObject]
    target: Mapping[str, StoredObject]
    directories: Mapping[str, Opened] = field(default_factory=dict)
    proofs: Mapping[str, Proof] = field(default_factory=dict)
    healing: Mapping[str, Healing] = field(default_factory=dict)
    looked_into: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a migration will do.

    Attributes:
        source: The remote that is read, by name.
        target: The remote that is filled, by name.
        objects: Every object that a revision needs, once, by key.
        contents: The keys of the files of every opened directory, by the directory's key.
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
    """

    source: str
    target: str
    objects: tuple[PlannedObject, ...]
    contents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
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

    @property
    def to_copy(self) -> tuple[PlannedObject, ...]:
        """The objects whose bytes will be read, from the source or where they are healed from."""
        return tuple(
            planned for planned in self.objects if planned.action in (Action.COPY, Action.REPAIR)
        )

    @property
    def healed_from(self) -> dict[str, int]:
        """How many objects that the source lacks are read from where else, by place."""
        return dict(Counter(entry.read_from for entry in self.objects if entry.read_from))

    @property
    def can_complete(self) -> bool:
        """Whether nothing is known yet that keeps the migration from being complete."""
        whole = not self.uncollectable and all(part.complete for part in self.parts)
        return whole and all(entry.status is None for entry in self.objects)

    @property
    def bytes_to_copy(self) -> int:
        """How many bytes these are, as far as a listing has them."""
        return sum(planned.item.size_bytes or 0 for planned in self.to_copy)

    @property
    def counts(self) -> dict[str, int]:
        """``planned`` = ``present`` + ``to_copy`` + ``corrupt`` + ``missing`` + ``failed``.

        ``to_repair`` and ``to_heal`` are parts of ``to_copy``; ``corrupt`` counts directory lists
        only, as files are first read when they are copied.
        """
        actions = [planned.action for planned in self.objects]
        states = [planned.status for planned in self.objects]
        return {
            "planned": len(self.objects),
            "present": actions.count(Action.KEEP),
            "to_copy": actions.count(Action.COPY) + actions.count(Action.REPAIR),
            "to_repair": actions.count(Action.REPAIR),
            "to_heal": sum(bool(planned.read_from) for planned in self.objects),
            "corrupt": states.count(Status.CORRUPT),
            "missing": states.count(Status.MISSING),
            "failed": states.count(Status.FAILED),
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
            "healed_from": self.healed_from,
            "revisions": self.revisions,
            "excluded": dict(self.excluded),
            "excluded_paths": {name: list(paths) for name, paths in self.excluded_paths.items()},
            "notes": list(self.notes),
            "uncollectable": [asdict(lost) for lost in self.uncollectable],
            "lost": [_planned_json(entry) for entry in self.objects if entry.status is not None],
            "to_repair": [
                _planned_json(entry) for entry in self.objects if entry.action is Action.REPAIR
            ],
            "by_revision": [asdict(share) for share in self.by_revision],
            "by_path": [asdict(share) for share in self.by_path],
            **{part.name: part.as_json() for part in self.parts},
        }


def _planned_json(planned: PlannedObject) -> dict[str, Any]:
    return {
        "object": planned.item.key,
        "status": planned.status.value if planned.status else None,
        "reason": planned.reason,
        "size_bytes": planned.item.size_bytes,
        "references": [asdict(place) for place in planned.references],
    }


def references_of(
    inventory: Inventory, directories: Mapping[str, Opened]
) -> dict[StoredObject, tuple[Reference, ...]]:
    """Return every object that revisions need, files of directories included, and its users."""
    found: dict[StoredObject, dict[Reference, None]] = {}
    for item, places in inventory.references.items():
        _add(found, item, places)
        opened = directories.get(item.key)
        for entry in opened.entries if opened else ():
            inside = tuple(
                Reference(f"{place.path}/{entry.path}", place.revision)
                for place in places[:REFERENCES_KEPT]
            )
            _add(found, entry.item, inside)
    return {item: tuple(places) for item, places in found.items()}


def _add(
    found: dict[StoredObject, dict[Reference, None]],
    item: StoredObject,
    places: tuple[Reference, ...],
) -> None:
    known = found.setdefault(item, {})
    for place in places[: REFERENCES_KEPT - len(known)]:
        known[place] = None


def make_plan(observed: Observation, source: str, target: str, started_s: float = 0.0) -> Plan:
    """Decide for every object that a revision needs what is to be done with it.

    Args:
        observed: The facts.
        source: The source's name.
        target: The target's name.
        started_s: When observing began, on the monotonic clock, in seconds.
    """
    wanted = references_of(observed.inventory, observed.directories)
    objects = [_decide(item, places, observed) for item, places in wanted.items()]
    return Plan(
        source=source,
        target=target,
        objects=tuple(sorted(objects, key=lambda planned: planned.item.key)),
        contents={
            key: tuple(entry.item.key for entry in opened.entries)
            for key, opened in observed.directories.items()
            if opened.status is None
        },
        revisions=observed.inventory.revisions,
        excluded={verdict.value: n for verdict, n in observed.inventory.excluded.items()},
        uncollectable=observed.inventory.uncollectable,
        pinned=observed.inventory.pinned,
        started_s=started_s,
        excluded_paths={
            verdict.value: paths for verdict, paths in observed.inventory.excluded_paths.items()
        },
    )


def _decide(
    item: StoredObject, places: tuple[Reference, ...], observed: Observation
) -> PlannedObject:
    listed = observed.source.get(item.key)
    in_target = observed.target.get(item.key)
    proof = observed.proofs.get(item.key, Proof(Evidence.NONE))
    opened = observed.directories.get(item.key)
    if proof.evidence.is_proof:
        return PlannedObject(in_target or item, Action.KEEP, proof.evidence, references=places)
    if opened is not None and opened.status is not None:
        return PlannedObject(
            listed or item, Action.NONE, status=opened.status, reason=opened.reason,
            references=places,
        )  # fmt: skip
    healing = observed.healing.get(item.key) if listed is None else None
    if healing is not None:
        action = Action.COPY if in_target is None else Action.REPAIR
        return PlannedObject(
            healing.item, action, reason=proof.reason, references=places, read_from=healing.place
        )
    if listed is None:
        reason = ", nor in ".join(("it is not in the source", *observed.looked_into))
        if in_target is not None:
            reason += f", and in the target {proof.reason or 'it is not proven'}"
        return PlannedObject(
            item, Action.NONE, status=Status.MISSING, reason=reason, references=places
        )
    if in_target is None:
        return PlannedObject(listed, Action.COPY, references=places)
    return PlannedObject(listed, Action.REPAIR, reason=proof.reason, references=places)
