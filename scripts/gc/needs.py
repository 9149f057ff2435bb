"""What a project needs in a cache: its revisions' objects, and what its symlinks lead to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Callable

from scripts.errors import CacheError, SettingsError, ToolError
from scripts.gc.model import Keep, Needs
from scripts.migration.directories import open_directories
from scripts.migration.inventory import WORKSPACE, read_inventory
from scripts.migration.model import Reference, Status, object_at
from scripts.migration.project import open_project
from scripts.process import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from scripts.migration.directories import Opened
    from scripts.migration.history import History
    from scripts.migration.inventory import Inventory
    from scripts.migration.model import StoredObject
    from scripts.migration.store import Source
    from scripts.progress import Progress


def read_needs(
    root: Path,
    remote: str,
    keep: Keep,
    places: Iterable[Source],
    *,
    jobs: int,
    progress: Progress,
    history: History | None = None,
    visiting: bool = False,
) -> Needs:
    """Read what the revisions of a project need in its cache.

    Args:
        root: The project's directory.
        remote: The remote that is proven in, by name.
        keep: Which revisions count.
        places: Stores to open lists of directories from: the cache, then the remote.
        jobs: How many lists are read at once.
        progress: Told of each step.
        history: The revisions beside the workspace; ``None`` for all that there are.
        visiting: Whether the project is another one, where nothing may be written.

    Raises:
        CacheError: The project, or what its workspace needs, cannot be read.
    """
    from dvc.exceptions import DvcException  # noqa: PLC0415  closing a project can fail in it too

    try:
        _require_history(root)
        found = read_inventory(root, remote, progress, history=history, visiting=visiting)
    except (SettingsError, ToolError, OSError, DvcException) as error:
        raise _unknown(root, str(error), "Mend it", visiting=visiting) from error
    _require_workspace(root, found, visiting=visiting)
    counted = _counted(found, keep)
    wanted: dict[StoredObject, tuple[Reference, ...]] = {}
    for item, references in (*found.references.items(), *found.elsewhere.items()):
        wanted[item] = (*wanted.get(item, ()), *references)
    needed = {item for item, uses in wanted.items() if counted(uses)}
    directories = [item for item in {*needed, *found.elsewhere} if item.is_directory]
    lists = open_directories(directories, places, jobs=jobs, progress=progress)
    lost = [opened for opened in lists.values() if opened.status is not None]
    for opened in lost:
        _require_old(root, opened, wanted[opened.directory], visiting=visiting)
    named = {item.key: references[0] for item, references in wanted.items()}
    parts = {
        entry.item.key: Reference(f"{named[key].path}/{entry.path}", named[key].revision)
        for key, opened in lists.items()
        for entry in opened.entries
    }
    return Needs(
        root,
        needed=_with_parts(needed, lists),
        elsewhere=_with_parts(found.elsewhere, lists),
        places={**parts, **named},
        lost_lists=len(lost),
        unread=len(found.uncollectable),
    )


def linked_objects(root: Path, cache: Path) -> frozenset[str]:
    """Return the keys of the objects that a symlink below ``root`` leads to.

    Args:
        root: A workspace. What may not be listed there is passed over: DVC cannot link there.
        cache: The cache's directory, its own symlinks resolved.
    """
    inside = f"{cache}{os.sep}"
    keys = set()
    left = [os.path.realpath(root)]
    while left:
        for entry in _entries(left.pop()):
            if entry.is_dir(follow_symlinks=False):
                if entry.name != ".git" and entry.path != str(cache):
                    left.append(entry.path)
            elif entry.is_symlink():
                target = os.path.realpath(entry.path)
                item = object_at(target[len(inside) :]) if target.startswith(inside) else None
                keys.update([item.key] if item else [])
    return frozenset(keys)


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError:
        return []


def _counted(found: Inventory, keep: Keep) -> Callable[[Iterable[Reference]], bool]:
    revisions = {WORKSPACE, *(found.tips if keep is Keep.HEADS else ())}
    return lambda uses: keep is Keep.ALL or any(use.revision in revisions for use in uses)


def _with_parts(items: Iterable[StoredObject], lists: Mapping[str, Opened]) -> frozenset[str]:
    """Return the keys of ``items``, and of the files of those that are directories."""
    keys = {item.key for item in items}
    opened = [lists[key] for key in keys if key in lists]
    return frozenset(keys.union(entry.item.key for found in opened for entry in found.entries))


def _require_history(root: Path) -> None:
    """Check that git opens the project, if it is one of git's: else only its workspace would count.

    Raises:
        CommandFailed: git refuses it.
    """
    with open_project(root, visiting=True) as repo:
        if repo.config["core"].get("no_scm", False):
            return
    run(["git", "rev-parse", "--git-dir"], cwd=root)


def _require_workspace(root: Path, found: Inventory, *, visiting: bool) -> None:
    for lost in found.uncollectable:
        if lost.revision == WORKSPACE:
            raise _unknown(root, f"{lost.path}: {lost.reason}", "Mend it", visiting=visiting)


def _require_old(
    root: Path, opened: Opened, references: tuple[Reference, ...], *, visiting: bool
) -> None:
    """Let lists of older revisions be lost, as nothing brings them back; nothing else.

    Raises:
        CacheError: The workspace needs it, or it is there and cannot be read.
    """
    use = next((place for place in references if place.revision == WORKSPACE), None)
    if use is not None:
        why = f"the list of the directory {use.path} is neither in the cache nor in the remote"
        raise _unknown(root, why, f"`dvc fetch` in {root}", visiting=visiting)
    if opened.status is Status.FAILED:
        raise _unknown(root, opened.reason, "Look at its permissions", visiting=visiting)


def _unknown(root: Path, why: str, advice: str, *, visiting: bool) -> CacheError:
    forget = f"; if the project is gone for good, `./inv gc --forget {root}`" if visiting else ""
    what = f"What the project {root} needs in the cache cannot be told: {why.rstrip('.')}."
    return CacheError(what, hint=f"{advice}{forget}.")
