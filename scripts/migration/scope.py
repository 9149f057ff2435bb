"""Which revisions count: the scope that a person chose, and the commits that git has for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from scripts.errors import SettingsError
from scripts.process import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


class Scope(Enum):
    """What is moved. All but ``STORE`` say of which revisions; ``STORE`` is ``ALL`` and the rest.

    ``WORKSPACE`` is what the working tree's DVC files name now. ``HEADS`` adds the tips of
    branches, remote branches and tags. ``ALL`` is every commit that these, stashes, experiments
    and HEAD reach. ``STORE`` adds what the source holds and no revision names.
    """

    WORKSPACE = "workspace"
    HEADS = "heads"
    ALL = "all"
    STORE = "store"


@dataclass(frozen=True)
class Commits:
    """The commits of a scope.

    Attributes:
        trees: The tree of each commit, newest commits first.
        names: The short name of a ref that stands at a commit.
        tips: Where a branch, a tag, a stash, an experiment or HEAD stands.
        older: How many commits the scope leaves out though a ref reaches them.
        unreached: How many commits only a reflog reaches, so that no scope has them.
        is_shallow: Whether the scope has commits that this clone did not fetch.
        prefix: The project's directory, from the repository's top; empty, or ends with a slash.
    """

    trees: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    tips: frozenset[str] = frozenset()
    older: int = 0
    unreached: int = 0
    is_shallow: bool = False
    prefix: str = ""


def read_scope(text: str) -> Scope:
    """Return the scope that a person named.

    Raises:
        SettingsError: There is no such scope; the hint lists those that there are.
    """
    try:
        return Scope(text.lower())
    except ValueError as error:
        known = ", ".join(scope.value for scope in Scope)
        raise SettingsError(f"There is no scope '{text}'.", hint=f"Scopes: {known}.") from error


def list_commits(root: Path, scope: Scope) -> Commits:
    """List the commits of ``scope``; none where git manages nothing.

    Raises:
        CommandFailed: git failed.
        ToolMissing: git is not installed.
    """
    asked = ["git", "rev-parse", "--show-prefix", "--is-shallow-repository"]
    answer = run(asked, cwd=root, check=False)
    if answer.returncode != 0:
        return Commits()
    prefix, is_shallow = answer.stdout.split("\n")[:2]
    names, stashes = _read_refs(root)
    reached = ("--all", *_older_stashes(root, stashes))
    trees: dict[str, str] = {}
    for line in git_lines(root, "rev-list", "--format=%H %T", *_wanted(scope, reached)):
        if not line.startswith("commit "):
            commit, tree = line.split()
            trees[commit] = tree
    head = run(["git", "rev-parse", "--verify", "--quiet", "HEAD"], cwd=root, check=False)
    narrowed = scope in (Scope.WORKSPACE, Scope.HEADS)
    return Commits(
        trees=trees,
        names=names,
        tips=frozenset([*names, *head.stdout.split()]),
        older=_count(root, *reached) - len(trees) if narrowed else 0,
        unreached=_count(root, "--reflog", "--not", *reached),
        is_shallow=not narrowed and is_shallow == "true",
        prefix=prefix,
    )


def _wanted(scope: Scope, reached: tuple[str, ...]) -> tuple[str, ...]:
    if scope is Scope.WORKSPACE:
        return ("--max-count=0", "--all")
    if scope is Scope.HEADS:
        return ("--no-walk", "--branches", "--remotes", "--tags")
    return ("--topo-order", *reached)


def _count(root: Path, *revisions: str) -> int:
    return int(git_lines(root, "rev-list", "--count", *revisions)[0])


def _read_refs(root: Path) -> tuple[dict[str, str], list[str]]:
    """Return the short name of a ref for each commit at which one stands, and the stashes' refs."""
    names: dict[str, str] = {}
    stashes = []
    for line in git_lines(
        root, "for-each-ref", "--format=%(objectname) %(*objectname) %(refname) %(refname:short)"
    ):
        *objects, ref, name = line.split()
        names.setdefault(objects[-1], name)
        if ref == "refs/stash" or (ref.startswith("refs/exps/") and ref.endswith(_STASHES)):
            stashes.append(ref)
    return names, stashes


_STASHES = ("/stash", "/failed")
"""Where DVC puts away experiments that wait, and those that failed."""


def _older_stashes(root: Path, refs: Iterable[str]) -> tuple[str, ...]:
    """All stashes but the newest are reached by the ref's log only."""
    stashes: list[str] = []
    for ref in refs:
        stashes += git_lines(root, "reflog", "show", "--format=%H", ref)
    return tuple(dict.fromkeys(stashes))


def git_lines(root: Path, *arguments: str, stdin: str | None = None) -> list[str]:
    """Run git and return the lines that it prints, split at newlines and nothing else.

    Raises:
        CommandFailed: git failed.
        ToolMissing: git is not installed.
    """
    return run(["git", *arguments], cwd=root, stdin=stdin).stdout.split("\n")[:-1]
