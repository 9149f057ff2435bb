"""Which revisions of a repository can differ in what DVC tracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.migration.scope import Commits, Scope, list_commits
from scripts.migration.trees import TrackedFile, Tree, read_trees
from scripts.migration.uncommitted import uncommitted_files

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.progress import Progress

_SHORT = 10


@dataclass(frozen=True)
class Snapshot:
    """One revision that stands for all that track the same; ``label`` is for people.

    Attributes:
        revision: The commit.
        label: Its short hash, and the name of a ref that stands there, if any does.
        is_tip: Whether a branch, tag, stash, experiment or HEAD stands at one of them.
        files: The files that decide what DVC tracks, by paths below the project's directory.
        inputs: Equal where all files are that a templated pipeline can read.
    """

    revision: str
    label: str
    is_tip: bool = False
    files: tuple[TrackedFile, ...] = ()
    inputs: str = ""


@dataclass(frozen=True)
class History:
    """All that git knows: ``commits`` counts every revision, ``snapshots`` those that differ.

    Attributes:
        snapshots: One revision of each kind.
        commits: How many revisions they stand for.
        is_shallow: Whether this is a clone whose older commits were not fetched.
        older: How many commits the scope leaves out though a ref reaches them.
        unreached: How many commits only a reflog reaches; what they need is not known.
        uncommitted: DVC files of the workspace that differ from the last commit.
    """

    snapshots: tuple[Snapshot, ...] = ()
    commits: int = 0
    is_shallow: bool = False
    older: int = 0
    unreached: int = 0
    uncommitted: tuple[str, ...] = ()


def read_history(root: Path, progress: Progress, scope: Scope = Scope.ALL) -> History:
    """Read every commit of ``scope``; its tree is compared, none of its files is opened.

    Raises:
        CommandFailed: git failed.
        ToolMissing: git is not installed.
    """
    commits = list_commits(root, scope)
    by_tree: dict[str, list[str]] = {}
    for commit, tree in commits.trees.items():
        by_tree.setdefault(tree, []).append(commit)
    groups: dict[str, list[str]] = {}
    kinds: dict[str, Tree] = {}
    with progress.phase("reading history", total=len(commits.trees), unit="revisions") as phase:
        for here, found in zip(by_tree.values(), read_trees(root, list(by_tree))):
            kinds.setdefault(found.key, found)
            groups.setdefault(found.key, []).extend(here)
            phase.advance(len(here))
    return History(
        tuple(_snapshot(here, commits, kinds[key]) for key, here in groups.items()),
        len(commits.trees),
        commits.is_shallow,
        commits.older,
        commits.unreached,
        uncommitted_files(root, commits.prefix),
    )


def _snapshot(here: list[str], commits: Commits, tree: Tree) -> Snapshot:
    named = [commit for commit in here if commit in commits.names]
    revision = (named or here)[0]
    short = revision[:_SHORT]
    return Snapshot(
        revision,
        f"{commits.names[revision]} ({short})" if named else short,
        is_tip=not commits.tips.isdisjoint(here),
        files=_below(commits.prefix, tree.files),
        inputs=tree.inputs,
    )


def _below(prefix: str, files: tuple[TrackedFile, ...]) -> tuple[TrackedFile, ...]:
    if not prefix:
        return files
    return tuple(
        TrackedFile(file.path[len(prefix) :], file.blob)
        for file in files
        if file.path.startswith(prefix)
    )
