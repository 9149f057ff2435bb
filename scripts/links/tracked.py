"""Observe: what a checkout looks like now, and whether its contents are what DVC tracks."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scripts.links.checkout import LinkState, Tracked, TrackedFile
from scripts.links.contents import Named, are_right
from scripts.links.extents import (
    UNTOLD,
    Extent,
    extents_of,
    own_bytes_of,
    own_bytes_of_link,
    places_of,
)
from scripts.links.project import open_project, tracked_entries
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scripts.links.project import Entry
    from scripts.progress import Progress


def observe(root: Path, *, contents: bool = False, progress: Progress | None = None) -> Tracked:
    """Return every file that DVC tracks in a workspace, as it is now; change nothing.

    Args:
        root: The workspace.
        contents: Whether to tell of each file if its content is what DVC tracks. Files are read
            only where DVC has not hashed them as they are now.
        progress: Where the bytes that have to be read are counted.

    Raises:
        CacheError: DVC cannot read the project, or the disk cannot be read.
    """
    with open_project(root) as repo:
        return observe_project(repo, contents=contents, progress=progress)


def observe_project(
    repo: Any,  # noqa: ANN401  dvc ships no types
    *,
    contents: bool = False,
    progress: Progress | None = None,
) -> Tracked:
    """Do as :func:`observe` in a project that is open.

    Raises:
        OSError: The disk cannot be read.
    """
    entries, unlisted = tracked_entries(repo)
    looker = Looker()
    files = [looker.look(entry) for entry in entries]
    if contents:
        files = with_contents(repo, files, progress or SilentProgress())
    return Tracked(str(repo.root_dir), tuple(files), tuple(unlisted))


def with_contents(
    repo: Any,  # noqa: ANN401  dvc ships no types
    files: Iterable[TrackedFile],
    progress: Progress,
) -> list[TrackedFile]:
    """Return the files with ``is_right`` told wherever there is content that may be read."""
    files = list(files)
    named = [
        Named(file.path, file.hash_name, file.oid, file.object_path if file.is_linked else "")
        for file in files
        if file.state not in (LinkState.MISSING, LinkState.DANGLING)
    ]
    right = are_right(repo, named, progress)
    return [replace(file, is_right=right.get(file.path)) for file in files]


class Looker:
    """Looks at files beside their objects, asking each file system only what it can tell."""

    def __init__(self) -> None:
        self._without_extents: set[int] = set()

    def look(self, entry: Entry) -> TrackedFile:
        """Return a tracked file as it is now.

        Raises:
            OSError: The disk cannot be read.
        """
        state, size_bytes, own_bytes, in_cache = self.state_of(entry.path, entry.object_path)
        return TrackedFile(
            path=entry.path,
            object_path=entry.object_path,
            oid=entry.oid,
            hash_name=entry.hash_name,
            out=entry.out,
            state=state,
            size_bytes=size_bytes,
            own_bytes=own_bytes,
            in_cache=in_cache,
            is_executable=entry.is_executable,
        )

    def state_of(self, path: str, object_path: str) -> tuple[LinkState, int, int, bool]:
        """Return a file's state, its size and own bytes, and whether its object is there.

        Raises:
            OSError: The disk cannot be read.
        """
        there = _status(object_path, follow=True)
        here = _status(path, follow=False)
        in_cache = there is not None and stat.S_ISREG(there.st_mode)
        if here is None or not (stat.S_ISREG(here.st_mode) or stat.S_ISLNK(here.st_mode)):
            return LinkState.MISSING, 0, 0, in_cache
        if stat.S_ISLNK(here.st_mode):
            target = _status(path, follow=True)
            own_bytes = own_bytes_of_link(path, here)
            if target is None:
                return LinkState.DANGLING, 0, own_bytes, in_cache
            state = LinkState.SYMLINK if _is_one_file(target, there) else LinkState.FOREIGN
            return state, target.st_size, own_bytes, in_cache
        if _is_one_file(here, there):
            return LinkState.HARDLINK, here.st_size, 0, in_cache
        extents = self._extents(path, here)
        state = LinkState.COPY
        if extents is not None and not places_of(extents):
            state = LinkState.INLINE
        elif extents and any(item.is_shared for item in extents) and there is not None:
            others = self._extents(object_path, there)
            if others is not None and places_of(extents) == places_of(others):
                state = LinkState.REFLINK
        own_bytes = 0 if here.st_nlink > 1 else own_bytes_of(here, extents)
        return state, here.st_size, own_bytes, in_cache

    def _extents(self, path: str, status: os.stat_result) -> tuple[Extent, ...] | None:
        if status.st_dev in self._without_extents:
            return None
        try:
            return extents_of(path)
        except PermissionError:
            return None
        except OSError as error:
            if error.errno not in UNTOLD:
                raise
            self._without_extents.add(status.st_dev)
            return None


def _status(path: str, *, follow: bool) -> os.stat_result | None:
    try:
        return os.stat(path, follow_symlinks=follow)  # noqa: PTH116  done by the thousand
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link that leads to itself
            return None
        raise


def _is_one_file(one: os.stat_result, other: os.stat_result | None) -> bool:
    return other is not None and (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
