"""Which revisions a repository has, and which of them can differ in what DVC tracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.process import run

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scripts.progress import Progress

_ALWAYS = (".dvc", "dvc.yaml", "dvc.lock", ".dvcignore")
_TEMPLATE_INPUTS = (".yaml", ".yml", ".json", ".toml", ".py")
"""What a templated dvc.yaml can read its variables from."""
_SHORT = 10


@dataclass(frozen=True)
class Snapshot:
    """One revision that stands for all that track the same; ``label`` is for people.

    ``is_tip`` tells that one of them is where a branch, tag, stash, experiment or HEAD stands.
    """

    revision: str
    label: str
    is_tip: bool = False


@dataclass(frozen=True)
class History:
    """All that git knows: ``commits`` counts every revision, ``snapshots`` those that differ.

    ``is_shallow`` tells a clone whose older commits were not fetched.
    """

    snapshots: tuple[Snapshot, ...] = ()
    commits: int = 0
    is_shallow: bool = False


def read_history(root: Path, progress: Progress) -> History:
    """Read every commit that any ref reaches: branches, tags, stashes, experiments, and HEAD.

    Revisions whose DVC files are the same blobs at the same paths are parsed once only.

    Raises:
        CommandFailed: git failed.
        ToolMissing: git is not installed.
    """
    if run(["git", "rev-parse", "--git-dir"], cwd=root, check=False).returncode != 0:
        return History()
    told = _git(root, "rev-list", "--all", "--format=%H %T", *_older_stashes(root))
    lines = [line for line in told if not line.startswith("commit ")]
    names = _ref_names(root)
    tips = {*names, *run(["git", "rev-parse", "HEAD"], cwd=root, check=False).stdout.split()}
    groups: dict[str, list[str]] = {}
    by_tree: dict[str, list[str]] = {}
    for line in lines:
        commit, tree = line.split()
        by_tree.setdefault(tree, []).append(commit)
    blobs: dict[str, bool] = {}
    with progress.phase("reading history", total=len(lines), unit="revisions") as phase:
        for tree, commits in by_tree.items():
            fingerprint = _fingerprint(root, tree, blobs)
            groups.setdefault(fingerprint, []).extend(commits)
            phase.advance(len(commits))
    shallow = _git(root, "rev-parse", "--is-shallow-repository") == ["true"]
    snapshots = tuple(_snapshot(commits, names, tips) for commits in groups.values())
    return History(snapshots, len(lines), shallow)


def _snapshot(commits: list[str], names: dict[str, str], tips: set[str]) -> Snapshot:
    named = [commit for commit in commits if commit in names]
    revision = (named or commits)[0]
    short = revision[:_SHORT]
    label = f"{names[revision]} ({short})" if named else short
    return Snapshot(revision, label, is_tip=not tips.isdisjoint(commits))


def _fingerprint(root: Path, tree: str, templated: dict[str, bool]) -> str:
    """Return the lines of ``git ls-tree`` that can change what DVC tracks, as one text."""
    lines = _git(root, "-c", "core.quotepath=true", "ls-tree", "-r", "--full-tree", tree)
    tracked = [line for line in lines if _ends(line, _ALWAYS)]
    pipelines = [line for line in tracked if line.endswith("dvc.yaml")]
    if any(_is_templated(root, line.split()[2], templated) for line in pipelines):
        tracked = [line for line in lines if _ends(line, (*_ALWAYS, *_TEMPLATE_INPUTS))]
    return "\n".join(tracked)


def _ends(line: str, suffixes: tuple[str, ...]) -> bool:
    return line.rstrip('"').endswith(suffixes)


def _is_templated(root: Path, blob: str, known: dict[str, bool]) -> bool:
    if blob not in known:
        text = run(["git", "cat-file", "blob", blob], cwd=root).stdout
        known[blob] = "${" in text or "vars:" in text
    return known[blob]


def _older_stashes(root: Path) -> Iterable[str]:
    """All stashes but the newest are reached by the ref's log only."""
    refs = _git(root, "for-each-ref", "--format=%(refname)", "refs/stash", "refs/exps")
    stashes: list[str] = []
    for ref in refs:
        if ref.split("/")[-1] in {"stash", "failed"}:
            stashes += _git(root, "reflog", "show", "--format=%H", ref)
    return dict.fromkeys(stashes)


def _ref_names(root: Path) -> dict[str, str]:
    names: dict[str, str] = {}
    for line in _git(
        root, "for-each-ref", "--format=%(objectname) %(*objectname) %(refname:short)"
    ):
        *objects, name = line.split()
        names.setdefault(objects[-1], name)
    return names


def _git(root: Path, *arguments: str) -> list[str]:
    return run(["git", *arguments], cwd=root).stdout.splitlines()
