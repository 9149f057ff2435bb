"""DVC files whose changes are in no commit: what they name now is the workspace's alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.migration.scope import git_lines
from scripts.process import run

if TYPE_CHECKING:
    from pathlib import Path

_DVC_FILES = ("*.dvc", "*dvc.yaml", "*dvc.lock")
_STATUS_LETTERS = 3


def uncommitted_files(root: Path, prefix: str | None = None) -> tuple[str, ...]:
    """Return the DVC files that were changed, added or removed since the last commit.

    Args:
        root: The project's directory, in a git repository.
        prefix: Where it is in it; ``None`` asks git.

    Returns:
        Their paths, from the project's directory.

    Raises:
        CommandFailed: git failed.
        ToolMissing: git is not installed.
    """
    told = run(
        [
            "git", "--no-optional-locks", "status", "--porcelain", "-z", "--no-renames",
            "--untracked-files=all", "--", *_DVC_FILES,
        ],
        cwd=root,
    ).stdout  # fmt: skip
    below = git_lines(root, "rev-parse", "--show-prefix")[0] if prefix is None else prefix
    return tuple(line[_STATUS_LETTERS + len(below) :] for line in told.split("\0") if line)
