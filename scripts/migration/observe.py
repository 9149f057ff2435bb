"""Observe both remotes and the history, then plan. Nothing is changed."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.migration.breakdown import break_down
from scripts.migration.heal import find_healing
from scripts.migration.history import History, read_history
from scripts.migration.inventory import read_inventory, with_more
from scripts.migration.model import Status
from scripts.migration.notes import tell_notes
from scripts.migration.plan import Action, Decision, Observed, Plan, decide
from scripts.migration.project import has_history
from scripts.migration.prove import (
    Shelf,
    list_shard,
    look_into_shards,
    prove_block,
    sampled,
)
from scripts.migration.retry import retrying
from scripts.migration.sample import EVIDENCE, Sample
from scripts.migration.scope import Scope
from scripts.migration.table import UNKNOWN_SIZE, Ledger, Position
from scripts.migration.uses import find_references
from scripts.migration.wanted import Wanted, read_wanted
from scripts.migration.workers import Stop
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
    missing = _compare(stores, wanted, decisions, sample, jobs=jobs, progress=progress)
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


def _compare(
    stores: Stores,
    wanted: Wanted,
    decisions: Ledger[Decision],
    sample: Sample,
    *,
    jobs: int,
    progress: Progress,
) -> dict[Position, Observed]:
    """Decide on every object; return those that the source lacks, and how they were found.

    The source is asked only for the shards of which the target does not prove everything.
    """
    table = wanted.table
    chosen = sampled(sample, table)
    layouts = retrying(stores.source.layouts, Stop())
    missing: dict[Position, Observed] = {}

    def look(shelf: Shelf, blocks: list[int], stop: Stop) -> None:
        source: Shelf | None = None
        for number in blocks:
            block, codes = table.blocks[number], decisions.codes(number)
            found = prove_block(block, shelf, stores.target, stop, read=chosen[number])
            for index, listed, proof in found:
                if proof.evidence.is_proof:
                    codes[index] = decisions.code(Decision(Action.KEEP, proof.evidence))
                    block.sizes_bytes[index] = _size(listed)
                    continue
                if source is None:
                    source = list_shard(stores.source, block.shard, layouts, stop)
                item = block.item(index)
                here = source.get(block.layout, {}).get(item.oid)
                unopened = wanted.unopened.get(item.key)
                observed = Observed(here, listed, proof, unopened)
                position = Position(number, index)
                decision, reason = decide(observed)
                decisions.record(position, decision, reason)
                block.sizes_bytes[index] = _size(here)
                if decision.status is Status.MISSING:
                    missing[position] = observed

    look_into_shards(
        table, stores.target, look, jobs=jobs, progress=progress, name="comparing"
    )  # fmt: skip
    return missing


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
            table.blocks[position.block].sizes_bytes[position.row] = _size(healing.item)


def _size(listed: StoredObject | None) -> int:
    if listed is None or listed.size_bytes is None:
        return UNKNOWN_SIZE
    return listed.size_bytes
