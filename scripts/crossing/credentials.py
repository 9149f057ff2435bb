"""Credentials of HTTPS remotes: lent to git inside, in memory only, where a person wants that."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scripts import process
from scripts.crossing.identity import served_owner
from scripts.errors import CommandFailed, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scripts.crossing.git import GitFacts

_SOCKET = ".slipway/credentials/socket"
_LENT_S = 12 * 60 * 60
_ASK_S = 8
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "GCM_INTERACTIVE": "never"}
"""No helper may ask the person: nobody may be there."""


def http_remotes(facts: GitFacts) -> tuple[str, ...]:
    """Return the URLs of remotes that are reached through HTTP, without account; pure."""
    found = []
    for entry in facts.entries:
        url = urlsplit(entry.value or "") if entry.key.startswith("remote.") else None
        named = url is not None and re.search(r"\.(push)?url$", entry.key)
        if url is not None and named and url.scheme in ("http", "https") and url.hostname:
            found.append(f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}")
    return tuple(dict.fromkeys(found))


def credential_helper(workspace: str) -> str:
    """Return git's own helper inside, which asks the cache that the host has filled; pure."""
    return f"cache --timeout {_LENT_S} --socket {shlex.quote(f'{workspace}/{_SOCKET}')}"


def lend_credentials(root: Path, remotes: Sequence[str]) -> tuple[str, ...]:
    """Ask the host's helpers for each remote's credential and keep it in git's cache, in memory.

    Args:
        root: The workspace.
        remotes: URLs of the remotes.

    Returns:
        For each remote without one, what is wrong and what helps.
    """
    troubles = []
    for url in remotes:
        try:
            answer = process.run(
                ["git", "credential", "fill"], cwd=root, env=_QUIET, stdin=f"url={url}\n\n",
                timeout_s=_ASK_S, check=False,
            ).stdout  # fmt: skip
            known = "\npassword=" in answer
            if known:
                _store(root, answer)
        except (CommandFailed, ToolMissing, OSError):
            known = False
        if not known:
            troubles.append(
                f"git's helpers on this machine know no credential for {url} without asking: "
                "fetch from it once outside, then `./inv up`"
            )
    return tuple(troubles)


def forget_credentials(root: Path) -> None:
    """End the cache, and with it all that was lent."""
    if (root / _SOCKET).exists():
        command = ["git", "credential-cache", "--socket", str(root / _SOCKET), "exit"]
        process.run(command, check=False, timeout_s=_ASK_S)


def _store(root: Path, answer: str) -> None:
    place = root / _SOCKET
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.parent.chmod(0o700)
    options = ["--timeout", str(_LENT_S), "--socket", str(place)]
    command = ["git", "credential-cache", *options, "store"]
    process.run(command, stdin=f"{answer.strip()}\n\n", timeout_s=_ASK_S)
    owner = served_owner(root)
    if owner is not None:
        os.chown(place, *owner)
        os.chown(place.parent, *owner)
