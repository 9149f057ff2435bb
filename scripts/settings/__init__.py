"""What a person has set: the environment over ``.env`` over defaults, as frozen Settings.

``.env.example`` documents every key; a test keeps it and this module in step.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Callable, TypeVar

from scripts.errors import SettingsError
from scripts.settings import values
from scripts.settings.dvc_config import DvcConfig, read_dvc_config
from scripts.settings.env_file import (
    KNOWN_KEYS,
    PASSED_KEYS,
    PROXY_KEYS,
    SECRET_KEYS,
    read_env_file,
)
from scripts.settings.indexes import Indexes, read_indexes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts.settings.values import Port, Proxy

DEFAULT_BASE_IMAGE = "python:3.9-slim-bookworm"
DEFAULT_PORTS = "8888,6006,8090"
"""JupyterLab's and TensorBoard's own ports, and SnakeViz's: its own, 8080, is everybody's."""
DEFAULT_OBJECT_STORE_PORT = 9000
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class ContainerSettings:
    """What the container is built from and given.

    ``base_image_set`` tells a person's own choice from the default: only the default is replaced
    when a registry says that it does not exist. ``shm_size`` is written as Docker reads it
    (``8gb``), ``gpu`` is ``"auto"`` or ``"off"``. ``git_credentials`` lends inside what the host's
    credential helpers know of this repository's remotes.
    """

    base_image: str = DEFAULT_BASE_IMAGE
    base_image_set: bool = False
    ports: tuple[Port, ...] = ()
    shm_size: str = "8gb"
    gpu: str = "auto"
    ca_bundle: Path | None = None
    git_credentials: bool = False
    object_store_port: int = DEFAULT_OBJECT_STORE_PORT


@dataclass(frozen=True)
class NetworkSettings:
    """How this machine reaches the network.

    ``no_proxy`` is a list separated by commas. ``proxy_names`` are the variables of proxies that
    are set, in either case: their values may hold passwords, so compose is told only the names.
    ``dns_servers`` go before those of the machine.
    """

    http_proxy: Proxy | None = None
    https_proxy: Proxy | None = None
    no_proxy: str = ""
    proxy_names: tuple[str, ...] = ()
    indexes: Indexes = field(default_factory=Indexes)
    dns_servers: tuple[str, ...] = ()


@dataclass(frozen=True)
class RemoteSettings:
    """A DVC remote for ``dvc-init``; ``options`` are DVC's own (``endpointurl``, ``region``)."""

    name: str
    url: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def directory(self) -> Path | None:
        """The remote's directory if it is one on this machine, else ``None``."""
        return None if "://" in self.url else Path(self.url)


@dataclass(frozen=True)
class DvcSettings:
    """What ``dvc-init`` sets up.

    ``cache_dir`` is absolute and no symbolic link, or ``None`` for DVC's own ``.dvc/cache``; an
    empty ``cache_type`` means "auto". ``mount_whole`` is a wide directory that a person lets the
    container see all of, so that hardlinks work.
    """

    cache_dir: Path | None = None
    cache_type: tuple[str, ...] = ()
    cache_shared: bool = False
    mount_whole: Path | None = None
    remotes: tuple[RemoteSettings, ...] = ()
    default_remote: str | None = None


