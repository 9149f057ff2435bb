"""Are two remotes one place? Told by their addresses, however these are spelled."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scripts.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_USUAL_PORTS = {80, 443, None}
_AWS = (".amazonaws.com", ".amazonaws.com.cn")
"""A bucket's name is one bucket, whichever of these endpoints is asked."""


_ENDPOINT_KEYS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def endpoint_of(config: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """Return the URL of the server that a remote's bucket is on; empty for that of AWS."""
    told = (environ[key] for key in _ENDPOINT_KEYS if environ.get(key))
    return str(config.get("endpointurl") or next(told, ""))


@dataclass(frozen=True)
class Place:
    """Where a remote is: the server (empty for this machine), and the path there."""

    server: str
    path: tuple[str, ...]


def refuse_overlap(
    names: tuple[str, str], configs: tuple[Mapping[str, Any], Mapping[str, Any]], endpoint: str = ""
) -> None:
    """Do nothing if two remotes are two places, neither of them in the other.

    A server that has two names, or a bucket under a name of its own, is not found out here. A
    migration finds everything present then, and emptying the source is stopped by the first object.

    Args:
        names: The remotes' names.
        configs: DVC's settings of each.
        endpoint: Where buckets are that say nothing of it.

    Raises:
        SettingsError: They are one remote or place, or overlap.
    """
    hint = "Name two different remotes; `dvc remote list` shows them."
    if names[0].lower() == names[1].lower():
        raise SettingsError(f"Source and target are the same remote '{names[0]}'.", hint=hint)
    first, second = (place_of(config, endpoint) for config in configs)
    if _holds(first, second) and _holds(second, first):
        raise SettingsError(f"'{names[0]}' and '{names[1]}' are the same place.", hint=hint)
    if _holds(first, second) or _holds(second, first):
        raise SettingsError(
            f"'{names[0]}' and '{names[1]}' overlap: one lies in the other.", hint=hint
        )


def place_of(config: Mapping[str, Any], endpoint: str = "") -> Place:
    """Return where the remote with DVC's settings ``config`` is, in one spelling."""
    url = str(config["url"])
    scheme, separator, rest = url.partition("://")
    if not separator or scheme == "file":
        return Place("", Path(os.path.realpath(url.removeprefix("file://"))).parts)
    server = _server(str(config.get("endpointurl") or endpoint))
    return Place(f"{scheme}://{server}", tuple(part for part in rest.split("/") if part))


def _server(endpoint: str) -> str:
    """Return the server's name and port; http or https is the same one."""
    url = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    host = (url.hostname or "").rstrip(".")
    if not host or host.endswith(_AWS):
        return "aws"
    host = "loopback" if host in _LOOPBACK else host
    return host if url.port in _USUAL_PORTS else f"{host}:{url.port}"


def _holds(outer: Place, inner: Place) -> bool:
    """Return whether ``inner`` is ``outer`` or lies in it; also by two mounts of one directory."""
    if outer.server != inner.server:
        return False
    if inner.path[: len(outer.path)] == outer.path:
        return True
    if outer.server:
        return False
    top, directory = Path(*outer.path), Path(*inner.path)
    return top.exists() and any(
        above.exists() and above.samefile(top) for above in (directory, *directory.parents)
    )
