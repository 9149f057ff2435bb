"""The code and data of a record, put back in a git worktree: the user's checkout is not touched."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starter.changes import DIFF
from starter.errors import ConfigError, DataError, StarterError
from starter.facts import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def recorded_code(
    run: Path, git: Mapping[str, Any], place: Path, *, keep: bool = False
) -> Iterator[Path]:
    """Have the code of a record in a git worktree, as long as the block runs.

    Args:
        run: The run's folder, which holds the diff.
        git: What the record says of git.
        place: Where the worktree is made. Nothing may be there.
        keep: Leave the worktree there.

    Yields:
        The project's folder in the worktree.

    Raises:
        ConfigError: The commit is not there, the diff is damaged or does not apply, or the
            place is taken.
        StarterError: git cannot make the worktree.
    """
    if os.path.lexists(place):
        raise ConfigError(
            f"{place} exists already; the code of then goes there.",
            hint=f"`git worktree remove --force {place}` removes it, if it is of an earlier time.",
        )
    commit = _commit_of(run, git)
    diff = _diff_of(run, git)
    prefix = git.get("project", _git(PROJECT, "rev-parse", "--show-prefix").stdout.strip())
    # Hooks are the user's own; DVC's would check out all data of the repository.
    bare = ("-c", f"core.hooksPath={os.devnull}")
    try:
        made = _git(PROJECT, *bare, "worktree", "add", "--quiet", "--detach", str(place), commit)
        if made.returncode:
            raise StarterError(f"git cannot make a worktree in {place}: {_last_line(made)}")
        if diff is not None:
            applied = _git(place, "apply", "--whitespace=nowarn", str(diff))
            if applied.returncode:
                raise ConfigError(
                    f"{diff} does not apply to commit {commit}: {_last_line(applied)}",
                    hint="It was made with other settings of git, or by hand; `git -C DIR apply "
                    "--reject` in a worktree of your own applies what fits.",
                )
        yield place / prefix
    finally:
        if not keep:
            _remove(place)


def check_out_data(project: Path, tracked: Mapping[str, str]) -> bool:
    """Check out what DVC tracks of a project in a worktree, out of the cache that is used today.

    Args:
        project: The project's folder in the worktree.
        tracked: The hash of each path in it.

    Returns:
        Whether DVC tracks anything there.

    Raises:
        DataError: DVC cannot, or the cache lacks it.
    """
    config = next((path / ".dvc" for path in (project, *project.parents) if _is_dvc(path)), None)
    if not tracked or config is None or _top(project) not in (config.parent, *config.parents):
        return False
    try:
        from dvc.exceptions import DvcException  # noqa: PLC0415  slow
        from dvc.repo import Repo  # noqa: PLC0415  slow
    except ModuleNotFoundError as error:
        raise DataError(
            f"DVC tracks {', '.join(sorted(tracked))}, and is not installed.", hint="Install dvc."
        ) from error
    try:
        with Repo(str(PROJECT)) as today:
            cache = {**today.config["cache"], "dir": today.cache.local_cache_dir}
        with Repo(str(config.parent), config={"cache": cache}) as then:
            then.checkout([str(project / path) for path in sorted(tracked)], force=True)
    except DvcException as error:
        raise DataError(
            f"DVC cannot check out the data of then: {' '.join(str(error).split())}",
            hint="`dvc fetch --all-commits` fetches what all commits need into the cache.",
        ) from error
    return True


def data_words(record: Mapping[str, Any], project: Path | None) -> list[str]:
    """Return the words of the command line that name the data of a record.

    Args:
        record: The record.
        project: The project's folder in a worktree where DVC checked out what it tracks; ``None``
            if there is nothing of the kind. Other data is where it was.
    """
    paths = record["config"].get("paths") or {}
    root = Path(paths.get("root", record["directory"]))
    tracked = [root / path for path in record["facts"]["data"]]

    def today(path: str) -> Path:
        place = Path(os.path.normpath(Path(record["directory"]) / path))
        by_dvc = any(place in (each, *each.parents) or each in place.parents for each in tracked)
        if project is not None and root in place.parents and by_dvc:
            return project / place.relative_to(root)
        return place

    named = {
        "paths.data_dir": paths.get("data_dir"),
        "data.dir": (record["config"].get("data") or {}).get("dir"),
    }
    return [f"{key}={quoted(today(path))}" for key, path in named.items() if path]


def quoted(path: Path) -> str:
    """Return a path as Hydra reads it as one value."""
    return "'{}'".format(str(path).replace("\\", "\\\\").replace("'", "\\'"))


def _commit_of(run: Path, git: Mapping[str, Any]) -> str:
    commit = git.get("commit")
    if not commit:
        raise ConfigError(
            f"The record of {run} names no commit: {git.get('reason') or 'git was not asked'}.",
            hint="Without --as-recorded, `rerun` repeats it with today's code.",
        )
    known = _git(PROJECT, "cat-file", "-e", f"{commit}^{{commit}}")
    if known.returncode:
        raise ConfigError(
            f"Commit {commit}, which {run} was made from, is not in this repository.",
            hint="`git fetch --all` brings it, if a remote has it. Without --as-recorded, `rerun` "
            "repeats the run with today's code.",
        )
    return str(commit)


def _diff_of(run: Path, git: Mapping[str, Any]) -> Path | None:
    """Return the file with what differed from the commit, which must be as it was written."""
    if not git["changed"]:
        return None
    if not git["diff"]:
        raise ConfigError(
            f"{run} was made from code that differed from its commit by too much to be kept.",
            hint="Without --as-recorded, `rerun` repeats it with today's code.",
        )
    path = run / DIFF
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}, which says what differed from the commit, cannot be read: {error.strerror}.",
            hint="Bring it back from a copy of the run's folder.",
        ) from error
    if hashlib.sha256(content).hexdigest() != git["diff_sha256"]:
        raise ConfigError(
            f"{path} is damaged: its hash is not the one in the record.",
            hint="Bring it back from a copy of the run's folder.",
        )
    return path


def _remove(place: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _git(PROJECT, "worktree", "remove", "--force", str(place))
        if place.exists():
            shutil.rmtree(place)
        _git(PROJECT, "worktree", "prune")
    finally:
        signal.signal(signal.SIGINT, before)


def _git(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask git, in a session of its own: Ctrl-C shall not end it while it tidies up."""
    try:
        return subprocess.run(
            ["git", *words], cwd=folder, check=False, capture_output=True, encoding="utf-8",
            errors="replace", start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise StarterError("git is not installed.", hint="It keeps the code of then.") from error


def _last_line(ended: subprocess.CompletedProcess[str]) -> str:
    return (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]


def _top(folder: Path) -> Path:
    return Path(_git(folder, "rev-parse", "--show-toplevel").stdout.rstrip("\n"))


def _is_dvc(folder: Path) -> bool:
    return (folder / ".dvc" / "config").is_file()
