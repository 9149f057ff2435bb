"""The files that decide what DVC tracks, in every tree of a history: three runs of git in all."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from scripts.migration.commit_files import CommitFiles, Unread
from scripts.migration.scope import git_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_DEFINING = (".dvc", "dvc.yaml", "dvc.lock", ".dvcignore", "/.dvc/config")
"""``/.dvc/config`` is that of a project inside the project, which DVC passes over."""
_TEMPLATE_INPUTS = (".yaml", ".yml", ".json", ".toml", ".py")
"""What a templated dvc.yaml can read its variables from."""
_NO_FILE = ("000000", "160000")
"""The modes of what is deleted, and of submodules."""
_EMPTY_TREE = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
"""By the length of git's hashes, SHA-1's or SHA-256's; git knows it without having it."""


class TrackedFile(NamedTuple):
    """A file of a tree: its path from the repository's top, and the blob that it is."""

    path: str
    blob: str


class Tree(NamedTuple):
    """What of a tree decides what DVC tracks; ``key`` is equal where all of it is.

    ``inputs`` is equal where all files are that a template can read, and empty where a tree has no
    template.
    """

    key: str
    files: tuple[TrackedFile, ...]
    inputs: str


class _Files:
    """Files by path, and a digest of all of them that each change updates without the others."""

    def __init__(self) -> None:
        self.by_path: dict[str, TrackedFile] = {}
        self._sum = 0

    def put(self, path: str, blob: str | None) -> None:
        """Set what ``path`` is; ``None`` for nothing."""
        before = self.by_path.pop(path, None)
        self._sum -= _number(before) if before else 0
        if blob is not None:
            file = self.by_path[path] = TrackedFile(path, blob)
            self._sum += _number(file)

    @property
    def digest(self) -> str:
        return f"{self._sum:x}"


def read_trees(root: Path, trees: Sequence[str]) -> Iterator[Tree]:
    """Yield what each of ``trees`` holds for DVC, in their order.

    git tells what differs from one tree to the next, so the cost is that of the changes.

    Raises:
        CommandFailed: git failed.
        ToolMissing: git is not installed.
    """
    steps = _steps(root, trees)
    changed = {blob for step in steps for path, blob in step if path.endswith("dvc.yaml")}
    templates = _templates(root, changed)
    defining, inputs = _Files(), _Files()
    for step in steps:
        for path, blob in step:
            (defining if path.endswith(_DEFINING) else inputs).put(path, blob)
        files = tuple(defining.by_path.values())
        is_templated = bool(templates) and any(file.blob in templates for file in files)
        read = inputs.digest if is_templated else ""
        yield Tree(f"{defining.digest} {read}", files, read)


def _steps(root: Path, trees: Sequence[str]) -> list[list[tuple[str, str | None]]]:
    """Return what each tree changes in the one before it; the first, in nothing."""
    if not trees:
        return []
    before = [_EMPTY_TREE[len(trees[0])], *trees]
    pairs = "".join(f"{old} {new}\n" for old, new in zip(before, trees))
    steps: list[list[tuple[str, str | None]]] = []
    for line in git_lines(
        root, "-c", "core.quotepath=true",
        "diff-tree", "--stdin", "-r", "--raw", "--no-renames", "--no-abbrev", stdin=pairs,
    ):  # fmt: skip
        if not line.startswith(":"):  # the pair itself, before its differences
            steps.append([])
            continue
        facts, _, quoted = line.partition("\t")
        _, mode, _, blob, _ = facts.split(" ")
        path = _unquoted(quoted)
        if path.endswith((*_DEFINING, *_TEMPLATE_INPUTS)):
            steps[-1].append((path, None if mode in _NO_FILE else blob))
    return steps


def _templates(root: Path, blobs: set[str | None]) -> frozenset[str]:
    """Return those of the pipelines that read variables, as far as their text can tell."""
    found = set()
    with CommitFiles(root) as files:
        for blob in filter(None, blobs):
            with suppress(Unread):  # told where its commit is read
                content = files.read(blob)
                if b"${" in content or b"vars:" in content:
                    found.add(blob)
    return frozenset(found)


def _unquoted(path: str) -> str:
    """Undo git's quoting (`core.quotepath`): octal escapes of bytes, in double quotes."""
    if not path.startswith('"'):
        return path
    return os.fsdecode(path[1:-1].encode().decode("unicode_escape").encode("latin-1"))


def _number(file: TrackedFile) -> int:
    text = f"{file.path}\0{file.blob}"
    return int.from_bytes(blake2b(os.fsencode(text), digest_size=16).digest(), "big")
