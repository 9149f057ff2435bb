"""From two names to two stores, by today's DVC configuration (never a historical commit's)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import SettingsError
from scripts.migration.places import endpoint_of, refuse_overlap
from scripts.migration.project import read_config, remote_config
from scripts.migration.store import ReadOnly, Source, Store
from scripts.migration.stores.disk import DiskStore
from scripts.migration.stores.multipart import KnownEtags
from scripts.migration.tuning import PRODUCTION, Tuning

if TYPE_CHECKING:
    from collections.abc import Mapping

_KNOWN_ETAGS = ".dvc/tmp/slipway/etags"


@dataclass(frozen=True)
class Stores:
    """The project at ``root`` and its two remotes; the source cannot be written through this.

    In ``healers`` is looked, in their order, for what the source lacks. ``tuning`` is for what
    copies between them.
    """

    root: Path
    source: Source
    target: Store
    healers: tuple[Source, ...] = ()
    tuning: Tuning = PRODUCTION


def open_stores(
    root: Path,
    source: str,
    target: str,
    passed: Mapping[str, str] | None = None,
    *,
    tuning: Tuning = PRODUCTION,
) -> Stores:
    """Open two DVC remotes of the project at ``root``; nothing is read or written yet.

    Args:
        root: The DVC project's directory.
        source: The remote to read from, by its name in DVC's configuration.
        target: The remote to fill.
        passed: ``AWS_...`` variables of Slipway's settings; they go before the environment.
        tuning: How much is much; for tests.

    Raises:
        SettingsError: There is no such project or remote, the remotes are the same, one lies in
            the other, or one is of a kind that cannot be migrated.
        AccessDenied: An S3 remote has no credentials.
    """
    if not source or not target:
        raise SettingsError(
            "A migration needs two remotes, --from and --to.",
            hint="`dvc remote list` shows them: `./inv dvc-migrate --from hdd --to s3`.",
        )
    environ = {**os.environ, **(passed or {})}
    config = read_config(root)
    configs = [remote_config(config, name) for name in (source, target)]
    refuse_overlap((source, target), (configs[0], configs[1]), endpoint_of({}, environ))
    read_from = _open(root, source.lower(), configs[0], environ, may_be_new=False, tuning=tuning)
    fill = _open(root, target.lower(), configs[1], environ, may_be_new=True, tuning=tuning)
    return Stores(root, ReadOnly(read_from), fill, tuning=tuning)


def open_remote(root: Path, name: str, passed: Mapping[str, str] | None = None) -> Source:
    """Open one DVC remote of the project at ``root``, to be read only.

    Args:
        root: The DVC project's directory.
        name: The remote, by its name in DVC's configuration; empty for the default remote.
        passed: ``AWS_...`` variables of Slipway's settings; they go before the environment.

    Raises:
        SettingsError: There is no such project or remote, or it is of a kind that holds no objects,
            or there is no default remote.
        AccessDenied: An S3 remote has no credentials.
    """
    return ReadOnly(open_writable(root, name, passed))


def open_writable(root: Path, name: str, passed: Mapping[str, str] | None = None) -> Store:
    """Open one DVC remote that is there; takes and raises what :func:`open_remote` does."""
    config = read_config(root)
    name = name or str(config["core"].get("remote") or "")
    if not name:
        raise SettingsError(
            "There is no default DVC remote.",
            hint="Name one with --remote; `dvc remote list` shows them.",
        )
    environ = {**os.environ, **(passed or {})}
    return _open(root, name.lower(), remote_config(config, name), environ, may_be_new=False)


def _open(
    root: Path,
    name: str,
    config: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    may_be_new: bool,
    tuning: Tuning = PRODUCTION,
) -> Store:
    url = str(config["url"])
    scheme = url.split("://", 1)[0] if "://" in url else "directory"
    for option in ("version_aware", "worktree"):
        if config.get(option):
            raise SettingsError(
                f"The DVC remote '{name}' cannot be used: it is set {option}, so it holds files, "
                "not DVC objects.",
                hint="Name a remote that holds objects; `dvc remote list` shows all.",
            )
    if scheme in {"directory", "file"}:
        return DiskStore(name, Path(url.removeprefix("file://")), may_be_new=may_be_new)
    if scheme == "s3":
        from scripts.migration.buckets import open_bucket  # noqa: PLC0415  loads obstore

        known = KnownEtags(root / _KNOWN_ETAGS)
        return open_bucket(name, url, config, environ, known, tuning=tuning)
    from scripts.migration.filesystems import open_filesystem  # noqa: PLC0415

    return open_filesystem(name, url, config, may_be_new=may_be_new)
