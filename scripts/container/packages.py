"""Debian and Ubuntu packages on the host: all that Slipway ever installs there, if asked."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import process
from scripts.errors import CommandFailed, ToolMissing

if TYPE_CHECKING:
    from scripts.progress import Progress

_WAITS_S = 300


def os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """Return the fields of os-release(5), empty where the host has none."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return {}  # macOS, Windows: not a Linux distribution
    return {key: value.strip('"') for key, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)}


def as_root(argv: list[str]) -> list[str]:
    """Return a command as root runs it: itself for root, through sudo for others.

    Raises:
        ToolMissing: The user is not root and there is no sudo.
    """
    if os.name == "posix" and os.geteuid() == 0:
        return argv
    if process.installed("sudo"):  # which would take the proxies away
        return ["sudo", "--preserve-env=http_proxy,https_proxy,no_proxy", *argv]
    words = [word for word in argv if word != "env" and "=" not in word]
    raise ToolMissing(
        f"`{' '.join(words[:2])}` needs root, and `sudo` is not installed.",
        hint=f"Let root run: {' '.join(words)}",
    )


def install_packages(*names: str, why: str, progress: Progress) -> None:
    """Install those packages that are missing.

    Args:
        names: Packages, optionally with a release: ``docker.io/trixie``.
        why: What they are for, said to the person: "makes a base image".
        progress: Told what happens.

    Raises:
        ToolMissing: This host has no apt-get; the hint names what to install.
        CommandFailed: apt-get failed.
    """
    missing = [name for name in names if not _is_installed(name.partition("/")[0])]
    if not missing:
        return
    if not process.installed("apt-get"):
        raise ToolMissing(
            f"{', '.join(missing)} is not installed ({why}).",
            hint="Install it with this system's package manager.",
        )
    with progress.phase(f"installing {', '.join(name.partition('/')[0] for name in missing)}"):
        try:
            _install(missing)
        except CommandFailed:
            refresh_package_lists()
            _install(missing)


def refresh_package_lists() -> None:
    """Fetch the lists of packages anew.

    Raises:
        CommandFailed: apt-get failed.
    """
    process.run(as_root(["apt-get", "update", "-qq"]), timeout_s=600)


def _install(names: list[str]) -> None:
    # Another program may be installing: a machine's nightly upgrades, say.
    patience = ["-o", f"DPkg::Lock::Timeout={_WAITS_S}"]
    options = ["-y", "-qq", "--no-install-recommends", *patience]
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive"]
    process.run(as_root([*quiet, "apt-get", "install", *options, *names]), timeout_s=1800)


def _is_installed(package: str) -> bool:
    if not process.installed("dpkg-query"):
        return False
    answer = process.run(["dpkg-query", "-W", "-f", "${Status}", package], check=False)
    return answer.stdout.endswith("ok installed")
