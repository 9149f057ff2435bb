"""Signatures: which key git inside signs with, through which agent, or why it does not. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.crossing.gpg import PROGRAM

if TYPE_CHECKING:
    from scripts.crossing.git import GitFacts
    from scripts.crossing.gpg import GpgFacts

SSH, OPENPGP = "SSH", "OpenPGP"


@dataclass(frozen=True)
class Signing:
    """How git inside signs.

    Attributes:
        by: ``SSH`` or ``OPENPGP``; empty where nothing is signed.
        entries: What git inside has to be told.
        wanted: Whether git on the host signs by itself.
        why_not: Why it cannot be done inside, though it is asked for.
        fix: What a person can do about that.
    """

    by: str = ""
    entries: tuple[tuple[str, str], ...] = ()
    wanted: bool = False
    why_not: str = ""
    fix: str = ""


def plan_signing(git: GitFacts, gpg: GpgFacts) -> Signing:
    """Choose the key, from git's configuration on the host and what gpg there says."""
    wanted = git.signs_by_itself
    form = git.last("gpg.format") or "openpgp"
    key = git.last("user.signingkey")
    if form == "openpgp":
        if gpg.agent is None:
            return Signing(wanted=wanted, why_not=gpg.why_not, fix=gpg.fix)
        entries = (("gpg.program", PROGRAM), ("user.signingkey", key or gpg.key))
        return Signing(OPENPGP, entries, wanted)
    if form == "ssh" and git.signing_key:
        entries = (("gpg.format", "ssh"), ("user.signingkey", f"key::{git.signing_key}"))
        return Signing(SSH, entries, wanted)
    if form == "ssh" and key:
        why = "git's signing key has no public half (.pub) here"
        return Signing(wanted=wanted, why_not=why, fix="`ssh-keygen -y -f KEY >KEY.pub`")
    if wanted:
        why = f"signing with gpg.format={form} cannot be done there"
        return Signing(wanted=True, why_not=why, fix="set gpg.format to ssh or openpgp")
    return Signing()
