"""What links need of DVC: the project under its lock, the files it tracks, the hashes it knows.

The only module of this room that knows DVC's own classes. It never calls an object database's
``check``: that one deletes the objects which it finds wrong.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import CacheError
from scripts.links.probe import storage_error
from scripts.links.room import require_room

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

LEGACY = "md5-dos2unix"
"""DVC's name for the hash of DVC 2: the MD5 of a text after dos2unix."""


@dataclass(frozen=True)
class Entry:
    """A file that DVC tracks: what its own files say, nothing looked up on the disk."""

    path: str
    object_path: str
    oid: str
    hash_name: str
    out: str
    is_executable: bool


@contextmanager
def open_project(root: Path, *, lock: bool = False) -> Iterator[Any]:
    """Open the DVC project at ``root`` (a ``dvc.repo.Repo``) and close it again.

    Args:
        root: The workspace.
        lock: Whether to keep other DVC processes out meanwhile.

    Raises:
        CacheError: It is no DVC project, DVC cannot read its files, another process holds its
            lock, or a disk refused, here or in what is done with the project.
    """
    import sqlite3  # noqa: PLC0415  only to know its errors: DVC keeps what it knows in it

    from dvc.exceptions import DvcException, NotDvcRepoError  # noqa: PLC0415
    from dvc.lock import LockError  # noqa: PLC0415
    from dvc.repo import Repo, lock_repo  # noqa: PLC0415

    cache = str(root / ".dvc" / "cache")
    try:
        require_room()
        with Repo(str(root)) as repo:
            cache = str(repo.cache.local_cache_dir)
            if not lock:
                yield repo
                return
            with lock_repo(repo):
                yield repo
    except NotDvcRepoError as error:
        raise CacheError(
            f"{root} is not a DVC project.",
            hint="Run this in one, or make it one with `./inv dvc-init`.",
        ) from error
    except LockError as error:
        raise CacheError(
            f"Another DVC process is at work in {root}.", hint="Run this again when it has ended."
        ) from error
    except DvcException as error:
        raise CacheError(
            f"DVC cannot read the project in {root}: {error}.", hint="`dvc status` shows more."
        ) from error
    except sqlite3.OperationalError as error:
        raise CacheError(
            f"What DVC remembers of {root} cannot be written: {error}.",
            hint="Is the disk full? `dvc doctor` shows where that is: Repo.site_cache_dir.",
        ) from error
    except OSError as error:
        written = str(error.filename2 or error.filename or root)  # of two, the second is the link
        if written.startswith(cache):
            raise storage_error(error, "The DVC cache", Path(cache)) from error
        directory = root if written == str(root) else Path(written).parent
        raise storage_error(error, "The workspace", directory) from error


def fetch(repo: Any, paths: Sequence[str]) -> str:  # noqa: ANN401  dvc ships no types
    """Have DVC fetch the objects of these files from a remote; return why it could not, or "".

    That it fetched them is for the caller to see.
    """
    try:
        repo.fetch(targets=list(paths))
    except Exception as error:  # noqa: BLE001  whatever a remote's own library raises
        return str(error) or type(error).__name__
    return ""


def tracked_entries(repo: Any) -> tuple[list[Entry], list[str]]:  # noqa: ANN401  dvc: no types
    """Return the files that DVC tracks in the workspace, and the directories it has no list of.

    Left out are outputs that DVC does not cache, those outside the workspace, and imports that
    were never downloaded.
    """
    entries: list[Entry] = []
    unlisted: list[str] = []
    for out in repo.index.outs:
        if not (out.use_cache and out.is_in_repo and out.hash_info):
            continue
        to_path, top = out.cache.oid_to_path, str(out.fs_path)
        if not out.hash_info.isdir:
            oid = out.hash_info.value
            is_executable = bool(out.meta and out.meta.isexec)
            entries.append(Entry(top, to_path(oid), oid, out.hash_name, top, is_executable))
            continue
        tree = out.get_obj()
        if tree is None:
            unlisted.append(top)
            continue
        for key, meta, info in tree:
            path, oid = "/".join((top, *key)), info.value
            is_executable = bool(meta and meta.isexec)
            entries.append(Entry(path, to_path(oid), oid, out.hash_name, top, is_executable))
    return sorted(entries, key=lambda entry: entry.path), sorted(unlisted)


def known_hashes(
    repo: Any,  # noqa: ANN401  dvc ships no types
    statuses: Mapping[str, os.stat_result],
) -> dict[str, tuple[str, str]]:
    """Return the hash (its name and value) of each file that DVC has hashed as it is now.

    Args:
        repo: The project.
        statuses: What ``os.stat`` says of each file, links followed, by its path.
    """
    infos = {path: _info(status) for path, status in statuses.items()}
    found = repo.state.get_many(list(infos), repo.fs, infos)
    return {path: (info.name, info.value) for path, _, info in found if info is not None}


def remember_hashes(
    repo: Any,  # noqa: ANN401  dvc ships no types
    hashed: Iterable[tuple[str, str, str, os.stat_result]],
) -> None:
    """Tell DVC the hashes of files, so that it need not read them.

    Args:
        repo: The project.
        hashed: Of each file its path, the name and the value of its hash, and its status from
            *before* it was read or put in place: what changes after that is then seen.
    """
    from dvc_data.hashfile.hash_info import HashInfo  # noqa: PLC0415

    items = [(path, HashInfo(name, value), _info(status)) for path, name, value, status in hashed]
    repo.state.save_many(items, repo.fs)


def remember_outputs(repo: Any, outs: Mapping[str, int]) -> None:  # noqa: ANN401
    """Tell DVC that it made these outputs, so that a checkout of a revision without them cleans up.

    DVC removes such an output whole, so one that holds anything else is not told: its record no
    longer fits it, and DVC leaves it alone.

    Args:
        repo: The project.
        outs: The number of files that each output should hold, by its path.
    """
    for out, files in outs.items():
        if os.path.isdir(out):  # noqa: PTH112
            found = sum(len(names) for _, _, names in os.walk(out))
            if found != files:
                continue
        repo.state.save_link(out, repo.fs)


def _info(status: os.stat_result) -> dict[str, Any]:
    """Return a file's status as DVC's file system would, as far as its hashes need it."""
    return {
        "type": "file",
        "ino": status.st_ino,
        "mtime": status.st_mtime,
        "size": status.st_size,
        "mode": status.st_mode,
    }
