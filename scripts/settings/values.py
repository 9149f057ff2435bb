"""Single values: from the text that a person wrote to what it means, or why it means nothing."""

from __future__ import annotations

import ipaddress
import os
import re
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

LINK_TYPES = ("reflink", "hardlink", "symlink", "copy")
"""What DVC's ``cache.type`` may list."""


@dataclass(frozen=True)
class Port:
    """One port of the container and where the host publishes it.

    ``fixed`` tells that a person named the host's port too, so that no other one will do.
    ``instead_of`` is the host's port that was wanted, where another had to take its place.
    """

    container_port: int
    host_port: int
    host_address: str = "127.0.0.1"
    fixed: bool = field(default=False, compare=False)
    instead_of: int | None = field(default=None, compare=False)

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "address": self.host_address,
            "host": self.host_port,
            "container": self.container_port,
            "instead_of": self.instead_of,
        }


@dataclass(frozen=True)
class Proxy:
    """A proxy: where it listens, and the account that it asks for."""

    scheme: str
    host: str
    port: int
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """``HOST:PORT``, which is no secret."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Its whole address, password and all."""
        account = ""
        if self.username:
            account = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@"
        return f"{self.scheme}://{account}{self.place}"

    @property
    def is_near(self) -> bool:
        """Whether it listens on this machine alone, where a container cannot reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def speaks_http(self) -> bool:
        """Whether it is an HTTP proxy, not a SOCKS one."""
        return self.scheme in ("http", "https")

    @property
    def authorization(self) -> str:
        """The value of Proxy-Authorization, empty without an account; see RFC 7617."""
        if not self.username:
            return ""
        return "Basic " + b64encode(f"{self.username}:{self.password}".encode()).decode()


def read_proxy(value: str) -> Proxy | None:
    """Read a proxy's address as curl does: without a scheme it is ``http``; ``None`` for nothing.

    Raises:
        ValueError: It is no address. The message does not repeat it: it may hold a password.
    """
    if not value:
        return None
    example = "it is not an address such as http://proxy.example.com:3128"
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        port = parts.port
    except ValueError:
        raise ValueError(example) from None  # the cause repeats the address
    schemes = {"http": 80, "https": 443, "socks4": 1080, "socks5": 1080, "socks5h": 1080}
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(example)
    return Proxy(
        parts.scheme,
        parts.hostname,
        port or schemes[parts.scheme],
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )


def read_addresses(value: str) -> tuple[str, ...]:
    """Read a list of IP addresses."""
    found = tuple(part for part in re.split(r"[,\s]+", value) if part)
    for part in found:
        try:
            ipaddress.ip_address(part)
        except ValueError:
            raise ValueError(f"'{part}' is not an IP address") from None
    return found


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
        address = fields[0].strip("[]") if len(fields) == 3 else "127.0.0.1"
        fixed = len(fields) > 1
        ports.append(Port(int(numbers[-1]), int(numbers[0]), address, fixed=fixed))
    taken = [port.host_port for port in ports]
    twice = sorted({number for number in taken if taken.count(number) > 1})
    if twice:
        raise ValueError(f"host port {twice[0]} stands twice")
    return tuple(ports)


def read_port_number(value: str) -> int:
    """Read a port."""
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise ValueError(f"'{value}' is not a port, 1 to 65535")
    return int(value)


def read_image(value: str) -> str:
    """Read an image's name."""
    if re.search(r"\s", value) or value.startswith("-"):
        raise ValueError(f"'{value}' is not an image name such as python:3.9-slim-bookworm")
    return value


def read_size(value: str) -> str:
    """Read a size as Docker reads it: ``8gb``."""
    if not re.fullmatch(r"\d+(\.\d+)?\s*([kmg]?b?)", value, re.IGNORECASE):
        raise ValueError(f"'{value}' is not a size such as 8gb")
    return value.replace(" ", "").lower()


def one_of(value: str, allowed: tuple[str, ...]) -> str:
    """Read one of the words allowed."""
    if value.lower() not in allowed:
        raise ValueError(f"'{value}' is none of {', '.join(allowed)}")
    return value.lower()


def read_link_types(value: str) -> tuple[str, ...]:
    """Read a list of link types, empty for ``auto``."""
    if value.lower() == "auto":
        return ()
    types = tuple(part.strip().lower() for part in value.split(","))
    for link_type in types:
        if link_type not in LINK_TYPES:
            raise ValueError(f"'{link_type}' is none of auto, {', '.join(LINK_TYPES)}")
    return types


def read_path(value: str, root: Path) -> Path | None:
    """Read a path, relative to the workspace; ``None`` for nothing."""
    return Path(os.path.normpath(root / Path(value).expanduser())) if value else None


def read_s3_url(value: str) -> str | None:
    """Read a bucket's URL; ``None`` for nothing."""
    if value and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.\-_]{1,62}(/.*)?", value):
        raise ValueError(f"'{value}' is not of the form s3://BUCKET/PATH")
    return value or None


def read_http_url(value: str) -> str | None:
    """Read a URL without credentials; ``None`` for nothing."""
    if not value:
        return None
    if not re.fullmatch(r"https?://[^\s/@]+(:\d+)?(/\S*)?", value):
        raise ValueError("it is not a URL such as https://s3.example.com (without credentials)")
    return value
