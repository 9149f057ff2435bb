"""SSH: the host's agent, found, asked and carried inside, and the hosts whose keys are known.

What crosses is a relay's socket in the workspace, not the agent's own: that changes with each
login, and to mount it would mean a new container each time: docs/decisions/git-crosses-the-wall.md.
"""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.crossing.paths import WORKSPACE_AGAIN
from scripts.crossing.relays import answers, start_relay
from scripts.report import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping

KNOWN_HOSTS = ".slipway/ssh/known_hosts"
"""Named by the image's ssh_config as the known hosts of all users; see the Dockerfile."""
RELAY_SOCKET = ".slipway/ssh/agent.sock"
DESKTOP_SOCKET = "/run/host-services/ssh-auth.sock"
"""Where Docker Desktop shows the agent of macOS in its virtual machine, which no socket of the
workspace reaches; it belongs to root's group."""
_UPSTREAM = ".slipway/ssh/agent"
_SYSTEM_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")
_TIMEOUT_S = 3
_LIST_KEYS = b"\x00\x00\x00\x01\x0b"
_KEYS_ANSWER = 12  # SSH_AGENT_IDENTITIES_ANSWER of draft-miller-ssh-agent


@dataclass(frozen=True)
class SshFacts:
    """What the host has for SSH.

    ``agent`` is the socket of an agent that answers, ``keys`` how many it holds, ``why_not`` what
    is wrong with it. ``known_hosts`` is the text of the files of that name.
    """

    agent: Path | None = None
    keys: int = 0
    why_not: str = ""
    known_hosts: str = ""


def observe_ssh(environ: Mapping[str, str]) -> SshFacts:
    """Ask the agent for its keys, for 3 seconds at most, and read what hosts are known."""
    files = (Path.home() / ".ssh" / "known_hosts", _SYSTEM_KNOWN_HOSTS)
    known_hosts = "".join(lines_of(path) for path in files)
    named = environ.get("SSH_AUTH_SOCK", "")
    if not named or not hasattr(socket, "AF_UNIX"):
        return SshFacts(why_not="no SSH agent runs in this shell", known_hosts=known_hosts)
    agent = Path(named)
    keys, why = _ask(agent)
    if why:
        return SshFacts(why_not=why, known_hosts=known_hosts)
    return SshFacts(agent, keys, "" if keys else "the SSH agent holds no key", known_hosts)


def agent_fix(facts: SshFacts) -> str:
    """Return what a person can do about ``why_not``; pure."""
    return "`ssh-add`" if facts.agent is not None else "`eval $(ssh-agent) && ssh-add`"


def ssh_environment(*, desktop: bool = False) -> dict[str, str]:
    """Return the variable that names the agent inside; pure."""
    return {"SSH_AUTH_SOCK": DESKTOP_SOCKET if desktop else f"{WORKSPACE_AGAIN}/{RELAY_SOCKET}"}


def forward_agent(root: Path, agent: Path | None) -> bool:
    """See that a relay to ``agent`` runs in the workspace; tell whether one does.

    Without an agent, a relay to another one that still answers goes on.

    Args:
        root: The workspace.
        agent: The host's agent.
    """
    if sys.platform != "linux":  # no socket crosses into a virtual machine
        return False
    listening = root / RELAY_SOCKET
    before = _text(root / _UPSTREAM)
    if agent is None:
        if before and _ask(Path(before))[1]:
            stop_forwarding(root)
        return answers(listening)
    if before == str(agent) and answers(listening):
        return True
    write_text(root / _UPSTREAM, str(agent))
    return start_relay(root, listening, f"unix:{agent}")


def follow_agent(root: Path, environ: Mapping[str, str]) -> None:
    """Pass on the agent of the shell that a command inside is called from, if it has one.

    One that does not answer is not passed on, as git inside would wait for it for ever.
    """
    named = environ.get("SSH_AUTH_SOCK", "")
    if not named or not Path(named).exists() or not hasattr(socket, "AF_UNIX"):
        return
    silent = _ask(Path(named))[1]
    forward_agent(root, None if silent else Path(named))


def stop_forwarding(root: Path) -> None:
    """Take the relay's socket away, on which it ends."""
    (root / RELAY_SOCKET).unlink(missing_ok=True)


def _ask(agent: Path) -> tuple[int, str]:
    """Return how many keys an agent holds, or why it does not answer."""
    try:
        return _count_keys(agent), ""
    except socket.timeout:
        return 0, f"the SSH agent at {agent} does not answer within {_TIMEOUT_S} s"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return 0, f"no SSH agent answers at SSH_AUTH_SOCK, {agent}: {reason}"


def _count_keys(agent: Path) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(_TIMEOUT_S)
        asking.connect(str(agent))
        asking.sendall(_LIST_KEYS)
        with asking.makefile("rb") as stream:  # all of it, or the agent complains
            answer = stream.read(int.from_bytes(stream.read(4), "big"))
    if len(answer) < 5 or answer[0] != _KEYS_ANSWER:
        raise ValueError("it is no SSH agent")
    return int.from_bytes(answer[1:5], "big")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def lines_of(path: Path) -> str:
    """Return a file's text, its last line ended; empty where it cannot be read."""
    text = _text(path)
    return text if not text or text.endswith("\n") else f"{text}\n"
