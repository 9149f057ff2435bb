"""A project with a history, its remotes, and what must hold whatever befell a migration.

::

    hdd     a directory, where the data is        ssd   a directory beside it, empty
    cloud   a bucket with the same data           s3    an empty prefix of a bucket

``cloud`` and ``s3`` are reached through the proxy.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Union

from botocore.exceptions import ClientError

from tests.contract import s3_server
from tests.contract.dvc_projects import Project, make_history
from tests.faults.migrating import Ending, Wish, migrate, run_apart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.faults.proxy import Proxy

INCOMING = ".slipway-incoming"
"""Where a target keeps what is not checked yet: no name of an object begins so."""
MORE = 12
"""How many small files a directory of the last commit holds."""
LOOKS_EVERY_S = 0.05

Tree = dict[str, str]
"""The MD5 of every file by its path, or another mark that changes with the bytes."""


def make_template(directory: Path) -> None:
    """Make the history that is migrated, and forget DVC's cache: nothing heals what is lost."""
    project = make_history(directory / "project")
    for number in range(MORE):
        project.write(f"more/{number:02}.txt", f"one more, {number}\n")
    project.add("more")
    project.commit("v3")
    shutil.rmtree(project.root / ".dvc" / "cache")


def md5s(directory: Path) -> Tree:
    return {
        str(path.relative_to(directory)): _md5(path.read_bytes())
        for path in directory.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Bucketful:
    """A prefix of a bucket, looked at without the proxy and without the adapter under test."""

    bucket: str
    prefix: str

    def put(self, key: str, content: bytes) -> None:
        s3_server.client().put_object(Bucket=self.bucket, Key=f"{self.prefix}/{key}", Body=content)

    def get(self, key: str) -> bytes:
        answer = s3_server.client().get_object(Bucket=self.bucket, Key=f"{self.prefix}/{key}")
        content: bytes = answer["Body"].read()
        return content

    def md5s(self) -> Tree:
        return {key: _md5(self.get(key)) for key in self.marks()}

    def marks(self) -> Tree:
        """Something that changes with each object's bytes, by key."""
        return {key: mark for key, mark in self._listed().items() if not key.startswith(INCOMING)}

    def _listed(self) -> Tree:
        pages = s3_server.client().get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.bucket, Prefix=f"{self.prefix}/")
        listed = [entry for page in found for entry in page.get("Contents", [])]
        return {
            entry["Key"][len(self.prefix) + 1 :]: f"{entry['ETag']} {entry['LastModified']}"
            for entry in listed
        }

    def empty(self) -> None:
        s3_server.delete(self.bucket, [f"{self.prefix}/{key}" for key in self._listed()])

    def begin(self, key: str) -> None:
        """Begin an upload in parts, as a killed writer does."""
        s3_server.client().create_multipart_upload(Bucket=self.bucket, Key=f"{self.prefix}/{key}")

    def leftovers(self) -> list[str]:
        begun = [key for key, _ in s3_server.unfinished_uploads(self.bucket, f"{self.prefix}/")]
        return begun + [key for key in self._listed() if key.startswith(INCOMING)]


