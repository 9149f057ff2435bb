"""The DVC project and today's configuration of its remotes."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import SettingsError, ToolError
from scripts.links.room import require_room
from scripts.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def open_project(root: Path, *, visiting: bool = False) -> Iterator[Any]:
    """Open the DVC project at ``root`` (a ``dvc.repo.Repo``) and close it again.

    Args:
        root: The project's directory.
        visiting: Whether nothing may be written there, not even what DVC keeps for itself. Such a
            project cannot be locked, and must have its ``.dvc`` at ``root`` itself.

    Raises:
        SettingsError: ``root`` is no DVC project, or its configuration is malformed.
        ToolError: It shall be in git, and is not, or not in one that can be read; or the machine
            does not let DVC read it: no more open files, a full disk, a mode.
    """
    with _let_by_the_machine(root):
        if not visiting:
            require_room()
        repo = _open(root, visiting=visiting)
        try:
            yield repo
        finally:
            repo.close()


@contextmanager
def _let_by_the_machine(root: Path) -> Iterator[None]:
    import sqlite3  # noqa: PLC0415  only to know its errors: DVC keeps what it knows in it

    try:
        yield
    except sqlite3.OperationalError as error:
        raise ToolError(
            f"What DVC remembers of {root} cannot be opened: {error}.",
            hint="Is the disk full, or the number of open files low (`ulimit -n`)? `dvc doctor` "
            "shows where that is: Repo.site_cache_dir.",
        ) from error
    except OSError as error:
        raise ToolError(
            f"DVC cannot read {error.filename or root}: {error.strerror or error}.",
            hint="Check its owner and mode, the room on its disk, and `ulimit -n`.",
        ) from error


def _open(root: Path, *, visiting: bool) -> Any:  # noqa: ANN401  dvc ships no types
    from dvc.config import ConfigError  # noqa: PLC0415
    from dvc.exceptions import DvcException, NotDvcRepoError  # noqa: PLC0415
    from dvc.repo import Repo  # noqa: PLC0415
    from dvc.scm import SCMError  # noqa: PLC0415

    try:
        repo = _visit(root) if visiting or _is_closed(root) else Repo(str(root))
        repo.config  # noqa: B018  read now, so that a malformed one is told here
    except NotDvcRepoError as error:
        raise SettingsError(
            f"{root} is not a DVC project.",
            hint="Run this in one, or make it one with `./inv dvc-init`.",
        ) from error
    except SCMError as error:
        raise _without_history(root, str(error)) from error
    except (ConfigError, DvcException) as error:
        raise _malformed(root, error) from error
    return repo


def read_config(root: Path, *, visiting: bool = False) -> Mapping[str, Any]:
    """Return today's DVC configuration of the project at ``root``, without opening the project.

    Opening one loads all of DVC, which takes longer than many a migration that has nothing to do.
    A run asks several times, and DVC reads and checks it only if one of its files has changed.

    Args:
        root: The project's directory.
        visiting: Whether nothing may be written there; see :func:`open_project`.

    Raises:
        SettingsError: ``root`` is no DVC project, or its configuration is malformed.
    """
    from dvc.config import Config, ConfigError  # noqa: PLC0415

    if not (root / ".dvc").is_dir():  # DVC looks in the directories above as well
        with open_project(root, visiting=visiting) as repo:
            return dict(repo.config)
    known = _configs.get(root)
    if known is not None and _contents(known[0]) == known[1]:
        return known[0]
    try:
        with _let_by_the_machine(root):
            config: Mapping[str, Any] = Config(str(root / ".dvc"))
            _configs[root] = (config, _contents(config))
    except ConfigError as error:
        raise _malformed(root, error) from error
    return config


_configs: dict[Path, tuple[Mapping[str, Any], tuple[bytes, ...]]] = {}
"""The configuration that was read last in each project, and what its files held."""


def _contents(config: Any) -> tuple[bytes, ...]:  # noqa: ANN401  dvc ships no types
    return tuple(_content(Path(name)) for name in config.files.values())


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # if it was there before, DVC is asked again, and names it
        return b""


def _malformed(root: Path, error: Exception) -> SettingsError:
    return SettingsError(
        f"{root / '.dvc' / 'config'} cannot be read: {error}.",
        hint="Mend it, or .dvc/config.local; `dvc config --list` shows what DVC understands.",
    )


def has_history(root: Path, *, visiting: bool = False) -> bool:
    """Return whether git keeps the project's history; a project may do without (`--no-scm`).

    Args:
        root: The project's directory.
        visiting: Whether nothing may be written there.

    Raises:
        SettingsError: ``root`` is no DVC project.
        ToolError: git does not open it though it should: its history would be passed over.
    """
    if read_config(root, visiting=visiting)["core"].get("no_scm", False):
        return False
    answer = run(["git", "rev-parse", "--git-dir"], cwd=root, check=False)
    if answer.returncode != 0:
        raise _without_history(root, answer.stderr.strip())
    return True


def _without_history(root: Path, why: str) -> ToolError:
    return ToolError(
        f"The git history of {root} cannot be read: {why}",
        hint="Mend that; or, if the project is meant to be without git, say so to DVC: "
        "`dvc config core.no_scm true`.",
    )


def _is_closed(root: Path) -> bool:
    """Return whether DVC would fail to make its ``tmp``: in a fresh clone that is read only."""
    dvc = root / ".dvc"
    return dvc.is_dir() and not (dvc / "tmp").exists() and not os.access(dvc, os.W_OK)


def _visit(root: Path) -> Any:  # noqa: ANN401
    from dvc.exceptions import NotDvcRepoError  # noqa: PLC0415
    from dvc.repo import Repo  # noqa: PLC0415

    if not (root / Repo.DVC_DIR).is_dir():  # DVC would go on looking in the directories above
        raise NotDvcRepoError(f"there is no {Repo.DVC_DIR} in {root}")

    class Visited(Repo):  # type: ignore[misc]  # dvc ships no types
        tmp_dir = tempfile.gettempdir()

        def _ignore(self) -> None:
            """Leave its .gitignore as it is."""

    return Visited(str(root))


def remote_config(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the configuration of the remote ``name``, references to other remotes resolved.

    Raises:
        SettingsError: There is no such remote; the hint lists those that there are.
    """
    from dvc.config import ConfigError  # noqa: PLC0415
    from dvc.fs import get_fs_config  # noqa: PLC0415

    known = ", ".join(sorted(config["remote"])) or "none"
    if name.lower() not in config["remote"]:
        nearest = get_close_matches(name.lower(), config["remote"], n=1)
        meant = f"Did you mean '{nearest[0]}'? " if nearest else ""
        raise SettingsError(
            f"There is no DVC remote '{name}'.",
            hint=f"{meant}Known remotes: {known}. `dvc remote add` or `./inv dvc-init` adds one.",
        )
    try:
        resolved: Mapping[str, Any] = get_fs_config(config, name=name)
    except ConfigError as error:
        raise SettingsError(
            f"The DVC remote '{name}' refers to a remote that does not exist.",
            hint=f"Known remotes: {known}.",
        ) from error
    return resolved
