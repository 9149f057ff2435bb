"""The files of a project: which they are, and how they are named to a person."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scripts import process
from scripts.errors import SettingsError, ToolError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FETCHED = ("__pycache__", "node_modules")
"""Directories that others write, beside hidden ones and virtual environments."""


def find_sources(paths: Sequence[Path], suffixes: Sequence[str] = (".py",)) -> tuple[Path, ...]:
    """Return some files, and those of some kinds, Python's if not said, below some directories.

    Hidden directories, virtual environments and what package managers fetch are left out.

    Raises:
        SettingsError: A path does not exist, or holds no Python file.
    """
    found: dict[Path, None] = {}
    for path in (path.absolute() for path in paths):
        files = [path] if path.is_file() else list(below(path, suffixes))
        if not files:
            what = "holds no Python file" if path.exists() else "does not exist"
            raise SettingsError(f"{path} {what}.", hint="Name a Python file or a directory.")
        found.update(dict.fromkeys(files))
    return tuple(found)


def listed_by_git(root: Path, *patterns: str) -> tuple[Path, ...]:
    """Return the files that git has or would take: neither data nor runs, and nothing deleted.

    Args:
        root: The workspace.
        patterns: What they match, as git's pathspecs.

    Raises:
        ToolError: git cannot list them.
    """
    question = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = process.run(["git", *question], cwd=root, check=False)
    if listed.returncode != 0:
        reason = (listed.stderr.strip().splitlines() or ["it failed"])[-1]
        raise ToolError(
            f"git cannot list the files of {root}: {reason}.",
            hint="A workspace without git so far: `git init`, then run this again.",
        )
    names = sorted(set(filter(None, listed.stdout.split("\0"))))
    return tuple(root / name for name in names if os.path.lexists(root / name))


def below(directory: Path, suffixes: Sequence[str] = (".py",)) -> Iterator[Path]:
    """Return the Python files of a directory, in order; none if it is not there."""
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        if path.is_dir():
            foreign = path.name.startswith(".") or path.name in FETCHED
            if not foreign and not path.is_symlink() and not (path / "pyvenv.cfg").exists():
                yield from below(path, suffixes)
        elif path.suffix in suffixes:
            yield path


def shown(source: Path, root: Path) -> str:
    """Return how a file is named to a person: from the workspace on, if it is in it."""
    return source.relative_to(root).as_posix() if root in source.parents else str(source)


def unread(error: Exception) -> str:
    """Return why a file could not be read as Python."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error) or type(error).__name__
