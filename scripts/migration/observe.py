"""Observe both remotes and the history, then plan. Nothing is changed."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.migration.breakdown import break_down
from scripts.migration.directories import open_directories
from scripts.migration.heal import Healers
from scripts.migration.history import History, read_history
from scripts.migration.inventory import read_inventory, with_more, with_unreferenced
from scripts.migration.notes import tell_notes
from scripts.migration.plan import Observation, Plan, make_plan, references_of
from scripts.migration.project import has_history
from scripts.migration.prove import list_store, prove_objects
from scripts.migration.sample import EVIDENCE, Sample
from scripts.migration.scope import Scope
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.migration.model import Proof, StoredObject
    from scripts.migration.opening import Stores
    from scripts.migration.parts import Wanted
    from scripts.progress import Progress

DEFAULT_JOBS = 32


def plan_migration(
    stores: Stores,
    *,
    scope: Scope = Scope.ALL,
    jobs: int = DEFAULT_JOBS,
    progress: Progress | None = None,
    sample: Sample = EVIDENCE,
    also: Wanted | None = None,
) -> Plan:
    """Find out what the revisions need, what the target provably holds, and what is to be done.

    Args:
        stores: The project and its remotes.
        scope: Which revisions count, or all that the source holds.
        jobs: How many objects are read at once (directory lists, read-backs of the target).
        progress: Where to tell what is going on.
        sample: What of the target is read back although its listing proves it.
        also: What is wanted beside what the revisions need.

    Raises:
        StoreError: A remote cannot be listed.
        SettingsError: The project cannot be read.
        ToolError: git is missing or failed.
    """
    progress = progress or SilentProgress()
    started_s = time.monotonic()
    source = list_store(stores.source, progress)
    target = list_store(stores.target, progress)
    history = read_history(stores.root, progress, scope) if has_history(stores.root) else None
    inventory = read_inventory(
        stores.root, stores.source.name, progress, history=history or History()
    )
    if scope is Scope.STORE:
        inventory = with_unreferenced(inventory, source.values())
    if also is not None:
        inventory = with_more(inventory, also(lambda item: item.key in source))
    directories = open_directories(
        (item for item in inventory.references if item.is_directory),
        ((stores.source, source), (stores.target, target)),
        jobs=jobs,
        progress=progress,
    )
    healers = Healers(stores, jobs=jobs, progress=progress)
    directories.update(
        healers.open_directories(
            opened.directory
            for key, opened in directories.items()
            if opened.status is not None and key not in source
        )
    )
    wanted = references_of(inventory, directories)
    proofs = prove_objects(
        (item for item in wanted if item.key in target), stores.target, target,
        jobs=jobs, progress=progress, name="proving what is present", sample=sample,
    )  # fmt: skip
    healing = healers.find(
        item for item in wanted if item.key not in source and not _is_proven(item, proofs)
    )
    looked_into = tuple(healer.name for healer in stores.healers)
    observed = Observation(inventory, source, target, directories, proofs, healing, looked_into)
    plan = make_plan(observed, stores.source.name, stores.target.name, started_s)
    notes = tell_notes(plan, inventory, history, scope)
    return break_down(replace(plan, notes=notes), inventory)


def _is_proven(item: StoredObject, proofs: Mapping[str, Proof]) -> bool:
    return item.key in proofs and proofs[item.key].evidence.is_proof
