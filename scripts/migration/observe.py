"""Observe both remotes and the history, then plan. Nothing is changed."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.migration.directories import open_directories
from scripts.migration.inventory import read_inventory
from scripts.migration.plan import Observation, Plan, make_plan, references_of
from scripts.migration.prove import list_store, prove_objects
from scripts.migration.sample import EVIDENCE, Sample
from scripts.progress import SilentProgress
from scripts.report import count_text

if TYPE_CHECKING:
    from scripts.migration.inventory import Inventory
    from scripts.migration.opening import Stores
    from scripts.progress import Progress

DEFAULT_JOBS = 32


def plan_migration(
    stores: Stores,
    *,
    jobs: int = DEFAULT_JOBS,
    progress: Progress | None = None,
    sample: Sample = EVIDENCE,
) -> Plan:
    """Find out what every revision needs, what the target provably holds, and what is to be done.

    Args:
        stores: The project and its remotes.
        jobs: How many objects are read at once (directory lists, read-backs of the target).
        progress: Where to tell what is going on.
        sample: What of the target is read back although its listing proves it.

    Raises:
        StoreError: A remote cannot be listed.
        SettingsError: The project cannot be read.
        ToolError: git is missing or failed.
    """
    progress = progress or SilentProgress()
    started_s = time.monotonic()
    source = list_store(stores.source, progress)
    target = list_store(stores.target, progress)
    inventory = read_inventory(stores.root, stores.source.name, progress)
    directories = open_directories(
        (item for item in inventory.references if item.is_directory),
        ((stores.source, source), (stores.target, target)),
        jobs=jobs,
        progress=progress,
    )
    wanted = references_of(inventory, directories)
    proofs = prove_objects(
        (item for item in wanted if item.key in target), stores.target, target,
        jobs=jobs, progress=progress, name="proving what is present", sample=sample,
    )  # fmt: skip
    observed = Observation(inventory, source, target, directories, proofs)
    plan = make_plan(observed, stores.source.name, stores.target.name, started_s)
    return replace(plan, notes=_notes(stores, inventory))


def _notes(stores: Stores, inventory: Inventory) -> tuple[str, ...]:
    source = stores.source.name
    notes = []
    if stores.source.holds_run_cache():
        notes.append(
            f"{source} holds a run-cache (runs/), which is not migrated; "
            "`dvc push --run-cache` moves it."
        )
    if inventory.pinned:
        notes.append(
            f"{count_text(inventory.pinned, 'output')} set `remote: {source}` themselves: they are "
            f"copied, but DVC goes on reading them from {source}."
        )
    return tuple(notes)
