"""Observe both remotes and the history, then plan. Nothing is changed."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.migration.breakdown import break_down
from scripts.migration.compare import Comparison, size_of
from scripts.migration.heal import find_healing
from scripts.migration.history import History, read_history
from scripts.migration.inventory import read_inventory, with_more
from scripts.migration.notes import tell_notes
from scripts.migration.plan import Action, Decision, Observed, Plan, decide
from scripts.migration.project import has_history
from scripts.migration.prove import look_into_shards
from scripts.migration.sample import EVIDENCE, Sample
from scripts.migration.scope import Scope
from scripts.migration.table import Ledger, Position
from scripts.migration.uses import find_references
from scripts.migration.wanted import Wanted, read_wanted
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.migration.inventory import Inventory
    from scripts.migration.model import Reference, StoredObject
    from scripts.migration.opening import Stores
    from scripts.progress import Progress

DEFAULT_JOBS = 32


def plan_migration(
    stores: Stores,
    *,
    scope: Scope = Scope.ALL,
    jobs: int = DEFAULT_JOBS,
    progress: Progress | None = None,
    sample: Sample = EVIDENCE,
    also: Mapping[StoredObject, tuple[Reference, ...]] | None = None,
) -> Plan:
    """Find out what the revisions need, what the target provably holds, and what is to be done.

    Args:
        stores: The project and its remotes.
        scope: Which revisions count, or all that the source holds.
        jobs: How many objects are read at once (directory lists, read-backs of the target).
        progress: Where to tell what is going on.
        sample: What of the target is read back although its listing proves it.
        also: What is needed beside what the revisions need, and where it is used.

    Raises:
        StoreError: A remote cannot be listed.
        SettingsError: The project cannot be read.
        ToolError: git is missing or failed.
    """
    progress = progress or SilentProgress()
    started_s = time.monotonic()
    history = read_history(stores.root, progress, scope) if has_history(stores.root) else None
    inventory = read_inventory(
        stores.root, stores.source.name, progress, history=history or History()
    )
    plan = plan_objects(
        stores, with_more(inventory, also or {}), started_s,
        everything=scope is Scope.STORE, jobs=jobs, progress=progress, sample=sample,
    )  # fmt: skip
    notes = tell_notes(plan, inventory, history, scope)
    return replace(plan, notes=notes)


def plan_objects(
    stores: Stores,
    inventory: Inventory,
    started_s: float,
    *,
    everything: bool = False,
    jobs: int = DEFAULT_JOBS,
    progress: Progress,
    sample: Sample = EVIDENCE,
) -> Plan:
    """Plan what is to be done with the objects of ``inventory``; see :func:`plan_migration`.

    Args:
        stores: The project and its remotes.
        inventory: What the revisions need.
        started_s: When observing began, on the monotonic clock, in seconds.
        everything: Whether all else that the source holds is wanted as well.
        jobs: How many objects are read at once.
        progress: Where to tell what is going on.
        sample: What of the target is read back although its listing proves it.

    Raises:
        StoreError: A remote cannot be listed.
    """
    wanted = read_wanted(
        inventory, (stores.source, stores.target),
        healers=stores.healers, store=stores.source if everything else None,
        jobs=jobs, progress=progress,
    )  # fmt: skip
    decisions: Ledger[Decision] = Ledger(wanted.table)
    comparison = Comparison(stores.source, wanted, decisions)
    look_into_shards(
        wanted.table, stores.target, comparison.look,
        sample=sample, jobs=jobs, progress=progress, name="comparing",
    )  # fmt: skip
    missing = comparison.missing
    if stores.healers:
        _heal(stores, wanted, decisions, missing, jobs=jobs, progress=progress)
    told = (kind for kind in decisions.counts() if kind.action in (Action.NONE, Action.REPAIR))
    plan = Plan(
        source=stores.source.name,
        target=stores.target.name,
        decisions=decisions,
        references=find_references(
            wanted.table, decisions.positions(told),
            (stores.source, stores.target, *stores.healers), jobs=jobs, progress=progress,
        ),
        revisions=inventory.revisions,
        excluded={verdict.value: count for verdict, count in inventory.excluded.items()},
        uncollectable=inventory.uncollectable,
        pinned=inventory.pinned,
        started_s=started_s,
        excluded_paths={
            verdict.value: paths for verdict, paths in inventory.excluded_paths.items()
        },
    )  # fmt: skip
    return break_down(plan, inventory.tips)


def _heal(
    stores: Stores,
    wanted: Wanted,
    decisions: Ledger[Decision],
    missing: dict[Position, Observed],
    *,
    jobs: int,
    progress: Progress,
) -> None:
    """Decide once more on what the source lacks, when it is known where else it is."""
    table = wanted.table
    lost = {position: table.item(position) for position in missing}
    found = find_healing(stores.healers, lost.values(), jobs=jobs, progress=progress)
    looked_into = tuple(healer.name for healer in stores.healers)
    for position, item in lost.items():
        before, healing = missing[position], found.get(item.key)
        observed = Observed(
            None, before.target, before.proof, before.unopened, healing, looked_into
        )
        decisions.record(position, *decide(observed))
        if healing is not None:
            table.blocks[position.block].sizes_bytes[position.row] = size_of(healing.item)
