"""Objects that revisions need and the source lacks, found elsewhere: in the cache, or a remote.

None of these places is written to, and the cache is read as the directory that it is: DVC's own
object database deletes there what it takes for damaged.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.migration.opening import open_remote
from scripts.migration.plan import Healing
from scripts.migration.project import read_config
from scripts.migration.prove import list_store, prove_objects
from scripts.migration.store import ReadOnly
from scripts.migration.stores.disk import DiskStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts.migration.model import StoredObject
    from scripts.migration.opening import Stores
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
    config = read_config(stores.root)["cache"]
    cache = Path(os.path.realpath(config.get("dir") or stores.root / ".dvc" / "cache"))
    healers: list[Source] = [ReadOnly(DiskStore("the cache", cache))] if cache.is_dir() else []
    if heal_from:
        healers.append(open_remote(stores.root, heal_from, passed))
    return replace(stores, healers=tuple(healers))


def find_healing(
    healers: Iterable[Source],
    lost: Iterable[StoredObject],
    *,
    jobs: int,
    progress: Progress,
) -> dict[str, Healing]:
    """Return where each of the objects ``lost`` is that is found with the right bytes, by key.

    Args:
        healers: The places to look into, in their order; one is listed when there is need to.
        lost: What the source lacks.
        jobs: How many objects are read at once.
        progress: Told of each step.
    """
    left = list(lost)
    found: dict[str, Healing] = {}
    for healer in healers:
        if not left:
            break
        listing = list_store(healer, progress)
        here = [item for item in left if item.key in listing]
        proofs = prove_objects(
            here, healer, listing,
            jobs=jobs, progress=progress, name=f"looking into {healer.name}",
        )  # fmt: skip
        proven = {key for key, proof in proofs.items() if proof.evidence.is_proof}
        found.update((key, Healing(listing[key], healer.name)) for key in proven)
        left = [item for item in left if item.key not in proven]
    return found


def sources_by_place(stores: Stores) -> dict[str, Source]:
    """Return where objects are read from, by what a plan calls it; the source is called nothing."""
    return {"": stores.source, **{healer.name: healer for healer in stores.healers}}
