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
    signing_key: str = ""
    foreign_git_dir: str = ""
    why_unread: str = ""

    def last(self, key: str) -> str:
        """Return the value that counts of a key in lower case; empty without one."""
        return next((entry.value or "" for entry in self.entries[::-1] if entry.key == key), "")

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
    entries, why = _read_entries(root)
    directory = _git_directory(root)
    common = _named_in(directory / "commondir", directory) if directory else None
    common = common or directory
    git_dir = environ.get("GIT_DIR", "")
    foreign = bool(git_dir) and (root / git_dir).resolve() != directory
    return GitFacts(
        entries=entries,
        directory=directory,
        common=common,
        above=None if directory else _above(root),
        borrowed=_borrowed(common) if common else (),
        submodules=_submodules(root) if directory else (),
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


def _read_entries(root: Path) -> tuple[tuple[GitEntry, ...], str]:
    command = ["git", "config", "--list", "--show-scope", "--includes", "-z"]
    try:
        return parse_entries(process.run(command, cwd=root, timeout_s=_TIMEOUT_S).stdout), ""
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


def _submodules(root: Path) -> tuple[str, ...]:
    if not (root / ".gitmodules").is_file():
        return ()
    command = ["git", "config", "--file", ".gitmodules", "-z", "--get-regexp", r"\.path$"]
    try:
        listed = process.run(command, cwd=root, check=False, timeout_s=_TIMEOUT_S).stdout
    except (ToolMissing, CommandFailed):
        return ()
    paths = [line.partition("\n")[2] for line in listed.split("\0")]
    return tuple(path for path in paths if path and ".." not in Path(path).parts)


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
    path = Path(value).expanduser()
    public = path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")
    found = _PUBLIC_KEY.match(_text(public))
    return found.group() if found else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
