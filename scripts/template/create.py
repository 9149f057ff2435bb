"""Make a new project: read the template, plan, write beside its place, then put it there whole."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from scripts.environment.lock import read_pins
from scripts.errors import SettingsError, SlipwayError
from scripts.sources import listed_by_git
from scripts.template.plan import (
    PACKAGE,
    TEMPLATE,
    Names,
    ProjectFile,
    plan_project,
    read_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class NewProject:
    """A project that was made."""

    path: Path
    package: str
    files: int


def new_project(root: Path, name: str, parent: Path) -> NewProject:
    """Make a project from the template.

    Args:
        root: The workspace, which holds the template.
        name: How it shall be called; its directory has this name.
        parent: Where its directory is made.

    Raises:
        SettingsError: The name does not do, or something is at its place already.
        SlipwayError: The template is not there, or the project cannot be written.
    """
    names = read_names(name, _taken(root))
    target = parent.absolute() / names.directory
    if os.path.lexists(target):
        raise SettingsError(
            f"{target} exists already.", hint="Choose another name, or another place: --to DIR."
        )
    files = plan_project(_read_template(root), names)
    _write(files, target, names)
    return NewProject(target, names.package, len(files))


def _taken(root: Path) -> set[str]:
    """Return modules that a package may not hide: Python's, the image's, the workspace's."""
    lock = root / "environment.lock"
    pins = read_pins(lock.read_text(encoding="utf-8")) if lock.is_file() else {}
    return {*_python_modules(), *pins, *_workspace_modules(root), PACKAGE, TEMPLATE}


def _python_modules() -> set[str]:
    named = getattr(sys, "stdlib_module_names", None)  # since Python 3.10
    if named is not None:
        return set(named)
    library = Path(sysconfig.get_path("stdlib"))
    found = {path.stem for path in library.iterdir() if path.suffix == ".py" or path.is_dir()}
    return found | set(sys.builtin_module_names)


def _workspace_modules(root: Path) -> set[str]:
    return {
        path.stem
        for path in root.iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
    }


def _read_template(root: Path) -> list[ProjectFile]:
    """Return the template's files: those that git has or would take, so no run and no data."""
    present = listed_by_git(root, TEMPLATE)
    if not present:
        raise SlipwayError(
            f"There is no template in {root / TEMPLATE}.",
            hint=f"`git checkout -- {TEMPLATE}` brings it back.",
        )
    return [_read(path, PurePosixPath(path.relative_to(root / TEMPLATE))) for path in present]


def _read(path: Path, relative: PurePosixPath) -> ProjectFile:
    if path.is_symlink():
        return ProjectFile(relative, link=os.readlink(path))  # noqa: PTH115  as text, unread
    try:
        return ProjectFile(relative, path.read_bytes(), path.stat().st_mode & 0o777)
    except OSError as error:
        raise SlipwayError(
            f"Cannot read {path}: {error.strerror or error}.", hint="Look at its permissions."
        ) from error


def _write(files: Iterable[ProjectFile], target: Path, names: Names) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{names.directory}.", dir=target.parent))
    except OSError as error:
        raise _unwritten(target, error) from error
    made = beside / names.directory  # the temporary directory is its owner's alone, this one is not
    try:
        made.mkdir()
        for file in files:
            path = made / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            if file.link:
                path.symlink_to(file.link)
            else:
                path.write_bytes(file.content)
                path.chmod(file.mode)
        made.rename(target)
    except OSError as error:
        raise _unwritten(target, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _unwritten(target: Path, error: OSError) -> SlipwayError:
    return SlipwayError(
        f"Cannot make {target}: {error.strerror or error}.",
        hint="Check that the directory is yours and has room. Nothing was left behind.",
    )
