"""The mount planner: from workspace, cache, link types and remotes to bind mounts. Pure.

Three rules. The same path inside as outside. One mount where links need one: ``link(2)`` fails
across two bind mounts even of one file system. And nothing wider than that, unless a person
names it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.crossing.paths import (
    SYSTEM,
    Mount,
    is_within,
    refuse_too_wide,
    why_too_wide,
    workspace_target,
)
from scripts.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts.settings import Settings

_NAMED_AT_MOST = 5


@dataclass(frozen=True)
class Ground:
    """What the host says of the directories that may be mounted.

    Attributes:
        home: The person's home directory.
        cache: Where the DVC cache really is, symbolic links on the way followed.
        links: For each link type that was tried on the host between the cache and the workspace,
            why it does not work there; empty where it works. Nothing where the cache cannot be
            tried: it is not there, say.
        one_mount_types: The link types that fail across two mounts with this kernel.
        neighbours: What else lies in the directory that holds both workspace and cache.
        writable: Which of the directories exist, and whether the person may write there.
        owner: Another project's workspace, if the cache lies in one.
        git: What git needs beside the workspace: the directories of a worktree or a submodule.
        git_borrowed: The object directories of other repositories that git reads.
    """

    home: Path
    cache: Path
    links: Mapping[str, str] = field(default_factory=dict)
    one_mount_types: frozenset[str] = frozenset({"hardlink"})
    neighbours: tuple[str, ...] = ()
    writable: Mapping[Path, bool] = field(default_factory=dict)
    owner: Path | None = None
    git: tuple[Path, ...] = ()
    git_borrowed: tuple[Path, ...] = ()


@dataclass(frozen=True)
class MountPlan:
    """All bind mounts, outermost first, and what a person should know of them."""

    mounts: tuple[Mount, ...]
    notes: tuple[str, ...] = ()


def plan_mounts(settings: Settings, ground: Ground) -> MountPlan:
    """Return the mounts that the settings ask for; pure.

    Directories inside one that is mounted already need no mount of their own.

    Args:
        settings: Names the workspace, the cache, the link types wanted and the remotes.
        ground: What the host says of these directories.

    Raises:
        SettingsError: A directory is too wide to hand over, the cache is in another project's
            workspace, or a link type that is wanted would need such a mount.
    """
    _refuse_foreign(ground)
    root = settings.root
    parent, notes = _common_mount(settings, ground)
    wanted = [] if parent is None else [parent]
    wanted.append(Mount(root, workspace_target(root), "workspace"))
    key = "DVC_CACHE_DIR" if settings.dvc.cache_dir else "cache.dir in .dvc/config"
    cache = Mount(ground.cache, str(ground.cache), "DVC cache", key=key)
    if not is_within(ground.cache, root):
        refuse_too_wide(cache, ground.home)
        wanted.append(cache)
    for remote in settings.dvc.remotes:
        directory = remote.directory
        if directory is not None:
            key = f"DVC_REMOTE_{remote.name.upper()}"
            mount = Mount(directory, str(directory), f"DVC remote {remote.name}", key=key)
            refuse_too_wide(mount, ground.home)
            wanted.append(mount)
    configured, more_notes = _configured_remotes(settings, ground)
    git, git_notes = _git_mounts(ground)
    mounts = _without_nested([*wanted, *git, *configured])
    return MountPlan(mounts, (*notes, *git_notes, *more_notes))


def common_parent(root: Path, cache: Path) -> Path:
    """Return the directory that holds both; pure."""
    return Path(os.path.commonpath([root, cache]))


def _refuse_foreign(ground: Ground) -> None:
    if ground.owner is not None:
        raise SettingsError(
            f"The DVC cache, {ground.cache}, lies in the workspace of another project, "
            f"{ground.owner}, whose `dvc gc` would delete what this one needs.",
            hint="Move it to a directory of its own (`mv`), and name that in both projects: "
            "DVC_CACHE_DIR in .env, then `./inv dvc-init`.",
        )


def _common_mount(settings: Settings, ground: Ground) -> tuple[Mount | None, list[str]]:
    """Return the one mount for workspace and cache, if the first link type that works needs it."""
    if is_within(ground.cache, settings.root) or not ground.links:
        return None, []
    parent = common_parent(settings.root, ground.cache)
    why = why_too_wide(parent, ground.home)
    allowed = not why or (settings.dvc.mount_whole == parent and parent not in SYSTEM)
    refused = ""
    for link_type in settings.link_types or ("reflink", "copy"):
        if ground.links.get(link_type):
            continue
        if link_type in ground.one_mount_types and not allowed:
            refused = refused or link_type
        elif link_type in ground.one_mount_types:
            mount = Mount(parent, str(parent), f"{link_type}s need one mount", key="MOUNT_WHOLE")
            return mount, [_exposed(link_type, parent, ground.neighbours)]
        elif link_type != "copy" or not refused:
            return None, [_instead(refused, parent, why, link_type)] if refused else []
        else:
            break
    if refused and settings.link_types:
        raise SettingsError(
            f"{refused.capitalize()}s between {settings.root} and {ground.cache} need one mount of "
            f"{parent}, which {why}.",
            hint=_allowing(parent, ground.cache),
        )
    return None, []


def _exposed(link_type: str, parent: Path, neighbours: tuple[str, ...]) -> str:
    if not neighbours:
        what = "nothing else is in it"
    else:
        named = ", ".join(neighbours[:_NAMED_AT_MOST])
        more = ", ..." if len(neighbours) > _NAMED_AT_MOST else ""
        what = f"the container also sees what else is in it: {named}{more}"
    return f"{parent} is mounted whole: {link_type}s need workspace and cache in one mount; {what}"


def _instead(refused: str, parent: Path, why: str, link_type: str) -> str:
    return (
        f"{refused}s would need {parent} mounted whole, which {why}; {link_type}s are used instead "
        f"(MOUNT_WHOLE={parent} in .env allows it)"
    )


def _allowing(parent: Path, cache: Path) -> str:
    if parent in SYSTEM:
        return (
            f"Move {cache.name} next to the workspace, or choose symlinks or reflinks: "
            "`./inv cache` shows what works."
        )
    return (
        f"MOUNT_WHOLE={parent} in .env allows it; or move the cache next to the workspace, or "
        "choose another link type: `./inv cache` shows what works."
    )


def _configured_remotes(settings: Settings, ground: Ground) -> tuple[list[Mount], list[str]]:
    """Return the mounts of remotes that only DVC's configuration names; others' may not be here."""
    mounts, notes = [], []
    for name, directory in settings.configured.directories.items():
        if name in {remote.name for remote in settings.dvc.remotes}:
            continue
        why = why_too_wide(directory, ground.home)
        if directory not in ground.writable:
            notes.append(
                f"DVC remote {name}: {directory} is not on this machine, so not inside either"
            )
        elif why:
            notes.append(f"DVC remote {name}: {directory} {why}, so it is not mounted")
        else:
            read_only = not ground.writable[directory]
            purpose = f"DVC remote {name}"
            mounts.append(Mount(directory, str(directory), purpose, read_only=read_only))
    return mounts, notes


def _git_mounts(ground: Ground) -> tuple[list[Mount], list[str]]:
    """Return the mounts of what git keeps elsewhere, at its own path: worktrees name it by that."""
    mounts = [Mount(path, str(path), "git directory") for path in ground.git]
    mounts += [
        Mount(path, str(path), "git objects of another clone", read_only=True)
        for path in ground.git_borrowed
    ]
    notes = [
        f"git keeps {mount.source}, which {why_too_wide(mount.source, ground.home)}, so it is not "
        "mounted: git does not work inside"
        for mount in mounts
        if why_too_wide(mount.source, ground.home)
    ]
    return [mount for mount in mounts if not why_too_wide(mount.source, ground.home)], notes


def _without_nested(mounts: Iterable[Mount]) -> tuple[Mount, ...]:
    kept: list[Mount] = []
    for mount in mounts:
        if not any(is_within(mount.source, other.source) for other in kept):
            kept.append(mount)
    return tuple(kept)
