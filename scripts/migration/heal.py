"""Objects that revisions need and the source lacks, found elsewhere: in the cache, or a remote.

None of these places is written to, and the cache is read as the directory that it is: DVC's own
object database deletes there what it takes for damaged.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.migration.directories import open_directories
from scripts.migration.opening import open_remote
from scripts.migration.plan import Healing
from scripts.migration.project import open_project
from scripts.migration.prove import list_store, prove_objects
from scripts.migration.store import ReadOnly
from scripts.migration.stores.disk import DiskStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scripts.migration.directories import Opened
    from scripts.migration.model import StoredObject
    from scripts.migration.opening import Stores
    from scripts.migration.plan import Plan
    from scripts.migration.store import Source
    from scripts.progress import Progress


def with_healers(
    stores: Stores, heal_from: str = "", passed: Mapping[str, str] | None = None
) -> Stores:
    """Return ``stores`` and where to look for what the source lacks: the cache, then a remote.

    Args:
        stores: The project and its remotes.
        heal_from: A third remote, by its name in DVC's configuration; none if empty.
        passed: ``AWS_...`` variables of Slipway's settings; they go before the environment.

    Raises:
        SettingsError: There is no such remote, or it is of a kind that holds no objects.
        AccessDenied: It has no credentials.
    """
    with open_project(stores.root) as repo:
        cache = Path(os.path.realpath(repo.cache.local_cache_dir))
    healers: list[Source] = [ReadOnly(DiskStore("the cache", cache))] if cache.is_dir() else []
    if heal_from:
        healers.append(open_remote(stores.root, heal_from, passed))
    return replace(stores, healers=tuple(healers))


class Healers:
    """The places to look into; each is listed when something is first looked for there."""

    def __init__(self, stores: Stores, *, jobs: int, progress: Progress) -> None:
        self._healers = stores.healers
        self._listed: dict[str, Mapping[str, StoredObject]] = {}
        self._jobs = jobs
        self._progress = progress

    def open_directories(self, lost: Iterable[StoredObject]) -> dict[str, Opened]:
        """Open those of the directories ``lost`` whose list is found with the right bytes."""
        wanted = list(lost)
        if not wanted:
            return {}
        opened = open_directories(
            wanted, list(self._places()), jobs=self._jobs, progress=self._progress
        )
        return {key: found for key, found in opened.items() if found.status is None}

    def find(self, lost: Iterable[StoredObject]) -> dict[str, Healing]:
        """Return where each of the objects ``lost`` is that is found with the right bytes."""
        left = list(lost)
        found: dict[str, Healing] = {}
        for healer, listing in self._places() if left else ():
            here = [item for item in left if item.key in listing]
            proofs = prove_objects(
                here, healer, listing,
                jobs=self._jobs, progress=self._progress, name=f"looking into {healer.name}",
            )  # fmt: skip
            proven = {key for key, proof in proofs.items() if proof.evidence.is_proof}
            found.update((key, Healing(listing[key], healer.name)) for key in proven)
            left = [item for item in left if item.key not in proven]
        return found

    def _places(self) -> Iterator[tuple[Source, Mapping[str, StoredObject]]]:
        for healer in self._healers:
            if healer.name not in self._listed:
                self._listed[healer.name] = list_store(healer, self._progress)
            yield healer, self._listed[healer.name]


def origins(stores: Stores, plan: Plan) -> dict[str, Source]:
    """Return where each object that the source lacks is read from, by key."""
    by_name = {healer.name: healer for healer in stores.healers}
    return {entry.item.key: by_name[entry.read_from] for entry in plan.objects if entry.read_from}
