"""Compose as a command: which files it reads, and what its failures mean."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from scripts import process
from scripts.container.overlay import OVERLAY
from scripts.errors import CommandFailed, ContainerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scripts.container.engine import Follow

_LINE_SHOWN = 300
_MEANINGS = (  # what compose or a build prints, what it means, what helps
    ("no space left on device", "The disk is full.",
     "Make room: see `docker system df`; `docker builder prune` frees build caches."),
    ("port is already allocated", "A port that PORTS publishes is taken.",
     "Set PORTS in .env to free ports, for example PORTS=18888:8888,16006:6006."),
    ("address already in use", "A port that PORTS publishes is taken.",
     "Set PORTS in .env to free ports, for example PORTS=18888:8888,16006:6006."),
    ("bind source path does not exist", "A directory that is to be mounted does not exist.",
     "Look at the paths in .env; `./inv plan` lists every mount."),
    ("temporary failure resolving", "The build cannot resolve names.",
     "Check the DNS of this machine and of its container engine."),
    ("temporary failure in name resolution", "The build cannot resolve names.",
     "Check the DNS of this machine and of its container engine."),
    ("407 proxy authentication required", "The proxy refuses the build: it wants an account.",
     "Set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT in the environment or .env."),
    ("received http code 407 from proxy", "The proxy refuses the build: it wants an account.",
     "Set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT in the environment or .env."),
    ("status code: 401", "The package index refuses the build: it wants an account.",
     "Put it into the address: PIP_INDEX_URL=https://USER:PASSWORD@HOST/simple, or into ~/.netrc."),
    ("certificate has expired", "A server's certificate, or its issuer's, has expired.",
     "Ask for a new one; CA_BUNDLE in .env names the certificates that the build trusts."),
    ("certificate verify failed", "The build does not trust the certificate of a server.",
     "Behind a proxy that opens TLS, set CA_BUNDLE in .env to the PEM file your company gives."),
)  # fmt: skip


def compose_command(root: Path, arguments: Sequence[str]) -> list[str]:
    """Return the command line that runs compose on the workspace's two files."""
    return [
        "docker", "compose",
        "--project-directory", str(root),
        "--file", str(root / "docker-compose.yml"),
        "--file", str(root / OVERLAY),
        *arguments,
    ]  # fmt: skip


def run_compose(
    root: Path,
    arguments: Sequence[str],
    *,
    follow: Follow = None,
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> process.Completed:
    """Run compose and return what it printed; ``follow`` gets each line as it is printed.

    ``secrets`` are variables that it gets beside those of the environment.

    Raises:
        ContainerError: It failed for a reason that is known; the hint says what helps.
        CommandFailed: It failed for another reason.
    """
    try:
        if follow is not None:
            command = compose_command(root, ["--progress", "plain", *arguments])
            return process.run_followed(command, follow=follow, cwd=root, env=secrets)
        return process.run(compose_command(root, arguments), cwd=root, env=secrets)
    except CommandFailed as error:
        raise explain(error) from error


def explain(error: CommandFailed) -> CommandFailed | ContainerError:
    """Return what a failure of compose or of a build means, itself where nothing is known."""
    text = error.stderr.lower()
    for sign, meaning, hint in _MEANINGS:
        if sign.lower() in text:
            lines = [line for line in error.stderr.splitlines() if sign.lower() in line.lower()]
            return ContainerError(f"{meaning}\n  {lines[-1].strip()[:_LINE_SHOWN]}", hint=hint)
    return error
