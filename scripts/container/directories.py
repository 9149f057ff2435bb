"""Observe the directories that may be mounted: what the planner of mounts needs to know of them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import process
from scripts.crossing.mounts import Ground, common_parent
from scripts.crossing.paths import is_within

if TYPE_CHECKING:
    from scripts.settings import Settings

_REFLINK_CROSSES_MOUNTS = (5, 18)
"""The first Linux that clones across two mounts of one file system (commit 9f5710bbfd30)."""


def observe_directories(settings: Settings, kernel: str) -> Ground:
    """Look at the workspace, the cache and the remotes; the cache is tried, nothing is left there.

    Args:
        settings: Names them.
        kernel: The release of the kernel that the containers run on.

    Raises:
        CacheError: The cache cannot be written.
    """
    root = settings.root
    cache = settings.cache_directory.resolve()
    outside = not is_within(cache, root)
    parent = common_parent(root, cache)
    one_mount = (
        {"hardlink"} if _release(kernel) >= _REFLINK_CROSSES_MOUNTS else {"hardlink", "reflink"}
    )
    return Ground(
        home=Path.home(),
        cache=cache,
        links=_tried(cache, root) if outside and cache.is_dir() else {},
        one_mount_types=frozenset(one_mount),
        neighbours=_neighbours(parent, (root, cache)) if outside else (),
        writable={
            path: os.access(path, os.W_OK | os.X_OK)
            for path in settings.configured.directories.values()
            if path.is_dir()
        },
        owner=_owner(cache, root) if outside else None,
    )


def _tried(cache: Path, root: Path) -> dict[str, str]:
    if os.name != "posix" or not os.access(cache, os.W_OK | os.X_OK):
        return {}  # whether it can be written at all is check_sources' question
    from scripts.links.probe import probe  # noqa: PLC0415  not on Windows

    return {attempt.link_type: attempt.reason for attempt in probe(cache, root).attempts}


def _neighbours(parent: Path, known: tuple[Path, ...]) -> tuple[str, ...]:
    try:
        names = sorted(os.listdir(parent))  # noqa: PTH208  only the names are wanted
    except OSError:  # a directory that may be passed through, not listed: its names are unknown
        return ("(it cannot be listed)",)
    return tuple(
        name for name in names if not any(is_within(path, parent / name) for path in known)
    )


def _owner(cache: Path, root: Path) -> Path | None:
    """Return another project's workspace in which the cache lies; worktrees of one share theirs."""
    for directory in cache.parents:
        if is_within(root, directory):
            return None
        if (directory / ".dvc").is_dir():
            return None if _same_repository(directory, root) else directory
    return None


def _same_repository(one: Path, other: Path) -> bool:
    command = ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"]
    answers = [process.run(command, cwd=path, check=False) for path in (one, other)]
    return answers[0].returncode == 0 and answers[0].stdout == answers[1].stdout


def _release(kernel: str) -> tuple[int, ...]:
    """Return a kernel's release as numbers; an unknown one counts as old."""
    return tuple(int(number) for number in re.findall(r"\d+", kernel)[:2])
