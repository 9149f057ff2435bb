"""From DVC's configuration of a remote that is no directory and no bucket to its store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scripts.errors import SettingsError
from scripts.migration.stores.dvc_filesystem import FINISHING, RENAMING, FilesystemStore

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGE = re.compile(r"dvc-[a-z0-9]+")
KINDS = ("azure", "gdrive", "gs", "hdfs", "oss", "ssh", "webdav", "webdavs", "webhdfs")


def open_filesystem(
    name: str, url: str, config: Mapping[str, Any], *, may_be_new: bool
) -> FilesystemStore:
    """Open the remote ``name`` at ``url``; nothing is read or written yet.

    Args:
        name: The remote's name.
        url: ``ssh://host/path``, for instance.
        config: DVC's settings of the remote.
        may_be_new: Whether a directory that is not there yet is an empty store.

    Raises:
        SettingsError: DVC has no such kind, its package is not installed, its settings do not fit,
            or it cannot be listed.
    """
    from dvc.fs import get_cloud_fs  # noqa: PLC0415

    scheme = urlsplit(url).scheme
    if scheme in {"http", "https"}:
        raise SettingsError(
            f"The DVC remote '{name}' cannot be used: {scheme}:// remotes cannot be listed.",
            hint=f"`dvc fetch --all-commits --remote {name}` brings what it holds into the cache; "
            "what a migration's source lacks is healed from there.",
        )
    if scheme not in RENAMING | FINISHING:
        raise SettingsError(
            f"The DVC remote '{name}' cannot be used: there are no {scheme}:// remotes.",
            hint=f"There are directories, s3, {', '.join(KINDS)}.",
        )
    try:
        kind, settings, root = get_cloud_fs(None, **config)
        filesystem = kind(**settings)
    except Exception as error:
        raise _unusable(name, scheme, error) from error
    return FilesystemStore(name, _place(url), filesystem, root, may_be_new=may_be_new)


def _unusable(name: str, scheme: str, error: Exception) -> SettingsError:
    """Return what is wrong; the text of ``error`` names packages or settings, and no secret."""
    from dvc.fs import RemoteMissingDepsError  # noqa: PLC0415

    if isinstance(error, (ImportError, RemoteMissingDepsError)):
        named = _PACKAGE.search(str(error))
        package = named.group() if named else f"dvc-{scheme}"
        return SettingsError(
            f"The DVC remote '{name}' cannot be used: {scheme}:// needs the package {package}.",
            hint=f"Add dvc[{package[len('dvc-') :]}] to environment.txt, then `./inv lock` and "
            "`./inv up`.",
        )
    return SettingsError(
        f"The DVC remote '{name}' cannot be used: its settings do not fit "
        f"({type(error).__name__}).",
        hint="`dvc remote modify` sets them; DVC's documentation names those of each kind.",
    )


def _place(url: str) -> str:
    """Return ``url`` without a password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url.rstrip("/")
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username}@{host}").geturl().rstrip("/")
