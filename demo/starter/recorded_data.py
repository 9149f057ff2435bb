"""The data of a record: checked out in a worktree where DVC tracks it, else where it was."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starter.errors import DataError
from starter.facts import PROJECT
from starter.words import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def check_out_data(project: Path, tracked: Sequence[str]) -> bool:
    """Check out what DVC tracks of a project in a worktree, out of the cache that is used today.

    Args:
        project: The project's folder in the worktree.
        tracked: The paths in it.

    Returns:
        Whether there is anything, and DVC has a project there.

    Raises:
        DataError: DVC cannot, or the cache lacks it.
    """
    then_root = _dvc_root(project)
    if not tracked or then_root is None:
        return False
    try:
        from dvc.exceptions import DvcException  # noqa: PLC0415  slow
        from dvc.repo import Repo  # noqa: PLC0415  slow
    except ModuleNotFoundError as error:
        raise DataError(
            f"DVC tracks {', '.join(tracked)}, and is not installed.", hint="Install dvc."
        ) from error
    try:
        with Repo(str(PROJECT)) as today:
            cache = {**today.config["cache"], "dir": today.cache.local_cache_dir}
        with Repo(str(then_root), config={"cache": cache}) as then:
            then.checkout([str(project / path) for path in tracked], force=True)
    except DvcException as error:
        raise DataError(
            f"DVC cannot check out the data of then: {' '.join(str(error).split())}",
            hint="`dvc fetch --all-commits` fetches what all commits need into the cache.",
        ) from error
    return True


def tracked_data(record: Mapping[str, Any]) -> list[str]:
    """Return which paths of those that DVC tracked hold data of a run: not, say, its model."""
    named = _named(record)
    place = named.get("data.dir") or named.get("paths.data_dir")
    return [path for path in record["facts"]["data"] if _overlap(place, _root(record) / path)]


def data_words(record: Mapping[str, Any], project: Path | None) -> list[str]:
    """Return the words of the command line that name the data of a record.

    Args:
        record: The record.
        project: The project's folder in a worktree where DVC checked out what it tracks; ``None``
            if there is nothing of the kind. Other data is where it was.
    """
    root, tracked = _root(record), tracked_data(record)

    def today(place: Path) -> Path:
        by_dvc = any(_overlap(place, root / each) for each in tracked)
        if project is not None and root in place.parents and by_dvc:
            return project / place.relative_to(root)
        return place

    return [f"{key}={quoted(today(place))}" for key, place in _named(record).items()]


def _root(record: Mapping[str, Any]) -> Path:
    return Path((record["config"].get("paths") or {}).get("root", record["directory"]))


def _named(record: Mapping[str, Any]) -> dict[str, Path]:
    """Return the folders of data that a run's configuration names, by their keys."""
    config = record["config"]
    named = {
        "paths.data_dir": (config.get("paths") or {}).get("data_dir"),
        "data.dir": (config.get("data") or {}).get("dir"),
    }
    begun = Path(record["directory"])
    return {key: Path(os.path.normpath(begun / path)) for key, path in named.items() if path}


def _overlap(one: Path | None, other: Path) -> bool:
    return one is not None and (one in (other, *other.parents) or other in one.parents)


def _dvc_root(project: Path) -> Path | None:
    """Return where DVC's project begins, in the same worktree."""
    for folder in (project, *project.parents):
        if (folder / ".dvc" / "config").is_file():
            return folder
        if (folder / ".git").exists():
            return None
    return None
