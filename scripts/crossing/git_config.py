"""Git's configuration for inside: what of the host's crosses, what does not, and why. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.crossing.git import SIGNING
from scripts.crossing.gpg import GpgFacts
from scripts.crossing.paths import is_within
from scripts.crossing.signing import OPENPGP, SSH, Signing, plan_signing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from scripts.crossing.git import GitEntry, GitFacts

CONFIG = ".slipway/gitconfig"
"""Included by the image's /etc/gitconfig; see the Dockerfile."""
RECENT_CONFIG = ".slipway/gitconfig-2.35"
"""The same for what older gits refuse to work with; included where the image's git knows it."""

_SECTIONS = frozenset(
    [
        "user",
        "author",
        "committer",
        "alias",
        "commit",
        "tag",
        "gpg",
        "core",
        "init",
        "pull",
        "push",
        "fetch",
        "merge",
        "rebase",
        "rerere",
        "diff",
        "color",
        "column",
        "format",
        "log",
        "url",
        "branch",
        "status",
        "stash",
        "blame",
        "grep",
        "help",
        "advice",
        "versionsort",
        "apply",
        "checkout",
        "clean",
        "sequence",
        "submodule",
        "notes",
        "mailmap",
        "lfs",
    ]
)
_CORE = frozenset(
    [
        "autocrlf",
        "safecrlf",
        "eol",
        "filemode",
        "ignorecase",
        "symlinks",
        "precomposeunicode",
        "quotepath",
        "whitespace",
        "abbrev",
        "commentchar",
        "editor",
        "pager",
        "excludesfile",
        "attributesfile",
        "hookspath",
        "logallrefupdates",
        "checkstat",
        "trustctime",
        "sshcommand",
    ]
)
_PATHS = re.compile(
    r"(core\.(excludesfile|attributesfile|hookspath)|commit\.template|init\.templatedir"
    r"|gpg\.ssh\.(allowedsignersfile|revocationfile)|blame\.ignorerevsfile|mailmap\.file"
    r"|diff\.orderfile|format\.signaturefile)"
)
_PROGRAMS = re.compile(
    r"(core\.(editor|pager|sshcommand)|sequence\.editor|gpg\.(.*\.)?(program|defaultkeycommand)"
    r"|diff\.external|(diff|merge)\.(gui)?tool"
    r"|diff\..*\.(command|textconv)|merge\..*\.driver)"
)
_INSIDE = frozenset({"nano", "less", "cat", "more", "true", ":"})
"""Programs that every image has; see apt.txt."""
_OPENPGP_PROGRAM = frozenset({"gpg.program", "gpg.openpgp.program"})
_LOCAL = frozenset({"local", "worktree"})
"""The levels that lie in the repository, which is inside as it is."""


@dataclass(frozen=True)
class GitConfig:
    """The texts of the two files, how git inside signs, and what a person should know."""

    text: str
    recent: str
    signing: Signing
    notes: tuple[str, ...] = ()


@dataclass
class _Chosen:
    entries: list[tuple[str, str | None]]
    recent: list[tuple[str, str | None]]
    left_out: list[str]


def plan_git_config(
    facts: GitFacts,
    *,
    workspace: str,
    home: Path,
    visible: Sequence[Path],
    helper: str = "",
    gpg: GpgFacts | None = None,
) -> GitConfig:
    """Choose what crosses.

    Args:
        facts: The host's configuration.
        workspace: The workspace inside; git inside trusts exactly it and its submodules.
        home: What ``~`` stands for on the host.
        visible: The directories of the host that are inside at their own paths.
        helper: The credential helper inside; empty for none.
        gpg: How the host signs with OpenPGP, if inside can reach its agent.
    """
    trusted = [workspace, *(f"{workspace}/{path}" for path in facts.submodules)]
    chosen = _Chosen([("safe.directory", path) for path in trusted], [], [])
    if helper:
        chosen.entries.append(("credential.helper", helper))
    signing = plan_signing(facts, gpg or GpgFacts())
    (chosen.recent if signing.by == SSH else chosen.entries).extend(signing.entries)

    def shown(path: Path) -> bool:
        return any(is_within(path, directory) for directory in visible)

    for entry in facts.entries:
        if entry.scope not in _LOCAL and _crosses(entry.key):
            _choose(entry, chosen, home, shown, signing.by)
    notes = list(_notes(facts, signing))
    if chosen.left_out:
        notes.append("git inside goes without " + "; ".join(dict.fromkeys(chosen.left_out)))
    if signing.by == SSH and signing.wanted:
        notes.append("commits are signed inside through the SSH agent; that takes git 2.35 there")
    return GitConfig(render(chosen.entries), render(chosen.recent), signing, tuple(notes))


