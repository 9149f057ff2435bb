"""Which values must stand nowhere: all that this machine's settings and tools keep secret."""

from __future__ import annotations

import configparser
import netrc
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from scripts.container.needles import Secret
from scripts.settings.env_file import (
    EXTRA_INDEX_KEYS,
    INDEX_KEYS,
    PROXY_KEYS,
    SECRET_KEYS,
    read_env_file,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_AWS_KEYS = frozenset(("aws_access_key_id", "aws_secret_access_key", "aws_session_token"))
_DVC_KEYS = frozenset((
    "access_key_id", "secret_access_key", "session_token", "password", "account_key", "sas_token",
    "connection_string", "client_secret", "oss_key_id", "oss_key_secret", "token",
    "gdrive_client_secret", "passphrase", "hdfs_token",
))  # fmt: skip
"""Options of DVC's remotes (S3, Azure, Google, OSS, HTTP, SSH) that are secrets."""
_URL = re.compile(r"""\w+://[^\s"'<>]+""")


def known_secrets(
    root: Path, environ: Mapping[str, str] = os.environ, home: Path | None = None
) -> tuple[Secret, ...]:
    """Return every secret value that Slipway knows of, each once, with the key that names it.

    Args:
        root: The workspace, whose ``.env`` and ``.dvc/config.local`` are read.
        environ: The environment; what it hides in ``.env`` is a secret all the same.
        home: Where the tools keep their files; the person's own if ``None``.

    Raises:
        SettingsError: ``.env`` cannot be read.
    """
    home = home or Path.home()
    found: list[Secret] = []
    for values in (read_env_file(root / ".env"), environ):
        found += [Secret(key, values[key]) for key in SECRET_KEYS if values.get(key)]
        for key in PROXY_KEYS:
            found += _in_urls(key, [values.get(key, "")])
        for key in (*INDEX_KEYS, *EXTRA_INDEX_KEYS):
            found += _in_urls(key, values.get(key, "").split(), tokens=True)
    found += _of_aws(environ, home)
    found += _of_dvc(root / ".dvc" / "config.local")
    found += _of_netrc(Path(environ.get("NETRC") or home / ".netrc"))
    for path in _index_files(environ, home):
        found += _in_urls(path.name, _URL.findall(_text(path)), tokens=True)
    return tuple(dict.fromkeys(found))


def _in_urls(key: str, urls: Iterable[str], *, tokens: bool = False) -> Iterator[Secret]:
    """Yield the passwords of addresses, as they are written there and as they are meant.

    With ``tokens`` a user who has no password is one: package indexes give them out as such.
    """
    for url in urls:
        url = re.sub(r"^[\w-]+=(?=\w+://)", "", url)  # noqa: PLW2901  uv's NAME=URL
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
        except ValueError:  # such as NO_PROXY=[::1
            continue
        secret = parts.password or (parts.username if tokens else None)
        if secret:
            yield from (Secret(key, value) for value in (secret, unquote(secret)))


def _of_aws(environ: Mapping[str, str], home: Path) -> Iterator[Secret]:
    for variable, name in (
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        ("AWS_CONFIG_FILE", "config"),
    ):
        path = Path(environ.get(variable) or home / ".aws" / name)
        yield from _options(path, _AWS_KEYS)


def _of_dvc(path: Path) -> Iterator[Secret]:
    yield from _options(path, _DVC_KEYS)
    yield from _in_urls(path.name, _URL.findall(_text(path)))


def _options(path: Path, keys: frozenset[str]) -> Iterator[Secret]:
    """Yield the values of these options in every section of a file."""
    content = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        content.read_string(re.sub(r"(?m)^\s+(?=[\w\[])", "", _text(path)))  # DVC indents
    except configparser.Error:
        return  # none that the tool itself could read either
    for section in content.sections():
        for key in sorted(keys & set(content.options(section))):
            value = (content.get(section, key) or "").strip("\"'")
            if value:
                yield Secret(f"{key} of {section}", value)


def _of_netrc(path: Path) -> Iterator[Secret]:
    try:
        hosts = netrc.netrc(str(path)).hosts
    except (OSError, UnicodeDecodeError, netrc.NetrcParseError):
        return  # none, or none that a tool could read either
    for host, (_login, _account, password) in hosts.items():
        if password:
            yield Secret(f"password of {host}", password)


def _index_files(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Yield where pip and uv are told of package indexes."""
    configuration = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    if environ.get("PIP_CONFIG_FILE"):
        yield Path(environ["PIP_CONFIG_FILE"])
    if environ.get("UV_CONFIG_FILE"):
        yield Path(environ["UV_CONFIG_FILE"])
    yield configuration / "pip" / "pip.conf"
    yield home / "Library" / "Application Support" / "pip" / "pip.conf"  # macOS
    if environ.get("APPDATA"):
        yield Path(environ["APPDATA"]) / "pip" / "pip.ini"
        yield Path(environ["APPDATA"]) / "uv" / "uv.toml"
    yield home / ".pip" / "pip.conf"
    yield configuration / "uv" / "uv.toml"
    yield from (Path("/etc/pip.conf"), Path("/etc/uv/uv.toml"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""  # none, or none that its tool could read either
