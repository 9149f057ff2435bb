"""DVC files whose changes are in no commit: what they name now is the workspace's alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.process import run

if TYPE_CHECKING:
    from pathlib import Path

_DVC_FILES = ("*.dvc", "*dvc.yaml", "*dvc.lock")
_STATUS_LETTERS = 3


def uncommitted_files(root: Path) -> tuple[str, ...]:
    """Return the DVC files that were changed, added or removed since the last commit.

    Args:
        root: The project's directory, in a git repository.

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
    below = run(["git", "rev-parse", "--show-prefix"], cwd=root).stdout.rstrip("\n")
    return tuple(line[_STATUS_LETTERS + len(below) :] for line in told.split("\0") if line)