@dataclass(frozen=True)
class Settings:
    """Everything a person has set, for the workspace ``root`` (absolute).

    ``configured`` is what DVC's own configuration says already. ``passed`` is handed to commands
    inside by value and never shown: it holds secrets.
    """

    root: Path
    container: ContainerSettings = field(default_factory=ContainerSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    dvc: DvcSettings = field(default_factory=DvcSettings)
    configured: DvcConfig = field(default_factory=DvcConfig)
    passed: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def cache_directory(self) -> Path:
        """Where the DVC cache is: ``.env`` goes before DVC's configuration, as in `dvc-init`."""
        own = self.root / ".dvc" / "cache"
        return self.dvc.cache_dir or self.configured.cache_dir or own

    @property
    def link_types(self) -> tuple[str, ...]:
        """The link types wanted, in order; empty for "auto"."""
        return self.dvc.cache_type or self.configured.cache_type

    @property
    def cache_shared(self) -> bool:
        """Whether a group shares the cache."""
        return self.dvc.cache_shared or self.configured.cache_shared


@dataclass(frozen=True)
class _Source:
    """The values of all known keys, and where each one came from."""

    values: Mapping[str, str]
    origins: Mapping[str, str]

    def read(self, key: str, default: str, parse: Callable[[str], _Value]) -> _Value:
        value = self.values.get(key, "").strip() or default
        try:
            return parse(value)
        except ValueError as error:
            origin = self.origins.get(key, "its default")
            raise SettingsError(
                f"{key} (from {origin}) is not valid: {error}.",
                hint=f"See {key} in .env.example.",
            ) from error

    def text(self, key: str) -> str | None:
        return self.values.get(key, "").strip() or None


def read_settings(root: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of the workspace ``root``.

    Args:
        root: The workspace; its ``.env`` is read if there is one.
        environ: The environment; what it sets goes before ``.env``.

    Raises:
        SettingsError: A line of ``.env`` cannot be read, a key is unknown, or a value is
            malformed. The message names the key and where it came from, never the value of a
            secret.
    """
    root = root.resolve()
    source = _gather(read_env_file(root / ".env"), environ)
    remotes = _read_remotes(source, root)
    return Settings(
        root=root,
        container=ContainerSettings(
            base_image=source.read("BASE_IMAGE", DEFAULT_BASE_IMAGE, values.read_image),
            base_image_set=source.text("BASE_IMAGE") is not None,
            ports=source.read("PORTS", DEFAULT_PORTS, values.parse_ports),
            shm_size=source.read("SHM_SIZE", "8gb", values.read_size),
            gpu=source.read("GPU", "auto", lambda value: values.one_of(value, ("auto", "off"))),
            ca_bundle=source.read("CA_BUNDLE", "", lambda value: values.read_path(value, root)),
            git_credentials=source.read(
                "GIT_CREDENTIALS", "none", lambda value: values.one_of(value, ("none", "host"))
            )
            == "host",
            object_store_port=source.read(
                "OBJECT_STORE_PORT", str(DEFAULT_OBJECT_STORE_PORT), values.read_port_number
            ),
        ),
        network=_read_network(source, environ),
        dvc=DvcSettings(
            cache_dir=source.read("DVC_CACHE_DIR", "", lambda value: _real_path(value, root)),
            cache_shared=source.read(
                "DVC_CACHE_SHARED", "no", lambda value: values.one_of(value, ("no", "group"))
            )
            == "group",
            mount_whole=source.read("MOUNT_WHOLE", "", lambda value: _real_path(value, root)),
            cache_type=source.read("DVC_CACHE_TYPE", "auto", values.read_link_types),
            remotes=remotes,
            default_remote=source.read(
                "DVC_DEFAULT_REMOTE",
                remotes[0].name if remotes else "",
                lambda value: _default_remote(value, remotes),
            ),
        ),
        configured=read_dvc_config(root),
        passed={
            key: source.values[key]
            for key in (*SECRET_KEYS, *PASSED_KEYS)
            if source.values.get(key)
        },
    )


def _read_network(source: _Source, environ: Mapping[str, str]) -> NetworkSettings:
    return NetworkSettings(
        http_proxy=_read_proxy(source, "http_proxy"),
        https_proxy=_read_proxy(source, "https_proxy"),
        no_proxy=source.text("no_proxy") or source.text("NO_PROXY") or "",
        proxy_names=_both_cases(key for key in PROXY_KEYS if source.text(key)),
        indexes=read_indexes(source.values, environ, Path.home()),
        dns_servers=source.read("DNS_SERVERS", "", values.read_addresses),
    )


def _both_cases(names: Iterable[str]) -> tuple[str, ...]:
    """Return the variables in capitals and in small letters, whichever of them is set."""
    return tuple(sorted({case for name in names for case in (name.upper(), name.lower())}))


def _read_proxy(source: _Source, key: str) -> Proxy | None:
    """Read a proxy as curl looks for it: in small letters, in capitals, then that of all."""
    keys = (key, key.upper(), "all_proxy", "ALL_PROXY")
    named = next((name for name in keys if source.text(name)), key)
    return source.read(named, "", values.read_proxy)


def _real_path(value: str, root: Path) -> Path | None:
    """Read a directory that is mounted: inside, a symbolic link on the way would lead nowhere."""
    path = values.read_path(value, root)
    return path.resolve() if path is not None else None


def _gather(env_file: Mapping[str, str], environ: Mapping[str, str]) -> _Source:
    found = dict(env_file)
    origins = dict.fromkeys(env_file, ".env")
    for key in KNOWN_KEYS:
        if key in environ:
            found[key] = environ[key]
            origins[key] = "the environment"
    return _Source(found, origins)


def _read_remotes(source: _Source, root: Path) -> tuple[RemoteSettings, ...]:
    remotes = []
    directory = source.read("DVC_REMOTE_HDD", "", lambda value: values.read_path(value, root))
    if directory is not None:
        remotes.append(RemoteSettings("hdd", str(directory)))
    url = source.read("DVC_REMOTE_S3", "", values.read_s3_url)
    options = {
        "endpointurl": source.read("DVC_REMOTE_S3_ENDPOINT_URL", "", values.read_http_url),
        "region": source.text("DVC_REMOTE_S3_REGION"),
    }
    if url is not None:
        set_options = {name: value for name, value in options.items() if value is not None}
        remotes.append(RemoteSettings("s3", url, set_options))
    return tuple(remotes)


def _default_remote(value: str, remotes: tuple[RemoteSettings, ...]) -> str | None:
    names = [remote.name for remote in remotes]
    if value and value not in names:
        known = ", ".join(names) or "none: DVC_REMOTE_HDD and DVC_REMOTE_S3 are both unset"
        raise ValueError(f"there is no remote '{value}' among the remotes set here ({known})")
    return value or None
