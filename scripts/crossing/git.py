"""Git as the host has it: its configuration, where the repository is, its public signing key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import process
from scripts.crossing.paths import is_within
from scripts.errors import CommandFailed, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TIMEOUT_S = 5
SIGNING = frozenset({"commit.gpgsign", "tag.gpgsign", "tag.forcesignannotated", "push.gpgsign"})
"""The keys that make git sign without being asked each time."""
_PUBLIC_KEY = re.compile(r"(ssh-|ecdsa-|sk-)[\w@.-]+ [A-Za-z0-9+/=]+")


@dataclass(frozen=True)
class GitEntry:
    """One line of git's configuration. ``value`` is ``None`` where only the key stands."""

    scope: str
    key: str
    value: str | None


@dataclass(frozen=True)
class GitFacts:
    """What the host's git says of itself and of the workspace.

    Attributes:
        entries: The configuration of all levels, includes followed, as git reads it in the
            workspace. Values may hold secrets.
        directory: The repository's own directory (a worktree's or a submodule's lies elsewhere),
            ``None`` where the workspace is no repository's top.
        common: What a worktree shares with the others of its repository; else ``directory``.
        above: The repository that the workspace is a part of, without being its top.
        borrowed: The object directories of other repositories that this one reads.
        submodules: Their paths in the workspace.
        submodule_urls: Where .gitmodules says that they come from.
        signing_key: The public half of the key that commits are signed with, where it is SSH's.
        foreign_git_dir: GIT_DIR, where it names another repository than the workspace's.
        why_unread: Why the configuration could not be read; empty where it could.
    """

    entries: tuple[GitEntry, ...] = ()
    directory: Path | None = None
    common: Path | None = None
    above: Path | None = None
    borrowed: tuple[Path, ...] = ()
    submodules: tuple[str, ...] = ()
    submodule_urls: tuple[str, ...] = ()
    signing_key: str = ""
    foreign_git_dir: str = ""
    why_unread: str = ""

    def last(self, key: str) -> str:
        """Return the value that counts of a key in lower case; empty without one."""
        return next((entry.value or "" for entry in self.entries[::-1] if entry.key == key), "")

    @property
    def signs_by_itself(self) -> bool:
        """Whether git signs something without being asked each time."""
        return any(self.last(key).lower() in ("true", "yes", "on", "1") for key in SIGNING)

    @property
    def signs_with_openpgp(self) -> bool:
        """Whether git is set up to sign, with OpenPGP's keys."""
        openpgp = self.last("gpg.format") in ("", "openpgp")
        return openpgp and (self.signs_by_itself or bool(self.last("user.signingkey")))

    def outside(self) -> tuple[Path, ...]:
        """Return the directories of git that a worktree or a submodule has, outermost first."""
        found = [path for path in (self.common, self.directory) if path is not None]
        return tuple(dict.fromkeys(found))


def git_environment(workspace: str) -> dict[str, str]:
    """Return the variables that make a git of the host trust ``workspace`` (``*`` for all).

    See GIT_CONFIG_COUNT in git-config(1). Git before 2.31 and libgit2 do not read them: the
    container has a file instead.
    """
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": workspace,
    }


def observe_git(root: Path, environ: Mapping[str, str]) -> GitFacts:
    """Ask the host's git, and read where the repository is; changes nothing.

    The place is read from files, not asked for: git would refuse a workspace of another owner,
    and follow GIT_DIR.
    """
    directory = _git_directory(root)
    entries, why = _read_entries(directory or root / ".git")
    common = _named_in(directory / "commondir", directory) if directory else None
    common = common or directory
    submodules = _submodules(root) if directory else {}
    git_dir = environ.get("GIT_DIR", "")
    foreign = bool(git_dir) and (root / git_dir).resolve() != directory
    return GitFacts(
        entries=entries,
        directory=directory,
        common=common,
        above=None if directory else _above(root),
        borrowed=_borrowed(common) if common else (),
        submodules=tuple(submodules.get("path", ())),
        submodule_urls=tuple(submodules.get("url", ())),
        signing_key=_signing_key(entries),
        foreign_git_dir=git_dir if foreign else "",
        why_unread=why,
    )


def parse_entries(listed: str) -> tuple[GitEntry, ...]:
    """Read what ``git config --list --show-scope -z`` prints; pure."""
    fields = listed.split("\0")
    entries = []
    for scope, pair in zip(fields[::2], fields[1::2]):
        key, equals, value = pair.partition("\n")
        entries.append(GitEntry(scope, key, value if equals else None))
    return tuple(entries)


def public_half(file: str) -> str:
    """Return the public key of a file that holds it, or a private one beside it; else nothing."""
    path = Path(file).expanduser()
    public = path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")
    found = _PUBLIC_KEY.match(_text(public))
    return found.group() if found else ""


def _read_entries(directory: Path) -> tuple[tuple[GitEntry, ...], str]:
    """Read all levels, as a repository at ``directory`` has them, whether there is one or not.

    The place is said outright: git would follow GIT_DIR to another repository and its remotes, and
    leave out without a word what a repository says whose owner it doubts.
    """
    listing = ["config", "--list", "--show-scope", "--includes", "-z"]
    command = ["git", f"--git-dir={directory}", *listing]
    try:
        return parse_entries(process.run(command, timeout_s=_TIMEOUT_S).stdout), ""
    except ToolMissing:
        return (), "git is not installed on this machine"
    except CommandFailed as error:
        return (), (error.stderr.strip().splitlines() or ["git config failed"])[-1]


def _git_directory(root: Path) -> Path | None:
    place = root / ".git"
    if place.is_dir():
        return place.resolve()
    text = _text(place)
    if not text.startswith("gitdir: "):
        return None
    return (root / text[len("gitdir: ") :].rstrip("\n")).resolve()


def _named_in(file: Path, base: Path) -> Path | None:
    text = _text(file).rstrip("\n")
    return (base / text).resolve() if text else None


def _above(root: Path) -> Path | None:
    return next((path for path in root.parents if (path / ".git").exists()), None)


def _borrowed(common: Path) -> tuple[Path, ...]:
    objects = common / "objects"
    lines = _text(objects / "info" / "alternates").splitlines()
    found = [(objects / line).resolve() for line in lines if line and not line.startswith("#")]
    return tuple(path for path in found if path.is_dir() and not is_within(path, common))


def _submodules(root: Path) -> dict[str, list[str]]:
    """Return the paths and the URLs of .gitmodules; a path that leads out of it is left out."""
    if not (root / ".gitmodules").is_file():
        return {}
    command = ["git", "config", "--file", ".gitmodules", "-z", "--get-regexp", r"\.(path|url)$"]
    try:
        listed = process.run(command, cwd=root, check=False, timeout_s=_TIMEOUT_S).stdout
    except (ToolMissing, CommandFailed):
        return {}
    found: dict[str, list[str]] = {"path": [], "url": []}
    for line in listed.split("\0"):
        key, _, value = line.partition("\n")
        kind = key.rpartition(".")[2]
        if value and (kind == "url" or ".." not in Path(value).parts):
            found[kind].append(value)
    return found


def _signing_key(entries: Sequence[GitEntry]) -> str:
    """Return the public key that ``user.signingkey`` gives or names; never a private one."""
    named = {entry.key: entry.value or "" for entry in entries}
    if named.get("gpg.format") != "ssh":
        return ""
    value = named.get("user.signingkey", "")
    literal = value.removeprefix("key::")
    if _PUBLIC_KEY.match(literal):
        return literal
    if not value:
        return ""
    return public_half(value)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
