"""The real things that some tests need; a missing one may not hide.

A test marked ``needs("docker")`` skips where there is no engine; where the environment variable
``REQUIRE`` lists ``docker`` (as CI does), the same absence is a failure.
"""

from __future__ import annotations

import os
import shutil
import socket
from functools import lru_cache
from pathlib import Path
from typing import Callable, NoReturn
from urllib.parse import urlsplit

import pytest

from scripts import process

_BROWSER = Path(__file__).resolve().parent / "integration" / "browser"
_AZURE = _BROWSER.with_name("azure")


def miss(tool: str, reason: str) -> NoReturn:
    """End a test for want of ``tool``: it fails where ``REQUIRE`` lists it, and skips elsewhere."""
    if tool in {name.strip() for name in os.environ.get("REQUIRE", "").split(",")}:
        pytest.fail(f"REQUIRE lists {tool}, but {reason}", pytrace=False)
    pytest.skip(reason)


def require(tool: str) -> None:
    """End a test if ``tool`` is missing."""
    reason = MISSING[tool]()
    if reason is not None:
        miss(tool, reason)


def _root_missing() -> str | None:
    return None if os.getuid() == 0 else "only root may do this"


def _docker_missing() -> str | None:
    if not process.installed("docker"):
        return "docker is not installed"
    answer = process.run(["docker", "info", "--format", "{{.ServerVersion}}"], check=False)
    return None if answer.returncode == 0 else "no Docker engine answers"


def _s3_missing() -> str | None:
    endpoint = os.environ.get("SLIPWAY_TEST_S3_ENDPOINT")
    if not endpoint:
        return "SLIPWAY_TEST_S3_ENDPOINT is not set"
    url = urlsplit(endpoint)
    try:
        socket.create_connection((url.hostname or "", url.port or 80), timeout=5).close()
    except OSError as error:
        return f"{endpoint} does not answer: {error}"
    return None


def _links_missing() -> str | None:
    if os.getuid() != 0:
        return "only root can mount file systems"
    for program in ("mkfs.btrfs", "mkfs.xfs", "mkfs.ext4", "losetup"):
        if not process.installed(program):
            return f"{program} is not installed"
    return None


def _devcontainer_missing() -> str | None:
    if os.environ.get("SLIPWAY_TEST_DEVCONTAINER") or shutil.which("devcontainer"):
        return None
    return "the dev-container CLI is not installed"


def _ssh_missing() -> str | None:
    for program in ("/usr/sbin/sshd", "ssh-agent", "ssh-add", "ssh-keygen"):
        if not process.installed(program):
            return f"{program} is not installed"
    return None


def _gpg_missing() -> str | None:
    for program in ("gpg", "gpgconf", "gpg-agent"):
        if not process.installed(program):
            return f"{program} is not installed"
    return None


def _git_http_missing() -> str | None:
    for program in ("/usr/sbin/nginx", "/usr/sbin/fcgiwrap"):
        if not process.installed(program):
            return f"{program} is not installed"
    return None


def _browser_missing() -> str | None:
    for program in ("chromium", "node"):
        if not process.installed(program):
            return f"{program} is not installed"
    if not (_BROWSER / "node_modules" / "playwright-core").is_dir():
        return f"what drives the browser is not installed: `npm ci --prefix {_BROWSER}`"
    return None


def _azure_missing() -> str | None:
    if (_AZURE / "node_modules" / ".bin" / "azurite-blob").exists():
        return None
    return f"Azurite is not installed: `npm ci --prefix {_AZURE}`"


def _proxy_missing() -> str | None:
    for program in ("tinyproxy", "nginx", "dnsmasq", "ip"):
        if not process.installed(program):
            return f"{program} is not installed"
    return None


def _faketime_missing() -> str | None:
    return None if process.installed("faketime") else "faketime is not installed"


MISSING: dict[str, Callable[[], str | None]] = {
    "docker": lru_cache(_docker_missing),
    "s3": lru_cache(_s3_missing),
    "links": lru_cache(_links_missing),
    "ssh": lru_cache(_ssh_missing),
    "devcontainer": lru_cache(_devcontainer_missing),
    "gpg": lru_cache(_gpg_missing),
    "git-http": lru_cache(_git_http_missing),
    "browser": lru_cache(_browser_missing),
    "proxy": lru_cache(_proxy_missing),
    "azure": lru_cache(_azure_missing),
    "faketime": lru_cache(_faketime_missing),
    "root": _root_missing,
}
"""For each tool the function that says why it cannot be used, or ``None``."""