@dataclass(frozen=True)
class Directory:
    """A remote that is a directory."""

    path: Path

    def put(self, key: str, content: bytes) -> None:
        file = self.path / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(content)

    def get(self, key: str) -> bytes:
        return (self.path / key).read_bytes()

    def md5s(self) -> Tree:
        return {key: _md5(self.get(key)) for key in self.marks()}

    def marks(self) -> Tree:
        marks = {}
        for folder, _, names in os.walk(self.path):
            if INCOMING in folder:
                continue
            for name in names:
                file = self.path.joinpath(folder, name)
                found = file.stat()
                mark = f"{found.st_ino} {found.st_mtime_ns} {found.st_size}"
                marks[str(file.relative_to(self.path))] = mark
        return marks

    def empty(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def leftovers(self) -> list[str]:
        return [str(path) for path in self.path.glob(f"{INCOMING}/*")]


Place = Union[Bucketful, Directory]


@dataclass
class Watch:
    """What a reader of the target saw: every object, and which was not what it is named for."""

    looks: int = 0
    found: Tree = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Site:
    """A project in ``root/project`` and its remotes; ``truth`` is what hdd held at first."""

    project: Project
    s3: Bucketful
    cloud: Bucketful
    proxy: Proxy
    truth: Tree
    commits: Mapping[str, Tree]
    cloud_marks: Tree
    planted: set[str] = field(default_factory=set)
    """Keys under which a test itself has put wrong bytes into the target."""

    @property
    def ssd(self) -> Directory:
        return Directory(self.project.root.parent / "ssd")

    @property
    def hdd(self) -> Directory:
        return Directory(self.project.hdd)

    def place(self, name: str) -> Place:
        places: dict[str, Place] = {
            "s3": self.s3, "cloud": self.cloud, "ssd": self.ssd, "hdd": self.hdd
        }  # fmt: skip
        return places[name]

    def wish(self, source: str, target: str, **suffering: Any) -> Wish:
        return Wish(self.project.root, source, target, **suffering)

    def migrate(self, source: str, target: str, **suffering: Any) -> Ending:
        return migrate(self.wish(source, target, **suffering))

    def largest(self) -> str:
        """The key of the largest object, which goes to a bucket as it is read, or in parts."""
        return max(self.truth, key=lambda key: (self.hdd.path / key).stat().st_size)

    def put_of_largest(self) -> str:
        """What the path of the request contains that puts it there as it is read."""
        return f"/{self.s3.prefix}/{self.largest()}$"

    def configure(self) -> None:
        """Tell DVC of the remotes, for every commit, as `--switch --local` does."""
        told = ["['remote \"ssd\"']\n    url = ../../ssd\n"]
        for name, place in (("s3", self.s3), ("cloud", self.cloud)):
            told.append(
                f"['remote \"{name}\"']\n    url = s3://{place.bucket}/{place.prefix}\n"
                f"    endpointurl = {self.proxy.endpoint}\n"
                f"    access_key_id = {s3_server.access_key()}\n"
                f"    secret_access_key = {s3_server.secret_key()}\n"
            )
        self.project.write(".dvc/config.local", "".join(told))

    def set(self, name: str, option: str, value: str) -> None:
        """Set an option of a remote in s3 or cloud, as `dvc remote modify --local` does."""
        local = self.project.root / ".dvc" / "config.local"
        head = f"['remote \"{name}\"']\n"
        local.write_text(local.read_text().replace(head, f"{head}    {option} = {value}\n"))

    @contextmanager
    def watched(self, target: str) -> Iterator[Watch]:
        """Read the target all the while, as somebody who pulls from it; nothing may be wrong."""
        watch = Watch()
        ends = threading.Event()

        def look() -> None:
            place, seen = self.place(target), dict[str, str]()
            last = False
            while not last:
                last = ends.wait(LOOKS_EVERY_S)
                for key, mark in place.marks().items():
                    if seen.get(key) != mark and self._read(key, target, watch):
                        seen[key] = mark
                    elif seen.get(key) != mark and last:
                        watch.wrong.append(f"{key} cannot be read when all is done")
                watch.looks += 1

        reader = threading.Thread(target=look)
        reader.start()
        try:
            yield watch
        finally:
            ends.set()
            reader.join()
        assert watch.wrong == []

    def _read(self, key: str, target: str, watch: Watch) -> bool:
        """Look at one object; return whether it could be read.

        While somebody replaces an object that was sent in parts, Swift may tell a reader that its
        parts are gone (BrokenMPU); S3 itself lets readers end. What is still gone at the last look
        is told as wrong, as is at once what is listed and not there.
        """
        try:
            content = self.place(target).get(key)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "BrokenMPU":
                return False
            watch.wrong.append(f"{key} was listed and cannot be read ({code})")
            return True
        found = watch.found[key] = _md5(content)
        if found == self.truth.get(key):
            self.planted.discard(key)
        elif key not in self.planted:
            watch.wrong.append(f"{key} has bytes of {found}")
        return True

    def plant(self, target: str, key: str, content: bytes) -> None:
        """Put wrong bytes into the target."""
        self.planted.add(key)
        self.place(target).put(key, content)

    def require_source_untouched(self) -> None:
        assert self.hdd.md5s() == self.truth
        assert self.cloud.marks() == self.cloud_marks  # its bytes are read when all is done

    def empty(self, target: str) -> None:
        """Make the target as it was at first."""
        self.place(target).empty()
        self.planted.clear()

    def require_survived(self, source: str, target: str, *, clone: bool = False) -> Ending:
        """The same command once more, in peace: complete, nothing wrong, nothing left over."""
        self.proxy.calm()
        with self.watched(target) as watch:
            ending = self.migrate(source, target)
        assert ending.complete, ending
        place = self.place(target)
        assert watch.found == self.truth
        assert place.leftovers() == []
        self.require_source_untouched()
        if clone:
            assert pull_every_commit(self.project, place) == self.commits
        return ending


def pull_every_commit(project: Project, place: Place) -> dict[str, Tree]:
    """Return what plain DVC pulls at every commit of a clean clone that knows one remote only."""
    clone = project.root.parent / f"clone-{uuid.uuid4().hex}"
    project.git("clone", "--quiet", str(project.root), str(clone))
    try:
        pulled: dict[str, Tree] = run_apart(_pull_every_commit, clone, _only(place))
    finally:
        shutil.rmtree(clone)
    return pulled


def _only(place: Place) -> str:
    head = "[core]\n    remote = only\n['remote \"only\"']\n"
    if isinstance(place, Directory):
        return f"{head}    url = {place.path}\n"
    return (
        f"{head}    url = s3://{place.bucket}/{place.prefix}\n"
        f"    endpointurl = {s3_server.endpoint()}\n"
        f"    access_key_id = {s3_server.access_key()}\n"
        f"    secret_access_key = {s3_server.secret_key()}\n"
    )


def _pull_every_commit(root: Path, config: str) -> dict[str, Tree]:
    """Run `dvc pull` at each commit of the clone at ``root``, and tell what it brought."""
    import dvc.cli  # noqa: PLC0415  the fork server has it already

    os.chdir(root)
    clone = Project(root)
    brought = {}
    for commit in clone.git("rev-list", "--all").split():
        clone.git("checkout", "--quiet", "--force", commit)
        clone.git("clean", "--quiet", "--force", "-dx", "--exclude", ".dvc")
        clone.write(".dvc/config", config)
        code = dvc.cli.main(["pull", "--quiet", "--force"])
        assert code == 0, f"dvc pull at {commit}: exit code {code}"
        tracked = set(clone.git("ls-files").split())
        brought[commit] = {
            path: md5
            for path, md5 in md5s(root).items()
            if not path.startswith((".git/", ".dvc/")) and path not in tracked
        }
    return brought
