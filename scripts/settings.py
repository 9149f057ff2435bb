"""What a person has set: the environment over ``.env`` over defaults, as frozen Settings.

``.env.example`` documents every key; a test keeps it and this module in step.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Callable, TypeVar

from scripts.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_BASE_IMAGE = "python:3.9-slim-bookworm"
DEFAULT_PORTS = "8888,6006"
"""JupyterLab's and TensorBoard's own ports."""
DEFAULT_OBJECT_STORE_PORT = 9000
LINK_TYPES = ("reflink", "hardlink", "symlink", "copy")
"""What DVC's ``cache.type`` may list."""
PROXY_KEYS = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
SECRET_KEYS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "WANDB_API_KEY",
    "HF_TOKEN",
)
"""Handed to commands inside by value at run time; never written anywhere, never printed."""
PASSED_KEYS = ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3")
"""Handed to commands inside like the secrets, though they are none."""
OWN_KEYS = (
    "BASE_IMAGE",
    "CA_BUNDLE",
    "DVC_CACHE_DIR",
    "DVC_CACHE_TYPE",
    "DVC_DEFAULT_REMOTE",
    "DVC_REMOTE_HDD",
    "DVC_REMOTE_S3",
    "DVC_REMOTE_S3_ENDPOINT_URL",
    "DVC_REMOTE_S3_REGION",
    "GPU",
    "OBJECT_STORE_PORT",
    "PORTS",
    "SHM_SIZE",
)
KNOWN_KEYS = (*OWN_KEYS, *SECRET_KEYS, *PASSED_KEYS, *PROXY_KEYS)

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Port:
    """One port of the container and where the host publishes it."""

    container_port: int
    host_port: int
    host_address: str = "127.0.0.1"


