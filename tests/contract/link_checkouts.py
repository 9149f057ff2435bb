"""Real checkouts to relink and to mend, and an account of all their bytes."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

from scripts.links.tracked import observe
from tests.contract.dvc_projects import Project, make_project, md5, use_own_identity

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from scripts.links.checkout import TrackedFile

FILES = {"data/a": 70_000, "data/b": 9_000, "data/deep/c": 5_000, "single": 20_000}


def isolate(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Keep this machine's git and DVC, and what DVC remembers of other projects, out."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(directory / "site"))
    monkeypatch.setenv("HOME", str(directory / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(directory / "home" / ".config"))
    use_own_identity(monkeypatch)


def make_checkout(
    directory: Path,
    link_type: str = "copy",
    *,
    files: dict[str, int] | None = None,
    push: bool = True,
) -> Project:
    """Return a project whose tracked files, random bytes, are checked out as ``link_type``."""
    project = make_project(directory / "project")
    project.write(".dvc/config.local", f"[cache]\n    type = {link_type}\n")
    names = FILES if files is None else files
    for number, (name, size_bytes) in enumerate(sorted(names.items())):
        project.write(name, random.Random(number).randbytes(size_bytes))
    tops = sorted({name.split("/")[0] for name in names})
    if push:
        project.add(*tops)
    else:
        project.dvc("add", "--quiet", *tops)
    return project


def content(project: Project) -> dict[str, str]:
    """Return the hash of every file in the workspace, by its path: what may never be lost."""
    found = {}
    for parent, directories, names in os.walk(project.root):
        directories[:] = [name for name in directories if not name.startswith(".")]
        for name in names:
            path = os.path.join(parent, name)  # noqa: PTH118
            if os.path.exists(path):  # noqa: PTH110
                with open(path, "rb") as file:  # noqa: PTH123
                    found[os.path.relpath(path, project.root)] = md5(file.read())
    return found


def tracked(project: Project, name: str, *, contents: bool = False) -> TrackedFile:
    path = str(project.root / name)
    files = observe(project.root, contents=contents).files
    return next(file for file in files if file.path == path)


def states(project: Project) -> dict[str, str]:
    return {
        os.path.relpath(file.path, project.root): file.state.value
        for file in observe(project.root).files
    }


def edit(path: Path, text: bytes = b"edited") -> None:
    """Write into a file as an editor does that writes in place, through any link."""
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(text)


def is_clean(project: Project) -> bool:
    return "up to date" in project.dvc("status").stdout
