"""Package indexes: which ones this machine uses, with the passwords that they ask for."""

from __future__ import annotations

import configparser
import netrc
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from scripts.settings.env_file import EXTRA_INDEX_KEYS, INDEX_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BUILD_INDEX, BUILD_EXTRA_INDEX = "SLIPWAY_INDEX_URL", "SLIPWAY_EXTRA_INDEX_URL"
"""Variables of compose alone, for what is named in no variable of the person's own."""


@dataclass(frozen=True)
class Indexes:
    """Package indexes other than the tools' own default; the URLs may hold passwords.

    ``url`` is the main one, empty for the default; ``extra`` further ones. ``found_in`` says where
    they are named. ``variables`` map ``index`` and ``extra_index`` to the variable by which
    compose finds each, where there is one to be found.
    """

    url: str = field(default="", repr=False)
    extra: tuple[str, ...] = field(default=(), repr=False)
    found_in: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_file(self) -> bool:
        """Whether a file names them, so that compose does not find them by itself."""
        return any(name in (BUILD_INDEX, BUILD_EXTRA_INDEX) for name in self.variables.values())

    def for_build(self) -> dict[str, str]:
        """Return the variables that compose is given for a build; they are secrets."""
        own = {BUILD_INDEX: self.url, BUILD_EXTRA_INDEX: " ".join(self.extra)}
        return {key: value for key, value in own.items() if value and self.by_file}

    def for_commands(self) -> dict[str, str]:
        """Return the variables by which pip and uv inside find them; they are secrets."""
        extra = " ".join(self.extra)
        values = {
            "PIP_INDEX_URL": self.url,
            "UV_DEFAULT_INDEX": self.url,
            "PIP_EXTRA_INDEX_URL": extra,
            "UV_INDEX": extra,
        }
        return {key: value for key, value in values.items() if value}


def read_indexes(values: Mapping[str, str], environ: Mapping[str, str], home: Path) -> Indexes:
    """Return the package indexes that this machine uses.

    What a variable names goes before pip's configuration. Of the latter only what a container can
    reach: no directory, no ``file:``. A password may stand in the URL or in ``.netrc``.

    Args:
        values: The variables of the environment and of ``.env``.
        environ: Names pip's configuration (``PIP_CONFIG_FILE``) and the file of passwords
            (``NETRC``) where they are not in their usual places.
        home: The person's home directory.
    """
    main = next((key for key in INDEX_KEYS if values.get(key)), "")
    more = next((key for key in EXTRA_INDEX_KEYS if values.get(key)), "")
    url = values.get(main, "")
    extra = [re.sub(r"^[\w-]+=", "", word) for word in values.get(more, "").split()]
    found_in, variables = main or more, {"index": main, "extra_index": more}
    if not found_in:
        path, url, extra = _pip_configuration(environ, home)
        found_in = str(path or "")
        variables = {"index": BUILD_INDEX, "extra_index": BUILD_EXTRA_INDEX}
    passwords = _passwords(Path(environ.get("NETRC") or home / ".netrc")) if url or extra else None
    known = [_with_account(one, passwords) for one in (url, *extra)]
    if known != [url, *extra]:
        variables = {"index": BUILD_INDEX, "extra_index": BUILD_EXTRA_INDEX}
    named = {"index": known[0], "extra_index": known[1:]}
    return Indexes(
        known[0],
        tuple(known[1:]),
        found_in,
        {name: variables[name] for name, value in named.items() if value},
    )


def without_account(url: str) -> str:
    """Return a URL without the account in it, which may be shown."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _pip_configuration(
    environ: Mapping[str, str], home: Path
) -> tuple[Path | None, str, list[str]]:
    """Return the first of pip's files that names an index, and what it names."""
    for path in _pip_files(environ, home):
        content = configparser.RawConfigParser(strict=False)
        try:
            content.read_string(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue  # none, or none that pip could read either
        sections = [name for name in ("install", "global") if content.has_section(name)]
        found = {
            key: next(
                (content.get(name, key) for name in sections if content.has_option(name, key)), ""
            )
            for key in ("index-url", "extra-index-url")
        }
        main, more = (list(_reachable(found[key].split())) for key in found)
        if main or more:
            return path, "".join(main[:1]), more
    return None, "", []


def _pip_files(environ: Mapping[str, str], home: Path) -> Iterable[Path]:
    """Yield where pip looks, the most particular first; see its guide, "Configuration"."""
    if environ.get("PIP_CONFIG_FILE") == os.devnull:  # pip's own way to say "no file at all"
        return
    if environ.get("PIP_CONFIG_FILE"):
        yield Path(environ["PIP_CONFIG_FILE"])
    configuration = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    yield configuration / "pip" / "pip.conf"
    yield home / "Library" / "Application Support" / "pip" / "pip.conf"  # macOS
    if environ.get("APPDATA"):
        yield Path(environ["APPDATA"]) / "pip" / "pip.ini"
    yield home / ".pip" / "pip.conf"
    yield Path("/etc/pip.conf")


def _reachable(urls: Iterable[str]) -> Iterable[str]:
    return (url for url in urls if urlsplit(url).scheme in ("http", "https"))


def _passwords(path: Path) -> netrc.netrc | None:
    try:
        return netrc.netrc(str(path))
    except (OSError, netrc.NetrcParseError):
        return None  # none, or none that pip could read either


def _with_account(url: str, passwords: netrc.netrc | None) -> str:
    parts = urlsplit(url)
    if passwords is None or parts.username or not parts.hostname:
        return url
    known = passwords.hosts.get(parts.hostname)
    if known is None:
        return url
    account = ":".join(quote(part or "", safe="") for part in (known[0], known[2]))
    return urlunsplit(parts._replace(netloc=f"{account}@{parts.netloc}"))
