"""Which values must stand nowhere: those of .env, the environment and the AWS profiles."""

from __future__ import annotations

import configparser
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from scripts.container.needles import Secret
from scripts.settings.env_file import INDEX_KEYS, PROXY_KEYS, SECRET_KEYS, read_env_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_AWS_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_AWS_FILES = {"AWS_SHARED_CREDENTIALS_FILE": "credentials", "AWS_CONFIG_FILE": "config"}


def known_secrets(
    root: Path, environ: Mapping[str, str] = os.environ, home: Path | None = None
) -> tuple[Secret, ...]:
    """Return every secret value that Slipway knows of, each once, with the key that names it.

    Args:
        root: The workspace, whose ``.env`` is read.
        environ: The environment; what it hides in ``.env`` is a secret all the same.
        home: Where ``.aws`` is; the person's own if ``None``.

    Raises:
        SettingsError: ``.env`` cannot be read.
    """
    found = []
    for values in (read_env_file(root / ".env"), environ):
        found += [Secret(key, values[key]) for key in SECRET_KEYS if values.get(key)]
        for key in (*PROXY_KEYS, *INDEX_KEYS):
            found += [Secret(key, password) for password in _passwords(values.get(key, ""))]
    for variable, name in _AWS_FILES.items():
        path = Path(environ.get(variable) or (home or Path.home()) / ".aws" / name)
        found += _of_profiles(path)
    return tuple(dict.fromkeys(found))


def _passwords(url: str) -> Iterator[str]:
    """Yield the password of an address, as it is written there and as it is meant."""
    try:
        password = urlsplit(url if "://" in url else f"http://{url}").password
    except ValueError:  # such as NO_PROXY=[::1
        return
    if password:
        yield password
        if unquote(password) != password:
            yield unquote(password)


def _of_profiles(path: Path) -> Iterator[Secret]:
    profiles = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        profiles.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return  # none, or none that the AWS tools could read either
    for profile in profiles.sections():
        for key in _AWS_KEYS:
            value = profiles.get(profile, key, fallback=None)
            if value:
                yield Secret(f"{key} of {profile}", value)
