"""Which code a run has: the commit, and what differs from it, as a diff that puts it back."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

DIFF = "git.diff"
RECORD = "record.json"
_LARGEST_DIFF_BYTES = 20_000_000
_LARGEST_FILE_BYTES = 1_000_000
_CODE = (".py", ".sh", ".yaml", ".yml", ".toml", ".dvc")
_SECRET = re.compile("secret|credential|passw", re.IGNORECASE)


def observe_code(project: Path, run_dir: Path, *, keep_diff: bool) -> dict[str, Any]:
    """Return commit and branch, and whether files differ from it; without git, why not.

    The diff holds what git has, and of the files that it does not have yet the code and settings
    in the project: no secrets, no data.

    Args:
        project: Where the code is; its repository may be larger.
        run_dir: The run's folder, which gets the diff.
        keep_diff: Whether it does.
    """
    try:
        commit = _ask(project, "rev-parse", "HEAD").decode().strip()
        branch = _ask(project, "rev-parse", "--abbrev-ref", "HEAD").decode().strip()
        prefix = _ask(project, "rev-parse", "--show-prefix").decode().strip()
        status = _ask(project, "status", "--porcelain", "-z", "--untracked-files=normal")
        kept = list(_new_code(project, run_dir))
        diff = _diff(project, kept)
    except FileNotFoundError:
        return {"commit": None, "reason": "git is not installed"}
    except subprocess.CalledProcessError as error:
        return {"commit": None, "reason": error.stderr.decode(errors="replace").strip()[:500]}
    is_kept = bool(diff) and len(diff) <= _LARGEST_DIFF_BYTES
    if is_kept and keep_diff:
        (run_dir / DIFF).write_bytes(diff)
    untracked = [entry[3:] for entry in _names(status) if entry.startswith("?? ")]
    return {
        "commit": commit,
        "branch": branch,
        "project": prefix,
        "changed": bool(diff),
        "diff": DIFF if is_kept else None,
        "diff_sha256": hashlib.sha256(diff).hexdigest() if diff else None,
        "untracked": untracked,
        "untracked_in_diff": [prefix + path for path in kept],
    }


def _diff(project: Path, new: list[str]) -> bytes:
    """Return what differs from the commit, whatever the user's settings of `git diff` are.

    Files that git does not have yet are made known to a copy of the index: its own stays as it is.
    """
    index = project / _ask(project, "rev-parse", "--git-path", "index").decode().rstrip("\n")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "index"
        shutil.copyfile(index, copy)
        if new:
            _ask(
                project, "add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul",
                index=copy, given="\0".join(f":(literal){path}" for path in new),
            )  # fmt: skip
        return _ask(
            project, "diff", "HEAD", "--binary", "--full-index", "--no-color", "--no-ext-diff",
            "--no-textconv", "--no-renames", "--no-relative", "--src-prefix=a/", "--dst-prefix=b/",
            index=copy,
        )  # fmt: skip


def _new_code(project: Path, run_dir: Path) -> Iterator[str]:
    """Yield the code and settings that git neither has nor ignores, by path in the project."""
    listed = _ask(project, "ls-files", "-z", "--others", "--exclude-standard")
    for name in _names(listed):
        path = PurePosixPath(name)
        file = project / path
        if (
            (path.suffix in _CODE or path.name == "dvc.lock")
            and not any(part.startswith(".") for part in path.parts)
            and not _SECRET.search(name)
            and run_dir not in file.parents
            and not any((project / above / RECORD).is_file() for above in path.parents)
            and file.is_file()
            and file.stat().st_size <= _LARGEST_FILE_BYTES
        ):
            yield name


def _names(listed: bytes) -> list[str]:
    return [name.decode(errors="surrogateescape") for name in listed.split(b"\0") if name]


def _ask(project: Path, *words: str, index: Path | None = None, given: str = "") -> bytes:
    environ = {**os.environ, "GIT_INDEX_FILE": str(index)} if index else None
    return subprocess.run(
        ["git", *words], cwd=project, check=True, capture_output=True, env=environ,
        input=given.encode(errors="surrogateescape"),
    ).stdout  # fmt: skip
