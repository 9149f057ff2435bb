"""Paths: directories that cross the wall, each at its own path, and which of them may.

The same path inside as outside keeps symlinks, DVC's local configuration and relinking in
agreement on both sides of the wall; ``/workspace`` is a link to the workspace, for habit, which a
container makes when it starts.
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


WORKSPACE_LINK = "/workspace"
WORKSPACE_AGAIN = "/run/slipway/workspace"
"""Where the workspace is mounted a second time, for Slipway's own files alone: the image knows the
place, it is there before anything runs, and it is short, as a socket's path must be."""
START = "/usr/local/bin/slipway-start"
"""What a container begins with: it makes the link; see the Dockerfile."""
_HOMES = (Path("/home"), Path("/Users"))
_EVERYBODYS = (*_HOMES, Path("/tmp"))  # noqa: S108  a directory that is refused
SYSTEM = tuple(
    Path("/", name)
    for name in (
        "", "bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "opt", "proc", "run", "sbin",
        "sys", "usr", "var",
    )
)  # fmt: skip
"""Mounted whole, they would hide the container's own."""


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


def is_linked(workspace: str) -> bool:
    """Tell whether ``/workspace`` can be a link: not where the workspace is there, or below."""
    return not f"{workspace}/".startswith(f"{WORKSPACE_LINK}/")


def is_within(path: Path, directory: Path) -> bool:
    """Tell whether ``path`` is ``directory`` or lies below it; pure."""
    return path == directory or directory in path.parents


def why_too_wide(directory: Path, home: Path) -> str:
    """Return why a directory is not mounted whole by itself; empty where it may be; pure."""
    if directory in SYSTEM:
        return "would hide the container's own"
    if directory in _EVERYBODYS or directory in home.parents:
        return "holds everybody's files"
    if directory == home or directory.parent in _HOMES or directory == Path("/root"):
        return "is a whole home directory"
    return ""


def refuse_too_wide(mount: Mount, home: Path) -> None:
    """Refuse a mount that would hand over the whole machine or a whole home directory.

    Raises:
        SettingsError: The mount's source is ``/``, ``/home``, a home directory or the like.
    """
    why = why_too_wide(mount.source, home)
    if why:
        raise SettingsError(
            f"{mount.key} is {mount.source}, which {why}.",
            hint="Choose a directory of its own below it.",
        )


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
                hint=f"Is its disk mounted? If it is to be new: `mkdir -p {mount.source}`; or "
                f"change {mount.key}.",
            )
        if not mount.read_only and _is_read_only(mount.source):
            raise SettingsError(
                f"{named} is {mount.source}, on a file system that is read-only.",
                hint=f"Mount it read-write, or change {mount.key or 'the place'}.",
            )
        if not mount.read_only and not os.access(mount.source, os.W_OK | os.X_OK):
            raise SettingsError(
                f"{named} is {mount.source}, where you may not write.",
                hint=f"Ask its owner for write access, or look at `ls -ld {mount.source}`.",
            )


def _is_read_only(directory: Path) -> bool:
    return hasattr(os, "statvfs") and bool(os.statvfs(directory).f_flag & os.ST_RDONLY)
