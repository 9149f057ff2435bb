"""From observed facts to what goes and what stays. Pure: a dry run is not calling the next step."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.gc.model import Keep, Kept, Reason, Removal
from scripts.migration.model import ABSENT, OTHER_BYTES, Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts.gc.model import CachedObject, Needs
    from scripts.migration.directories import Opened
    from scripts.migration.model import Proof


@dataclass(frozen=True)
class Request:
    """What is asked for: which revisions keep what they need, and whether even that may go."""

    keep: Keep = Keep.WORKSPACE
    not_in_remote: bool = False


@dataclass(frozen=True)
class Plan:
    """What goes and what stays; together they are the whole cache.

    Attributes:
        remote: The remote that was proven in, by name.
        cache: The cache's directory.
        request: What was asked for.
        removals: What goes, lists of directories before their files.
        kept: What stays, and why.
        others: The workspaces of the other projects that were asked.
        notes: What a person should know beside that.
        started_s: When the first look began, on the monotonic clock.
    """

    remote: str
    cache: str
    request: Request
    removals: tuple[Removal, ...]
    kept: tuple[Kept, ...]
    others: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    started_s: float = field(default=0.0, compare=False)

    @property
    def bytes_to_remove(self) -> int:
        """The size of what goes, in bytes."""
        return sum(removal.cached.item.size_bytes or 0 for removal in self.removals)


def protect(
    own: Needs, others: Iterable[Needs], linked: Iterable[str], request: Request
) -> dict[str, tuple[Reason, str]]:
    """Return why objects stay whatever the remote holds, by key, with a detail."""
    protected: dict[str, tuple[Reason, str]] = {}
    for key in own.elsewhere:
        protected[key] = (Reason.ELSEWHERE, "")
    if not request.not_in_remote:
        protected.update(dict.fromkeys(own.needed, (Reason.NEEDED, "")))
    for key in linked:
        protected.setdefault(key, (Reason.LINKED, ""))
    for other in others:
        protected.update({key: (Reason.OTHER_PROJECT, str(other.root)) for key in other.needed})
    return protected


def judge(
    cached: CachedObject, proofs: Mapping[str, Proof], lists: Mapping[str, Opened]
) -> Removal | tuple[Reason, str]:
    """Return the removal of an unprotected object, or why it stays."""
    key = cached.item.key
    proof = proofs.get(key, ABSENT)
    if not proof.evidence.is_proof:
        return _unproven(proof)
    if not cached.item.is_directory:
        return Removal(cached, proof.evidence, (key,))
    opened = lists[key]
    if opened.status is not None:
        return Reason.PART_UNPROVEN, opened.reason
    parts = tuple(dict.fromkeys(entry.item.key for entry in opened.entries))
    missing = next((part for part in parts if not _is_proven(part, proofs)), None)
    if missing is not None:
        return Reason.PART_UNPROVEN, missing
    return Removal(cached, proof.evidence, (key, *parts))


def make_plan(
    cached: Iterable[CachedObject],
    protected: Mapping[str, tuple[Reason, str]],
    proofs: Mapping[str, Proof],
    lists: Mapping[str, Opened],
    own: Needs,
) -> tuple[tuple[Removal, ...], tuple[Kept, ...]]:
    """Return what goes and what stays of ``cached``, each object once."""
    places = {**_places_of_parts(lists, own.places), **own.places}
    removals, kept = [], []
    for entry in cached:
        key = entry.item.key
        verdict = protected.get(key) or judge(entry, proofs, lists)
        if isinstance(verdict, Removal):
            removals.append(verdict)
        else:
            kept.append(Kept(entry.item, *verdict, places.get(key)))
    removals.sort(key=lambda removal: (not removal.cached.item.is_directory, _key(removal)))
    return tuple(removals), tuple(kept)


def by_reason(kept: Iterable[Kept]) -> dict[Reason, dict[str, int]]:
    """Return how many objects and bytes stay for each reason, in the order of the reasons."""
    objects: Counter[Reason] = Counter()
    sizes: Counter[Reason] = Counter()
    for entry in kept:
        objects[entry.reason] += 1
        sizes[entry.reason] += entry.item.size_bytes or 0
    return {
        reason: {"objects": objects[reason], "bytes": sizes[reason]}
        for reason in Reason
        if objects[reason]
    }


def kept_json(kept: Iterable[Kept]) -> list[dict[str, Any]]:
    """Return each object that stays against the wish to see it go, for programs."""
    return [
        {
            "object": entry.item.key,
            "reason": entry.reason.name.lower(),
            "detail": entry.detail,
            "size_bytes": entry.item.size_bytes,
            "path": entry.place.path if entry.place else None,
            "revision": entry.place.revision if entry.place else None,
        }
        for entry in kept
    ]


def _places_of_parts(
    lists: Mapping[str, Opened], places: Mapping[str, Reference]
) -> dict[str, Reference]:
    """Return a place for each file of the directories whose own place is known."""
    return {
        entry.item.key: Reference(f"{places[key].path}/{entry.path}", places[key].revision)
        for key, opened in lists.items()
        if key in places
        for entry in opened.entries
    }


def _key(removal: Removal) -> str:
    return removal.cached.item.key


def _is_proven(key: str, proofs: Mapping[str, Proof]) -> bool:
    return proofs.get(key, ABSENT).evidence.is_proof


def _unproven(proof: Proof) -> tuple[Reason, str]:
    if proof == ABSENT:
        return Reason.NOT_IN_REMOTE, ""
    if proof == OTHER_BYTES:
        return Reason.DAMAGED, ""
    return Reason.UNPROVEN, proof.reason
