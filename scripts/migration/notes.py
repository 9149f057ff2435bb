"""What a person should know of a plan beside its counts, each with what to do about it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.migration.stores.incoming import INCOMING
from scripts.report import count_text

if TYPE_CHECKING:
    from scripts.migration.history import History
    from scripts.migration.inventory import Inventory
    from scripts.migration.plan import Plan
    from scripts.migration.scope import Scope
    from scripts.migration.store import Source, Store


_PATHS_TOLD = 3


def tell_notes(
    plan: Plan,
    inventory: Inventory,
    history: History | None,
    scope: Scope,
) -> tuple[str, ...]:
    """Return the notes of a plan.

    Args:
        plan: What is to be done.
        inventory: What the revisions need in it.
        history: The revisions that were read; ``None`` if the project is not in git.
        scope: Which revisions count.
    """
    source = plan.source
    notes = _left_out(history, scope)
    notes += [
        f"{count_text(count, 'object')} that {source} lacks are read from {place}, and healed in "
        f"{plan.target} only."
        for place, count in plan.healed_from.items()
    ]
    if inventory.pinned:
        notes.append(
            f"{count_text(inventory.pinned, 'output')} set `remote: {source}` themselves: they "
            f"are copied, but DVC goes on reading them from {source}."
        )
    return tuple(notes)


def with_cautions(plan: Plan, target: Store) -> Plan:
    """Return ``plan`` with what the target's place does by itself, told before anything is copied.

    Args:
        plan: What is to be done.
        target: The store that is to be filled; it is asked.
    """
    return replace(plan, notes=(*target.cautions(), *plan.notes))


def tell_unfinished(remote: Source) -> tuple[str, ...]:
    """Return what is to be known of a remote that holds what a migration left unfinished.

    Args:
        remote: The remote; it is asked for the names at its top. Uploads in parts have none.
    """
    if f"{INCOMING}/" not in remote.list_top():
        return ()
    told = (
        f"{remote.name}: a migration that is at work, or was killed, has unfinished objects there "
        f"({INCOMING}/). No name of an object is among them; the next `dvc-migrate` to it removes "
        "what was left over."
    )
    return (told,)


def _left_out(history: History | None, scope: Scope) -> list[str]:
    if history is None:
        return ["This project is not in git (core.no_scm): there is its workspace only."]
    notes = []
    if history.uncommitted:
        first = ", ".join(history.uncommitted[:_PATHS_TOLD])
        more = " ..." if len(history.uncommitted) > _PATHS_TOLD else ""
        notes.append(
            f"Not committed: {count_text(len(history.uncommitted), 'DVC file')} ({first}{more}). "
            "What the workspace names now moves as well."
        )
    if history.older:
        notes.append(
            f"Left out by `--scope {scope.value}`: {count_text(history.older, 'commit')} that "
            "branches, tags, stashes or experiments reach. What only these need is not migrated."
        )
    if history.unreached:
        notes.append(
            f"Left out: {count_text(history.unreached, 'commit')} that no ref reaches any more "
            "(`git reflog --all`). To migrate one: `git branch keep-it COMMIT`, then this again."
        )
    return notes
