"""The file ``.env``: which keys it may hold, and what it says."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from scripts.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

PROXY_KEYS = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)  # fmt: skip
INDEX_KEYS = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
"""Who names the package index, the first one that is set; each may hold a password."""
EXTRA_INDEX_KEYS = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")
"""Who names further ones, likewise."""
SECRET_KEYS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "WANDB_API_KEY",
    "HF_TOKEN",
)
"""Handed to commands inside by value at run time; never written anywhere, never printed."""
PASSED_KEYS = (
    "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3", "RAY_ADDRESS",
    "DVC_NO_ANALYTICS",
)  # fmt: skip
"""Handed to commands inside like the secrets, though they are none."""
OWN_KEYS = (
    "BASE_IMAGE",
    "CA_BUNDLE",
    "DNS_SERVERS",
    "DVC_CACHE_DIR",
    "DVC_CACHE_SHARED",
    "DVC_CACHE_TYPE",
    "DVC_DEFAULT_REMOTE",
    "DVC_REMOTE_HDD",
    "DVC_REMOTE_S3",
    "DVC_REMOTE_S3_ENDPOINT_URL",
    "DVC_REMOTE_S3_REGION",
    "GIT_CREDENTIALS",
    "GPU",
    "MOUNT_WHOLE",
    "OBJECT_STORE_PORT",
    "PORTS",
    "SHM_SIZE",
)
PASSED_INSIDE = (*OWN_KEYS, *SECRET_KEYS, *PASSED_KEYS)
"""What the environment sets of these, commands inside are given as it is."""
KNOWN_KEYS = (*PASSED_INSIDE, *PROXY_KEYS, *INDEX_KEYS, *EXTRA_INDEX_KEYS)


def read_env_file(path: Path) -> dict[str, str]:
    """Return the values of a ``.env`` file, empty if there is none.

    Raises:
        SettingsError: It cannot be read, a line is not ``KEY=value``, or a key is unknown. The
            message names line and key, never a value.
    """
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
