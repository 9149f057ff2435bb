"""Delete from the source what the target provably has. No other module writes to a source.

It never follows a migration by itself. Everything that any revision needs must be proven in the
target at this moment, or nothing at all is deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.errors import MigrationIncomplete, ObjectMissing, SettingsError, StoreError
from scripts.migration.digest import digest_for
from scripts.migration.observe import DEFAULT_JOBS
from scripts.migration.plan import Action
from scripts.migration.prove import list_store, prove_objects
from scripts.migration.retry import retrying
from scripts.migration.workers import Stop, in_threads
from scripts.progress import SilentProgress
from scripts.report import count_text

if TYPE_CHECKING:
    from scripts.migration.model import StoredObject
    from scripts.migration.opening import Stores
    from scripts.migration.plan import Plan
    from scripts.migration.store import Store
    from scripts.progress import Phase, Progress


@dataclass(frozen=True)
class Pruning:
    """What is to be deleted, or was.

    Attributes:
        source: The remote to delete from, by name.
        target: The remote that has it all, by name.
        place: Where the source is, for people.
        items: The objects to delete: directories' lists first, then files.
        kept: How many objects of the source no revision needs; they stay.
    """

    source: str
    target: str
    place: str
    items: tuple[StoredObject, ...]
    kept: int = 0

    @property
    def size_bytes(self) -> int:
        """How many bytes the source gets rid of."""
        return sum(item.size_bytes or 0 for item in self.items)

    def as_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "source": self.source,
            "target": self.target,
            "place": self.place,
            "objects": len(self.items),
            "bytes": self.size_bytes,
            "kept": self.kept,
        }


def plan_prune(plan: Plan, stores: Stores, progress: Progress | None = None) -> Pruning:
    """Return what the source may lose, by a fresh plan of the migration.

    Args:
        plan: The plan, made just now over all revisions: it must find every object proven.
        stores: The project and its remotes.
        progress: Where to tell what is going on.

    Raises:
        MigrationIncomplete: An object is not proven in the target, or a revision cannot be read.
        SettingsError: DVC would go on reading some outputs from the source.
        StoreError: The source cannot be listed.
    """
    unproven = sum(count for kind, count in plan.kinds.items() if kind.action is not Action.KEEP)
    if unproven or plan.uncollectable:
        raise MigrationIncomplete(
            f"Nothing was deleted: {unproven} objects are not proven in {plan.target}, and "
            f"{len(plan.uncollectable)} DVC files cannot be read.",
            hint=f"`./inv dvc-migrate --from {plan.source} --to {plan.target}` names each one.",
        )
    if plan.pinned:
        raise SettingsError(
            f"{count_text(plan.pinned, 'output')} set `remote: {plan.source}` themselves, so DVC "
            "would look for them there in vain.",
            hint=f"Such a remote has to stay; or let its name mean the new place: "
            f"`dvc remote modify {plan.source} url ...`.",
        )
    listing = list_store(stores.source, progress or SilentProgress())
    needed = [planned.item.key for planned in plan.objects if planned.item.key in listing]
    items = sorted((listing[key] for key in needed), key=lambda item: not item.is_directory)
    return Pruning(
        plan.source, plan.target, stores.source.place, tuple(items), len(listing) - len(items)
    )


def prune_source(
    pruning: Pruning,
    source: Store,
    target: Store,
    *,
    jobs: int = DEFAULT_JOBS,
    progress: Progress | None = None,
) -> Pruning:
    """Delete, and show that the target still holds every one of the objects.

    Args:
        pruning: What to delete.
        source: Where to delete it.
        target: The remote that has it; written to only if it turns out to be the source.
        jobs: How many objects are deleted at once.
        progress: Where to tell what is going on.

    Raises:
        SettingsError: Source and target are one place by two names; nothing is lost then.
        StoreError: An object cannot be deleted, or the target lost one meanwhile.
    """
    progress = progress or SilentProgress()
    listing = list_store(target, progress)
    _prove(pruning, target, listing, jobs=jobs, progress=progress, name="proving once more")
    _require_two_places(pruning, source, target, listing)
    with progress.phase("deleting", total=len(pruning.items)) as phase:
        for directories in (True, False):
            chosen = [item for item in pruning.items if item.is_directory is directories]
            _delete(chosen, source, jobs, phase)
    left = list_store(target, progress)
    _prove(pruning, target, left, jobs=jobs, progress=progress, name="proving what is left")
    return pruning


def _prove(
    pruning: Pruning,
    target: Store,
    listing: dict[str, StoredObject],
    *,
    jobs: int,
    progress: Progress,
    name: str,
) -> None:
    proofs = prove_objects(pruning.items, target, listing, jobs=jobs, progress=progress, name=name)
    lost = [key for key, proof in proofs.items() if not proof.evidence.is_proof]
    if lost:
        raise StoreError(
            f"{target.name}: {len(lost)} objects are no longer proven there, first {lost[0]}.",
            hint=f"Stop everything that writes to {target.name}, then see "
            f"`./inv dvc-verify --remote {target.name}`.",
        )


def _require_two_places(
    pruning: Pruning, source: Store, target: Store, listing: dict[str, StoredObject]
) -> None:
    """Delete the smallest object, a list if there is one, and look whether the target has it.

    A bucket under two addresses or a directory under two mounts cannot be told from two places by
    their names. If they are one, the object is written again.
    """
    if not pruning.items:
        return
    smallest = min(pruning.items, key=lambda item: (not item.is_directory, item.size_bytes or 0))
    kept = listing[smallest.key]
    content = b"".join(target.read(kept))
    digest = digest_for(kept)
    digest.update(content)
    if not digest.matches(kept):
        raise StoreError(f"{target.name}: the bytes of {kept.key} do not hash to its name.")
    try:
        source.remove(smallest)
        is_there = b"".join(target.read(kept)) == content
    except ObjectMissing:
        is_there = False
    except BaseException:
        # It is not known whether the deletion hit the target, so the object is written there again.
        target.publish(kept, [content])
        raise
    if not is_there:
        target.publish(kept, [content])
        raise SettingsError(
            f"'{pruning.source}' and '{pruning.target}' are one place by two names.",
            hint="Nothing is lost; there is nothing to prune. `dvc remote list` shows both.",
        )


def _delete(items: list[StoredObject], source: Store, jobs: int, phase: Phase) -> None:
    def delete_one(item: StoredObject, stop: Stop) -> None:
        retrying(lambda: source.remove(item), stop)
        phase.advance()

    in_threads(delete_one, items, jobs)
