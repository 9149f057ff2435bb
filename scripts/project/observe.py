"""Look at a workspace: git, DVC's configuration, the directories that the settings name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from scripts import process
from scripts.errors import CommandFailed, SlipwayError
from scripts.project.model import ProjectFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.settings import Settings


def observe(settings: Settings) -> ProjectFacts:
    """Return what the workspace is now; change nothing.

    Raises:
        CommandFailed: git cannot say whether the workspace is in a repository.
        SlipwayError: DVC cannot read its own files.
    """
    root = settings.root
    named = [settings.dvc.cache_dir, *(remote.directory for remote in settings.dvc.remotes)]
    usable = frozenset(path for path in named if path is not None and _usable(path))
    has_dvc = (root / ".dvc").is_dir()
    config: Mapping[str, Any] = read_config(root) if has_dvc else {}
    cache = config.get("cache", {})
    return ProjectFacts(
        git_root=_git_root(root),
        has_dvc=has_dvc,
        cache_dir=cache.get("dir"),
        cache_shared=cache.get("shared"),
        cache_type=tuple(cache.get("type") or ()),
        remotes={
            name: {option: str(value) for option, value in options.items()}
            for name, options in config.get("remote", {}).items()
        },
        default_remote=config.get("core", {}).get("remote"),
        usable_directories=usable,
        outputs=outputs_present(root) if has_dvc else (),
    )


def read_config(root: Path) -> Mapping[str, Any]:
    """Return the project's effective DVC configuration, its paths made absolute.

    Raises:
        SlipwayError: A configuration file cannot be read; the message says what DVC says of it.
    """
    from dvc.config import Config  # noqa: PLC0415
    from dvc.exceptions import DvcException  # noqa: PLC0415

    try:
        return cast("Mapping[str, Any]", Config(dvc_dir=str(root / ".dvc")))
    except DvcException as error:
        raise SlipwayError(
            f"DVC cannot read the configuration of {root}: {error}.",
            hint="Mend .dvc/config or .dvc/config.local.",
        ) from error


def outputs_present(root: Path) -> tuple[str, ...]:
    """Return the tracked files and directories that lie in the workspace, relative to ``root``.

    Raises:
        SlipwayError: A file of DVC's cannot be read; the message says what DVC says of it.
    """
    from dvc.exceptions import DvcException  # noqa: PLC0415
    from dvc.repo import Repo  # noqa: PLC0415  half a second

    try:
        with Repo(str(root)) as repo:
            outputs = [out.fs_path for out in repo.index.outs if out.use_cache and out.exists]
    except DvcException as error:
        raise SlipwayError(
            f"DVC cannot read the project in {root}: {error}.",
            hint="`dvc status` shows more.",
        ) from error
    return tuple(sorted(os.path.relpath(path, root) for path in outputs))


def _usable(directory: Path) -> bool:
    return directory.is_dir() and os.access(directory, os.R_OK | os.W_OK | os.X_OK)


def _git_root(root: Path) -> Path | None:
    argv = ["git", "rev-parse", "--show-toplevel"]
    answer = process.run(argv, cwd=root, env={"LC_ALL": "C"}, check=False)
    if answer.returncode == 0:
        return Path(answer.stdout.rstrip("\n"))
    if "not a git repository" in answer.stderr:
        return None
    raise CommandFailed(answer.argv, answer.returncode, answer.stderr)
