"""The DVC project and today's configuration of its remotes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scripts.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@contextmanager
def open_project(root: Path) -> Iterator[Any]:
    """Open the DVC project at ``root`` (a ``dvc.repo.Repo``) and close it again.

    Raises:
        SettingsError: ``root`` is no DVC project, or its configuration is malformed.
    """
    from dvc.config import ConfigError  # noqa: PLC0415
    from dvc.exceptions import DvcException, NotDvcRepoError  # noqa: PLC0415
    from dvc.repo import Repo  # noqa: PLC0415

    try:
        repo = Repo(str(root))
        repo.config  # noqa: B018  read now, so that a malformed one is told here
    except NotDvcRepoError as error:
        raise SettingsError(
            f"{root} is not a DVC project.",
            hint="Run this in one, or make it one with `./inv dvc-init`.",
        ) from error
    except (ConfigError, DvcException) as error:
        raise SettingsError(
            f"{root / '.dvc' / 'config'} cannot be read: {error}.",
            hint="Mend it, or .dvc/config.local; `dvc config --list` shows what DVC understands.",
        ) from error
    try:
        yield repo
    finally:
        repo.close()


def remote_config(repo: Any, name: str) -> Mapping[str, Any]:  # noqa: ANN401  dvc ships no types
    """Return the configuration of the remote ``name``, references to other remotes resolved.

    Raises:
        SettingsError: There is no such remote; the hint lists those that there are.
    """
    from dvc.config import ConfigError  # noqa: PLC0415
    from dvc.fs import get_fs_config  # noqa: PLC0415

    known = ", ".join(sorted(repo.config["remote"])) or "none"
    if name.lower() not in repo.config["remote"]:
        raise SettingsError(
            f"There is no DVC remote '{name}'.",
            hint=f"Known remotes: {known}. `dvc remote add` or `./inv dvc-init` adds one.",
        )
    try:
        config: Mapping[str, Any] = get_fs_config(repo.config, name=name)
    except ConfigError as error:
        raise SettingsError(
            f"The DVC remote '{name}' refers to a remote that does not exist.",
            hint=f"Known remotes: {known}.",
        ) from error
    return config