@dataclass(frozen=True)
class ContainerSettings:
    """What the container is built from and given.

    ``base_image_set`` tells a person's own choice from the default: only the default is replaced
    when a registry says that it does not exist. ``shm_size`` is written as Docker reads it
    (``8gb``), ``gpu`` is ``"auto"`` or ``"off"``.
    """

    base_image: str = DEFAULT_BASE_IMAGE
    base_image_set: bool = False
    ports: tuple[Port, ...] = ()
    shm_size: str = "8gb"
    gpu: str = "auto"
    ca_bundle: Path | None = None
    object_store_port: int = DEFAULT_OBJECT_STORE_PORT


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

    ``cache_dir`` is absolute, or ``None`` for DVC's own ``.dvc/cache``; an empty ``cache_type``
    means "auto".
    """

    cache_dir: Path | None = None
    cache_type: tuple[str, ...] = ()
    remotes: tuple[RemoteSettings, ...] = ()
    default_remote: str | None = None


@dataclass(frozen=True)
class Settings:
    """Everything a person has set, for the workspace ``root`` (absolute).

    ``passed`` is handed to commands inside by value and never shown: it holds secrets.
    """

    root: Path
    container: ContainerSettings = field(default_factory=ContainerSettings)
    dvc: DvcSettings = field(default_factory=DvcSettings)
    passed: Mapping[str, str] = field(default_factory=dict, repr=False)


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
    source = _gather(_read_env_file(root / ".env"), environ)
    remotes = _read_remotes(source, root)
    return Settings(
        root=root,
        container=ContainerSettings(
            base_image=source.read("BASE_IMAGE", DEFAULT_BASE_IMAGE, _image),
            base_image_set=source.text("BASE_IMAGE") is not None,
            ports=source.read("PORTS", DEFAULT_PORTS, parse_ports),
            shm_size=source.read("SHM_SIZE", "8gb", _size),
            gpu=source.read("GPU", "auto", lambda value: _one_of(value, ("auto", "off"))),
            ca_bundle=source.read("CA_BUNDLE", "", lambda value: _path(value, root)),
            object_store_port=source.read(
                "OBJECT_STORE_PORT", str(DEFAULT_OBJECT_STORE_PORT), _port_number
            ),
        ),
        dvc=DvcSettings(
            cache_dir=source.read("DVC_CACHE_DIR", "", lambda value: _path(value, root)),
            cache_type=source.read("DVC_CACHE_TYPE", "auto", _link_types),
            remotes=remotes,
            default_remote=source.read(
                "DVC_DEFAULT_REMOTE",
                remotes[0].name if remotes else "",
                lambda value: _default_remote(value, remotes),
            ),
        ),
        passed={
            key: source.values[key]
            for key in (*SECRET_KEYS, *PASSED_KEYS)
            if source.values.get(key)
        },
    )


def _gather(env_file: Mapping[str, str], environ: Mapping[str, str]) -> _Source:
    values = dict(env_file)
    origins = dict.fromkeys(env_file, ".env")
    for key in KNOWN_KEYS:
        if key in environ:
            values[key] = environ[key]
            origins[key] = "the environment"
    return _Source(values, origins)


def _read_env_file(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    from dotenv.parser import parse_stream  # noqa: PLC0415  12 ms that listing tasks need not pay

    try:
        with path.open(encoding="utf-8") as stream:
            bindings = list(parse_stream(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f".env cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}.",
            hint="See .env.example for its form.",
        ) from error
    values: dict[str, str] = {}
    for binding in bindings:
        # A binding's text begins with the blank lines before it.
        text = binding.original.string
        line = binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
        if binding.error or (binding.key is not None and binding.value is None):
            raise SettingsError(
                f".env, line {line}: not of the form KEY=value.",
                hint="Mend or remove that line; .env.example shows the form.",
            )
        if binding.key is None:  # a comment or a blank line
            continue
        if binding.key not in KNOWN_KEYS:
            raise _unknown_key(binding.key, line)
        values[binding.key] = binding.value or ""
    return values


def _unknown_key(key: str, line: int) -> SettingsError:
    near = difflib.get_close_matches(key.upper(), KNOWN_KEYS, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    return SettingsError(
        f".env, line {line}: the key {key} is unknown.",
        hint=hint + ".env.example lists every key.",
    )


def _read_remotes(source: _Source, root: Path) -> tuple[RemoteSettings, ...]:
    remotes = []
    directory = source.read("DVC_REMOTE_HDD", "", lambda value: _path(value, root))
    if directory is not None:
        remotes.append(RemoteSettings("hdd", str(directory)))
    url = source.read("DVC_REMOTE_S3", "", _s3_url)
    options = {
        "endpointurl": source.read("DVC_REMOTE_S3_ENDPOINT_URL", "", _http_url),
        "region": source.text("DVC_REMOTE_S3_REGION"),
    }
    if url is not None:
        set_options = {name: value for name, value in options.items() if value is not None}
        remotes.append(RemoteSettings("s3", url, set_options))
    return tuple(remotes)


def parse_ports(value: str) -> tuple[Port, ...]:
    """Read a list such as ``8888,16006:6006,0.0.0.0:8080:80``; ``none`` publishes nothing.

    Raises:
        ValueError: A part is not ``[[ADDRESS:]HOST:]CONTAINER``, or a host port stands twice.
    """
    if value.lower() == "none":
        return ()
    ports = []
    for part in value.replace(" ", ",").split(","):
        if not part:
            continue
        fields = part.rsplit(":", 2)
        numbers = fields[-2:]
        if not all(number.isdigit() and 0 < int(number) < 65536 for number in numbers):
            raise ValueError(f"'{part}' is not [[ADDRESS:]HOST:]CONTAINER with ports 1 to 65535")
        address = fields[0] if len(fields) == 3 else "127.0.0.1"
        ports.append(Port(int(numbers[-1]), int(numbers[0]), address))
    taken = [port.host_port for port in ports]
    twice = sorted({number for number in taken if taken.count(number) > 1})
    if twice:
        raise ValueError(f"host port {twice[0]} stands twice")
    return tuple(ports)


def _port_number(value: str) -> int:
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise ValueError(f"'{value}' is not a port, 1 to 65535")
    return int(value)


def _image(value: str) -> str:
    if re.search(r"\s", value) or value.startswith("-"):
        raise ValueError(f"'{value}' is not an image name such as {DEFAULT_BASE_IMAGE}")
    return value


def _size(value: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)?\s*([kmg]?b?)", value, re.IGNORECASE):
        raise ValueError(f"'{value}' is not a size such as 8gb")
    return value.replace(" ", "").lower()


def _one_of(value: str, allowed: tuple[str, ...]) -> str:
    if value.lower() not in allowed:
        raise ValueError(f"'{value}' is none of {', '.join(allowed)}")
    return value.lower()


def _link_types(value: str) -> tuple[str, ...]:
    if value.lower() == "auto":
        return ()
    types = tuple(part.strip().lower() for part in value.split(","))
    for link_type in types:
        if link_type not in LINK_TYPES:
            raise ValueError(f"'{link_type}' is none of auto, {', '.join(LINK_TYPES)}")
    return types


def _path(value: str, root: Path) -> Path | None:
    return Path(os.path.normpath(root / Path(value).expanduser())) if value else None


def _s3_url(value: str) -> str | None:
    if value and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.\-_]{1,62}(/.*)?", value):
        raise ValueError(f"'{value}' is not of the form s3://BUCKET/PATH")
    return value or None


def _http_url(value: str) -> str | None:
    if not value:
        return None
    if not re.fullmatch(r"https?://[^\s/@]+(:\d+)?(/\S*)?", value):
        raise ValueError("it is not a URL such as https://s3.example.com (without credentials)")
    return value


def _default_remote(value: str, remotes: tuple[RemoteSettings, ...]) -> str | None:
    names = [remote.name for remote in remotes]
    if value and value not in names:
        known = ", ".join(names) or "none: DVC_REMOTE_HDD and DVC_REMOTE_S3 are both unset"
        raise ValueError(f"there is no remote '{value}' among the remotes set here ({known})")
    return value or None
