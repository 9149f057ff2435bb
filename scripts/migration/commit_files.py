"""The files of commits, by one `git cat-file`: what they hold, and how DVC gets to see them.

DVC's own way leads through a library that hands each file over between two threads. It can wait
for ever: on a busy machine for any file, and always for one that is not there.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from scripts.errors import CommandFailed, ToolError
from scripts.process import Conversation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from typing_extensions import Self

_TREES_KEPT = 256
"""Most directories are the same in one commit as in the next."""
_LFS_POINTER = b"version https://"


class Unread(ToolError):
    """A file or directory of a commit that git cannot give."""


class Entry(NamedTuple):
    """What stands under a name in a directory of a commit."""

    mode: int
    oid: str


class CommitFiles:
    """The objects of a repository, read by one process for all of them.

    Args:
        root: Where git finds the repository.

    Attributes:
        patience_s: How many seconds git may be silent: in a partial clone it fetches what it lacks,
            and may first ask a person for a passphrase.
    """

    patience_s = 300.0

    def __init__(self, root: Path) -> None:
        self._root = root
        self._git: Conversation | None = None
        self._gave_up: ToolError | None = None
        self.list_tree = lru_cache(_TREES_KEPT)(self._list_tree)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up()

    def check(self) -> None:
        """Raise again what keeps git from reading anything at all, as DVC may have swallowed it."""
        if self._gave_up is not None:
            raise self._gave_up

    def read(self, oid: str) -> bytes:
        """Return what git keeps as the object of this hash: a file, a directory or a commit.

        Raises:
            Unread: git does not have it, or ended over it.
            NoAnswer: git is silent. It is not asked again.
            ToolError: git cannot be started. Likewise.
        """
        self.check()
        try:
            if self._git is None:
                self._git = Conversation(
                    ["git", "cat-file", "--batch"], cwd=self._root, patience_s=self.patience_s,
                    hint="Does the disk answer, and the server, if this is a partial clone? "
                    "`git fsck` reads everything.",
                )  # fmt: skip
            self._git.ask(f"{oid}\n".encode())
            told = self._git.read_line().split(b" ")
            if len(told) == 3:  # its hash, kind and size
                return self._git.read(int(told[2]) + 1)[:-1]
        except BaseException as error:
            self._hang_up()  # half an answer may be left
            if isinstance(error, CommandFailed):
                raise Unread(f"git cannot read the object {oid}") from error
            if isinstance(error, ToolError):
                self._gave_up = error
            raise
        raise Unread(f"The object {oid} is not in the repository of {self._root}.")

    def _hang_up(self) -> None:
        if self._git is not None:
            self._git.close()
            self._git = None

    def _list_tree(self, oid: str) -> Mapping[str, Entry]:
        """Return what stands in the directory that is the tree ``oid``, by names."""
        content, size = self.read(oid), len(oid) // 2
        entries, start = {}, 0
        while start < len(content):
            end = content.index(b"\0", start)
            mode, _, name = content[start:end].partition(b" ")
            start = end + 1 + size
            entries[os.fsdecode(name)] = Entry(int(mode, 8), content[end + 1 : start].hex())
        return entries


class CommitTree:
    """One commit, with what DVC's file system asks of it (`scmrepo.git.objects.GitTrie`).

    Args:
        files: The repository.
        rev: The commit's hash.
        scm: DVC's repository, which knows where Git LFS keeps its files.

    Raises:
        Unread: git does not have the commit.
        NoAnswer: git is silent.
    """

    def __init__(self, files: CommitFiles, rev: str, scm: Any) -> None:  # noqa: ANN401  no types
        tree, _, _ = files.read(rev)[len("tree ") :].partition(b"\n")
        self._files, self.rev, self._scm = files, rev, scm
        self._top = Entry(stat.S_IFDIR, tree.decode())

    def open(self, key: tuple[str, ...], **_: object) -> BytesIO:
        """Return what a file holds; line ends stay as they are in git, as readers of text ask.

        Raises:
            KeyError: There is nothing of that name.
            IsADirectoryError: It is a directory, or a submodule.
        """
        entry = self._at(key)
        if not stat.S_ISREG(entry.mode) and not stat.S_ISLNK(entry.mode):
            raise IsADirectoryError
        content = self._files.read(entry.oid)
        if content.startswith(_LFS_POINTER):
            content = _smudged(content, self._scm)
        return BytesIO(content)

    def exists(self, key: tuple[str, ...]) -> bool:
        """Return whether there is anything of that name."""
        try:
            self._at(key)
        except KeyError:
            return False
        return True

    def info(self, key: tuple[str, ...]) -> dict[str, Any]:
        """Return what is told of a file or directory; nobody asks for its size.

        Raises:
            KeyError: There is nothing of that name.
        """
        mode, oid = self._at(key)
        return {"type": "directory" if stat.S_ISDIR(mode) else "file", "sha": oid, "mode": mode}

    def ls(self, key: tuple[str, ...]) -> list[str]:
        """Return the names in a directory.

        Raises:
            KeyError: There is nothing of that name.
        """
        return list(self._files.list_tree(self._at(key).oid))

    def _at(self, key: tuple[str, ...]) -> Entry:
        entry = self._top
        for name in key:
            if not stat.S_ISDIR(entry.mode):
                raise KeyError(key)
            entry = self._files.list_tree(entry.oid)[name]
        return entry


@contextmanager
def at_commit(repo: Any, files: CommitFiles, rev: str) -> Iterator[None]:  # noqa: ANN401
    """Let DVC look at a commit, as its own `switch` does (`dvc/repo/brancher.py`).

    Raises:
        Unread: git does not have the commit.
        NoAnswer: git is silent.
    """
    from dvc.fs import GitFileSystem  # noqa: PLC0415

    today, root, dvc = repo.fs, repo.root_dir, repo.dvc_dir
    commit = GitFileSystem(trie=CommitTree(files, rev, repo.scm))
    commit.chdir(_in_commit(repo, today.getcwd()))
    try:
        repo.root_dir = _in_commit(repo, root)
        repo.dvc_dir = commit.join(repo.root_dir, repo.DVC_DIR)
        repo.fs = commit  # last, as this makes DVC forget what it has read
        yield
    finally:
        repo.root_dir, repo.dvc_dir = root, dvc
        repo.fs = today


def _in_commit(repo: Any, path: str) -> str:  # noqa: ANN401
    """Return where a directory of today is in a commit; the top, for one outside the repository."""
    top = repo.scm.root_dir
    return "/".join(["", *repo.fs.relparts(path, top)]) if repo.fs.isin(path, top) else "/"


def _smudged(pointer: bytes, scm: Any) -> bytes:  # noqa: ANN401
    """Return the file that Git LFS keeps elsewhere, or the pointer if it has none, as DVC does."""
    from scmrepo.exceptions import InvalidRemote  # noqa: PLC0415
    from scmrepo.git.lfs import smudge  # noqa: PLC0415
    from scmrepo.git.lfs.fetch import get_fetch_url  # noqa: PLC0415

    try:
        url = get_fetch_url(scm)
    except InvalidRemote:
        url = None
    with smudge(scm.lfs_storage, BytesIO(pointer), url=url) as stream:
        content: bytes = stream.read()
    return content
