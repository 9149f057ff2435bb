"""The code of a record, put back in a git worktree: the user's checkout is not touched."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from starter.changes import DIFF
from starter.errors import ConfigError, StarterError
from starter.facts import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


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