def render(entries: Iterable[tuple[str, str | None]]) -> str:
    """Return entries as a file that git reads back as they are; pure."""
    lines = ["# Written by `./inv up` from this machine's git configuration."]
    heading = ""
    for key, value in entries:
        section, _, name = key.rpartition(".")
        first, dot, rest = section.partition(".")
        quoted = rest.replace("\\", "\\\\").replace('"', '\\"')
        wanted = f'[{first} "{quoted}"]' if dot else f"[{first}]"
        if wanted != heading:
            lines.append(wanted)
            heading = wanted
        lines.append(f"\t{name}" if value is None else f'\t{name} = "{_escaped(value)}"')
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    for plain, escaped in (
        ("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("\b", "\\b"),
    ):  # fmt: skip
        value = value.replace(plain, escaped)
    return value


def _crosses(key: str) -> bool:
    section, _, name = key.partition(".")
    if (section == "core" and name not in _CORE) or key in ("gpg.format", "user.signingkey"):
        return False  # of the last two, plan_git_config gives what works inside
    if re.search(r"passw|token|secret", key):
        return False
    return section in _SECTIONS


def _choose(
    entry: GitEntry, chosen: _Chosen, home: Path, shown: Callable[[Path], bool], signs_by: str
) -> None:
    key, value = entry.key, entry.value
    if _holds_password(key) or _holds_password(value or ""):
        chosen.left_out.append(f"{key.partition('.')[0]}.* with a password in it")
    elif key in SIGNING:
        if signs_by:
            (chosen.recent if signs_by == SSH else chosen.entries).append((key, value))
        elif (value or "true").lower() not in ("false", "no", "off", "0", "never"):
            chosen.left_out.append(f"{key} (the key cannot be used there)")
    elif key in _OPENPGP_PROGRAM and signs_by == OPENPGP:
        return  # the image's own stands in for it
    elif _PATHS.fullmatch(key) and value:
        path = home / value[2:] if value.startswith("~/") else Path(value)
        if path.is_absolute() and not shown(path):
            chosen.left_out.append(f"{key} ({value} is not there)")
        else:
            chosen.entries.append((key, str(path) if path.is_absolute() else value))
    elif _PROGRAMS.fullmatch(key) and value and not _is_inside(value):
        chosen.left_out.append(f"{key} ({value.split()[0]} may not be there)")
    elif key == "merge.conflictstyle" and value == "zdiff3":
        chosen.recent.append((key, value))
    else:
        chosen.entries.append((key, value))


def _is_inside(command: str) -> bool:
    words = command.split()
    return not words or words[0] in _INSIDE


def _holds_password(value: str) -> bool:
    """Tell whether a URL in a value names a password; a name alone is a token in HTTP's."""
    for scheme, account in re.findall(r"([a-zA-Z][a-zA-Z0-9+]*)://([^/\s@]*)@", value):
        if scheme.lower().startswith("http") or ":" in account:
            return True
    return False


def _notes(facts: GitFacts, signing: Signing) -> Iterable[str]:
    if facts.why_unread:
        yield f"git's configuration does not cross: {facts.why_unread}"
    elif not facts.last("user.name") or not facts.last("user.email"):
        yield (
            "git does not know who you are, so it cannot commit inside: "
            "`git config --global user.name` and `user.email` tell it"
        )
    if facts.foreign_git_dir:
        yield (
            f"GIT_DIR is {facts.foreign_git_dir}, which stays outside: git inside uses the "
            "workspace's own repository, so that every shell and editor uses the same"
        )
    if facts.above is not None:
        yield (
            f"the workspace is a part of the repository {facts.above}, most of which is not "
            "inside: use git outside, or clone Slipway as a repository of its own"
        )
    if signing.why_not:
        yield f"{signing.why_not}, so nothing is signed inside: {signing.fix}, then `./inv up`"
