"""Real git repositories with real DVC data, for tests to migrate."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from dvc.repo import Repo

from scripts.process import run
from tests.forked import run_module

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from scripts.process import Completed

WHO = {
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.com",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
}
"""Who commits, and that no configuration of this machine has a say."""
LEGACY_TEXT = b"id,label\r\n1,cat\r\n2,dog\r\n"
BIG_BYTES = 9 * 1024 * 1024


def use_own_identity(patch: pytest.MonkeyPatch, dvc_state: Path | None = None) -> None:
    """Let git, and DVC in this process, know :data:`WHO`; and DVC keep its state elsewhere."""
    for name, value in WHO.items():
        patch.setenv(name, value)
    if dvc_state is not None:
        patch.setenv("DVC_SITE_CACHE_DIR", str(dvc_state))


def bar_blob_io(patch: pytest.MonkeyPatch) -> None:
    """Let the reader fail that DVC has for files of commits, as it can wait for ever."""

    def refuse(*_: object, **_named: object) -> NoReturn:
        raise AssertionError("a file of a commit is read by pygit2.BlobIO")

    patch.setattr("pygit2.BlobIO", refuse)


@dataclass(frozen=True)
class Project:
    """A project in ``root`` whose remote ``hdd`` is the directory beside it."""

    root: Path

    @property
    def hdd(self) -> Path:
        return self.root.parent / "hdd"

    def git(self, *arguments: str) -> str:
        return run(["git", *arguments], cwd=self.root, env=WHO).stdout.strip()

    def dvc(self, *arguments: str, check: bool = True) -> Completed:
        return run_module("dvc", arguments, cwd=self.root, env=WHO, check=check)

    def write(self, path: str, content: bytes | str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def add(self, *paths: str) -> None:
        """``dvc add`` and ``dvc push`` to hdd, without a process for each."""
        with Repo(str(self.root)) as repo:
            repo.add([str(self.root / path) for path in paths])
            repo.push(remote="hdd")

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def store(self, key: str, content: bytes) -> None:
        """Put an object into hdd as DVC would have."""
        path = self.hdd / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o444)

    def damage(self, key: str, content: bytes | None) -> None:
        """Replace an object of hdd, or remove it."""
        path = self.hdd / key
        path.unlink()
        if content is not None:
            path.write_bytes(content)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def key_of(oid: str, *, legacy: bool = False) -> str:
    return f"{'' if legacy else 'files/md5/'}{oid[:2]}/{oid[2:]}"


def make_project(root: Path, *, dvc_add: bool = True) -> Project:
    """An empty DVC project whose default remote is hdd."""
    project = Project(root)
    root.mkdir(parents=True)
    project.hdd.mkdir()
    project.git("init", "--quiet", "--initial-branch=main")
    Repo.init(str(root)).close()
    project.write(
        ".dvc/config", "[core]\n    remote = hdd\n['remote \"hdd\"']\n    url = ../../hdd\n"
    )
    project.write(".gitignore", "")
    if dvc_add:
        project.commit("An empty project")
    return project


def add_legacy(project: Project) -> None:
    """A file and a directory as DVC 2 left them."""
    text_md5 = md5(LEGACY_TEXT.replace(b"\r\n", b"\n"))
    project.store(key_of(text_md5, legacy=True), LEGACY_TEXT)
    files = {"x.bin": b"\x00\x01\r\n\x02" * 100, "y.txt": b"y\n"}
    for content in files.values():
        project.store(key_of(md5(content), legacy=True), content)
    listing = json.dumps([{"md5": md5(c), "relpath": p} for p, c in files.items()]).encode()
    project.store(key_of(md5(listing) + ".dir", legacy=True), listing)
    project.write(
        "labels.csv.dvc",
        f"outs:\n- md5: {text_md5}\n  size: {len(LEGACY_TEXT)}\n  path: labels.csv\n",
    )
    project.write(
        "old.dvc", f"outs:\n- md5: {md5(listing)}.dir\n  nfiles: 2\n  size: 502\n  path: old\n"
    )
    project.write(".gitignore", "/labels.csv\n/old\n")


def make_history(root: Path) -> Project:
    """Two branches, a tag, two stashes, both layouts, a directory, and an object of many parts.

    Only the workspace knows the remote s3: `dvc push --all-commits` would read it in no commit.
    """
    project = make_project(root)
    add_legacy(project)
    for number in range(6):
        project.write(f"data/part{number}.txt", f"part {number} of v1\n")
    project.write("model.bin", random.Random(7).randbytes(BIG_BYTES))
    project.write("a.txt", "a of v1\n")
    project.write("empty", "")
    project.add("data", "model.bin", "a.txt", "empty")
    project.commit("v1")
    project.git("tag", "--annotate", "--message", "v1", "v1")

    project.git("checkout", "--quiet", "-b", "side")
    project.write("side.txt", "only on the branch side\n")
    project.add("side.txt")
    project.commit("side")

    project.git("checkout", "--quiet", "main")
    for number, text in enumerate(("a of the older stash\n", "a of the newer stash\n")):
        project.write("a.txt", text)
        project.add("a.txt")
        project.git("stash", "push", "--quiet", "--message", f"stash {number}")
    project.write("a.txt", "a of v2\n")
    project.write("data/part0.txt", "part 0 of v2\n")
    project.add("a.txt", "data")
    project.commit("v2")
    project.write("uncommitted.txt", "not in any commit\n")
    project.add("uncommitted.txt")
    return project


def use_s3(project: Project, place: str, endpoint: str, key_id: str, secret: str) -> None:
    """Add the remote s3 to today's configuration, the secret where DVC keeps secrets."""
    config = project.root / ".dvc" / "config"
    config.write_text(
        config.read_text()
        + f"['remote \"s3\"']\n    url = s3://{place}\n    endpointurl = {endpoint}\n"
    )
    project.write(
        ".dvc/config.local",
        f"['remote \"s3\"']\n    access_key_id = {key_id}\n    secret_access_key = {secret}\n",
    )


def snapshot(directory: Path) -> dict[str, tuple[int, int, str]]:
    """Every file with its mode, time and bytes, to show that nothing changed."""
    return {
        str(path.relative_to(directory)): (
            path.stat().st_mode,
            path.stat().st_mtime_ns,
            md5(path.read_bytes()),
        )
        for path in directory.rglob("*")
        if path.is_file()
    }
