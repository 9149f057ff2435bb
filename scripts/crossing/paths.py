"""Paths: which of the host's directories are mounted, each at its own path.

The same path inside as outside keeps symlinks, DVC's local configuration and relinking in
agreement on both sides of the wall; ``/workspace`` is a link to the workspace, for habit.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scripts.settings import Settings

WORKSPACE_LINK = "/workspace"


@dataclass(frozen=True)
class Mount:
    """A bind mount: ``source`` on the host, ``target`` inside.

    ``purpose`` is what a person reads about it, ``key`` the setting that asked for it.
    """

    source: Path
    target: str
    purpose: str
    read_only: bool = False
    key: str = ""


def workspace_target(root: Path) -> str:
    """Return where the workspace is inside: at its own path, or ``/workspace`` on Windows."""
    return WORKSPACE_LINK if re.match(r"[A-Za-z]:|\\\\", str(root)) else str(root)


def plan_mounts(settings: Settings, home: Path) -> tuple[Mount, ...]:
    """Return the mounts that the settings ask for, outermost first; pure.

    Directories inside one that is mounted already need no mount of their own.

    Args:
        settings: Names the workspace, the cache directory and the local-directory remotes.
        home: The home directory on the host, which is never mounted whole.

    Raises:
        SettingsError: A directory is too wide to hand over.
    """
    wanted = [Mount(settings.root, workspace_target(settings.root), "workspace")]
    if settings.dvc.cache_dir is not None:
        cache = settings.dvc.cache_dir
        wanted.append(Mount(cache, str(cache), "DVC cache", key="DVC_CACHE_DIR"))
    for remote in settings.dvc.remotes:
        directory = remote.directory
        if directory is not None:
            key = f"DVC_REMOTE_{remote.name.upper()}"
            wanted.append(Mount(directory, str(directory), f"DVC remote {remote.name}", key=key))
    for mount in wanted[1:]:
        refuse_too_wide(mount, home)
    return tuple(_without_nested(wanted))


def refuse_too_wide(mount: Mount, home: Path) -> None:
    """Refuse a mount that would hand over the whole machine or a whole home directory.

    Raises:
        SettingsError: The mount's source is ``/``, ``/home`` or a home directory.
    """
    if mount.source in (Path("/"), Path("/home"), Path("/Users"), home):
        raise SettingsError(
            f"{mount.key} is {mount.source}, all of which the container would see.",
            hint="Choose a directory of its own below it.",
        )


def _without_nested(mounts: Iterable[Mount]) -> list[Mount]:
    kept: list[Mount] = []
    for mount in mounts:
        inside = any(
            os.path.commonpath([mount.source, other.source]) == str(other.source) for other in kept
        )
        if not inside:
            kept.append(mount)
    return kept


def check_sources(mounts: Iterable[Mount]) -> None:
    """Check on the host that every mount's source is a directory that can be used.

    A bind source that does not exist would be made by the engine, and belong to root.

    Raises:
        SettingsError: A source does not exist, is no directory, or cannot be written.
    """
    for mount in mounts:
        named = mount.key or f"The {mount.purpose}"
        if mount.source.exists() and not mount.source.is_dir():
            if mount.read_only:
                continue
            raise SettingsError(f"{named} is {mount.source}, which is not a directory.")
        if not mount.source.exists():
            raise SettingsError(
                f"{named} is {mount.source}, which does not exist.",
                hint=f"Make it (`mkdir -p {mount.source}`) or change {mount.key} in .env.",
            )
        if not mount.read_only and not os.access(mount.source, os.W_OK | os.X_OK):
            raise SettingsError(
                f"{named} is {mount.source}, where you may not write.",
                hint=f"Ask its owner for write access, or look at `ls -ld {mount.source}`.",
            )
