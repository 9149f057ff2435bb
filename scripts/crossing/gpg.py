"""OpenPGP: git's signing key, found on the host and used inside through the host's own gpg-agent.

Only public keys are copied. What the agent shows inside is its extra socket, made for that: it
signs, and gives no key away. See "agent-extra-socket" in gpgconf(1).
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from scripts import process
from scripts.crossing.identity import served_owner
from scripts.crossing.relays import answers, start_relay
from scripts.errors import CommandFailed, ToolError, ToolMissing
from scripts.report import write_text

if TYPE_CHECKING:
    from scripts.crossing.git import GitFacts

PROGRAM = "slipway-gpg"
"""The image's gpg for git, which uses the directory below; see the Dockerfile."""
_HOME = ".slipway/gpg"
_SOCKET = f"{_HOME}/S.gpg-agent"
_UPSTREAM = f"{_HOME}/agent"
_KEYRING = f"{_HOME}/pubring.gpg"
_SETTINGS = f"{_HOME}/gpg.conf"
_TIMEOUT_S = 3


@dataclass(frozen=True)
class GpgFacts:
    """How git on the host signs with OpenPGP; all is empty where it is not told to.

    Attributes:
        agent: Where the agent serves others than the person's own gpg.
        key: The fingerprint of the key.
        program: The gpg that git uses.
        why_not: Why inside cannot sign.
        fix: What a person can do about that.
    """

    agent: Path | None = None
    key: str = ""
    program: str = "gpg"
    why_not: str = ""
    fix: str = ""


class _Unable(Exception):
    """Nothing can be signed: why, and what a person can do about it."""


def observe_gpg(git: GitFacts) -> GpgFacts:
    """Ask gpg for git's signing key, which starts the agent if gpg itself would; 3 s at most.

    Runs nothing where git does not sign with OpenPGP.
    """
    if not git.signs_with_openpgp:
        return GpgFacts()
    program = git.last("gpg.openpgp.program") or git.last("gpg.program") or "gpg"
    wanted = git.last("user.signingkey") or f"{git.last('user.name')} <{git.last('user.email')}>"
    try:
        return _ask(program, wanted)
    except _Unable as unable:
        why, fix = unable.args
    except ToolMissing as error:
        why, fix = error.message.rstrip("."), "install GnuPG"
    except CommandFailed:
        why, fix = f"gpg does not answer within {_TIMEOUT_S} s", "`gpgconf --kill gpg-agent`"
    except ToolError as error:
        why, fix = error.message.rstrip("."), "look at git's gpg.program"
    return GpgFacts(why_not=why, fix=fix)


def _ask(program: str, wanted: str) -> GpgFacts:
    asking = [program, "--batch", "--with-colons", "--list-secret-keys", "--", wanted]
    key = signing_fingerprint(process.run(asking, check=False, timeout_s=_TIMEOUT_S).stdout)
    if not key:
        fix = "`gpg --list-secret-keys` and git's user.signingkey"
        raise _Unable(f"gpg has no key {wanted} to sign with", fix)
    agent = _extra_socket(process.run(["gpgconf", "--list-dirs"], timeout_s=_TIMEOUT_S).stdout)
    if agent is None or not _greets(agent):
        fix = "`gpgconf --kill gpg-agent`, and gpg 2.2 or newer"
        raise _Unable(f"no gpg-agent answers at {agent or 'agent-extra-socket'}", fix)
    return GpgFacts(agent, key, program)


def signing_fingerprint(listed: str) -> str:
    """Return the first key in ``gpg --with-colons`` that can sign here; empty for none; pure.

    See doc/DETAILS of GnuPG: a secret key with ``#`` is not here, an expired one cannot sign.
    """
    fingerprint, usable = "", False
    for line in listed.splitlines():
        fields = line.split(":") + [""] * 15  # gpg 1.4 writes fewer
        if fields[0] == "sec":
            fingerprint, usable = "", False
        if fields[0] in ("sec", "ssb"):
            usable |= "s" in fields[11] and fields[1] not in tuple("reid") and fields[14] != "#"
        elif fields[0] == "fpr" and not fingerprint:
            fingerprint = fields[9]
        if usable and fingerprint:
            return fingerprint
    return ""


def out_of_reach(facts: GpgFacts) -> GpgFacts:
    """Return the facts for an engine whose containers run in a virtual machine; pure."""
    if facts == GpgFacts():
        return facts
    why = "no socket of this machine, gpg-agent's neither, reaches into the virtual machine"
    return GpgFacts(why_not=why, fix="sign outside, or with an SSH key (gpg.format)")


def forward_gpg(root: Path, facts: GpgFacts) -> None:
    """See that inside has the public key and a way to the agent, or neither.

    Args:
        root: The workspace.
        facts: What the host has.
    """
    if facts.agent is None:
        stop_gpg(root)
        return
    home = root / _HOME
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    keyring = root / _KEYRING
    exported = keyring.with_name("exported")
    command = [facts.program, "--batch", "--yes", "--export-options", "export-minimal"]
    process.run([*command, "--output", str(exported), "--export", facts.key], timeout_s=_TIMEOUT_S)
    exported.replace(keyring)
    # The long key id: the person's own key is as good inside as it is outside.
    write_text(root / _SETTINGS, f"trusted-key {facts.key[-16:]}\n", mode=0o600)
    if _text(root / _UPSTREAM) != str(facts.agent) or not answers(root / _SOCKET):
        write_text(root / _UPSTREAM, str(facts.agent))
        start_relay(root, root / _SOCKET, f"unix:{facts.agent}")
    home.chmod(0o700)  # start_relay opens it, which gpg complains of
    owner = served_owner(root)
    if owner is not None:
        for path in (home, keyring, root / _SETTINGS):
            os.chown(path, owner[0], owner[1])


def follow_gpg(root: Path) -> None:
    """Start the relay again where it ended with an agent that is back."""
    upstream = _text(root / _UPSTREAM)
    if upstream and Path(upstream).exists() and not answers(root / _SOCKET):
        start_relay(root, root / _SOCKET, f"unix:{upstream}")
        (root / _HOME).chmod(0o700)


def stop_gpg(root: Path) -> None:
    """Take the relay's socket away, on which it ends, and the way to start it again."""
    for name in (_SOCKET, _UPSTREAM):
        (root / name).unlink(missing_ok=True)


def _extra_socket(places: str) -> Path | None:
    named = dict(line.split(":", 1) for line in places.splitlines() if ":" in line)
    found = unquote(named.get("agent-extra-socket", ""))
    return Path(found) if found else None


def _greets(agent: Path) -> bool:
    """Tell whether an agent says hello, as the Assuan protocol wants of a server."""
    if sys.platform == "win32":
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(_TIMEOUT_S)
            asking.connect(str(agent))
            return asking.recv(2) == b"OK"
    except OSError:
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
