"""Where a clean-up takes place: the project, its cache, the remote, and the cache's other users."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import CacheError, SettingsError
from scripts.links.probe import storage_error
from scripts.links.registry import forget, other_projects
from scripts.migration.opening import open_remote
from scripts.migration.project import open_project
from scripts.migration.store import ReadOnly, Source
from scripts.migration.stores.disk import DiskStore

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Site:
    """The project at ``root``, its ``cache`` directory, and what is to be asked about it.

    ``objects`` reads the cache as a remote is read: it has the same two layouts. ``others`` are the
    workspaces of the other projects that are registered in the cache.
    """

    root: Path
    cache: Path
    objects: Source
    remote: Source
    others: tuple[Path, ...]


def open_site(root: Path, remote: str = "", passed: Mapping[str, str] | None = None) -> Site:
    """Open the project's cache and a remote, and find the cache's other users; changes nothing.

    Args:
        root: The DVC project's directory.
        remote: The remote to prove in, by its name; empty for the default remote.
        passed: ``AWS_...`` variables of Slipway's settings.

    Raises:
        SettingsError: There is no such project or remote.
        CacheError: There is no cache, the remote is the cache itself, or another project of the
            cache is not there.
        AccessDenied: An S3 remote has no credentials.
    """
    with open_project(root) as repo:
        cache = _cache_of(repo)
        name = remote or repo.config["core"].get("remote") or ""
    if not name:
        raise SettingsError(
            "There is no default DVC remote to prove anything in.",
            hint="Name one with --remote; `dvc remote list` shows them.",
        )
    if not cache.is_dir():
        missing = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        raise storage_error(missing, "The DVC cache", cache)
    store = open_remote(root, name, passed)
    _refuse_aliases(cache, store)
    objects = ReadOnly(DiskStore("the cache", cache))
    return Site(root, cache, objects, store, other_projects(root, cache))


def forget_project(root: Path, other: Path) -> None:
    """Remove a project from the registry of the cache that the project at ``root`` uses.

    Raises:
        SettingsError: ``root`` is no DVC project.
        CacheError: No such project is registered.
    """
    with open_project(root) as repo:
        cache = _cache_of(repo)
    forget(cache, other)


def _cache_of(repo: Any) -> Path:  # noqa: ANN401  dvc ships no types
    return Path(os.path.realpath(repo.cache.local_cache_dir))


def _refuse_aliases(cache: Path, remote: Source) -> None:
    """Refuse a remote whose files are the cache's own, by whatever path, link or mount.

    Raises:
        CacheError: They are.
    """
    place = Path(remote.place)
    for layout in ("", "files/md5"):
        if not (cache / layout).is_dir():
            continue
        for shard in ("", *os.listdir(cache / layout)):  # noqa: PTH208  names are wanted
            ours, theirs = cache / layout / shard, place / layout / shard
            if len(shard) in (0, 2) and theirs.is_dir() and ours.samefile(theirs):
                raise CacheError(
                    f"The DVC remote '{remote.name}' ({place}) and the cache share {ours}: what is "
                    "removed from one is gone from both.",
                    hint="Name another remote with --remote.",
                )
