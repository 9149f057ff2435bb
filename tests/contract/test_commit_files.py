"""Files of commits come from git itself, whatever they hold and whatever becomes of git."""

from __future__ import annotations

import os
import random
import shutil
import zlib
from typing import TYPE_CHECKING

import pytest
from dvc.repo import Repo
from dvc.repo.brancher import switch

from scripts.errors import CacheError, NoAnswer, ToolMissing
from scripts.gc import open_site, plan_gc
from scripts.migration import commit_files, copy_objects, open_stores, plan_migration, verify
from scripts.migration.commit_files import CommitFiles, Unread
from scripts.migration.inventory import Inventory, read_inventory
from scripts.process import Conversation, run
from scripts.progress import SilentProgress
from tests.contract.dvc_projects import (
    WHO,
    Project,
    bar_blob_io,
    make_history,
    make_project,
    md5,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ODD = os.fsdecode(b"\xff\xfe.dvc")
"""Bytes that are no text."""
pytestmark = pytest.mark.usefixtures("dvc_environment")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "work" / "project")


@pytest.fixture
def files(project: Project) -> Iterator[CommitFiles]:
    with CommitFiles(project.root) as opened:
        yield opened


def track(project: Project, path: str, content: str) -> str:
    oid = md5(content.encode())
    project.write(f"{path}.dvc", f"outs:\n- md5: {oid}\n  hash: md5\n  path: it\n")
    return oid


def template(project: Project, name: str) -> None:
    project.write(
        "dvc.yaml",
        f"vars: [{name}]\nstages:\n  s:\n    cmd: make\n    outs:\n    - ${{name}}:\n"
        "        cache: false\n",
    )


def inventory(project: Project) -> Inventory:
    return read_inventory(project.root, "hdd", SilentProgress())


def oids(found: Inventory) -> set[str]:
    return {item.oid for item in found.references}


def loose(project: Project, name: str) -> Path:
    oid = project.git("rev-parse", name)
    path = project.root / ".git" / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    return path


def test_a_migration_a_proof_and_a_clean_up_do_without_the_reader_that_can_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_history(tmp_path / "work" / "project")
    project.write(ODD, (project.root / "a.txt.dvc").read_bytes())
    project.commit("a name of any bytes")
    project.dvc("remote", "add", "--quiet", "ssd", str(tmp_path / "ssd"))
    bar_blob_io(monkeypatch)
    with Repo(str(project.root)) as repo, switch(repo, "main"), pytest.raises(AssertionError):
        repo.fs.open("/a.txt.dvc")
    stores = open_stores(project.root, "hdd", "ssd")
    plan = plan_migration(stores)
    verify(plan, copy_objects(plan, stores), stores).require_complete()
    assert plan_gc(open_site(project.root)).removals


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"0" * 40 + b" blob 3\nabc\n",
        b"line\r\nline\rline\n",
        random.Random(1).randbytes(300_000),
    ],
    ids=["nothing", "newline", "like an answer", "line ends", "any bytes"],
)
def test_a_file_has_the_bytes_that_git_has(
    project: Project, files: CommitFiles, content: bytes
) -> None:
    project.write("file", content)
    project.write(".gitattributes", "file -text\n")
    project.commit("a file")
    oid = project.git("rev-parse", "HEAD:file")
    assert files.read(oid) == content
    assert files.read(oid) == content


def test_an_object_that_was_replaced_is_read_as_git_reads_it(
    project: Project, files: CommitFiles
) -> None:
    for name in ("one", "two"):
        project.write(name, name)
    project.commit("two files")
    one, two = (project.git("rev-parse", f"HEAD:{name}") for name in ("one", "two"))
    project.git("replace", one, two)
    assert files.read(one) == b"two"


def test_a_repository_with_long_hashes_is_read(tmp_path: Path) -> None:
    project = Project(tmp_path / "long")
    run(["git", "init", "--quiet", "--object-format=sha256", str(project.root)], env=WHO)
    project.write("below/file", "found")
    commit = project.commit("a file")
    with CommitFiles(project.root) as files:
        tree = commit_files.CommitTree(files, commit, None)
        assert tree.open(("below", "file")).read() == b"found"
        assert (tree.ls(()), tree.ls(("below",))) == (["below"], ["file"])
        assert not tree.exists(("below", "file", "further"))


def test_names_of_any_bytes_are_found(project: Project) -> None:
    names = ["a\nb", ODD[: -len(".dvc")], 'dätä "x"\t', "\n/\n"]
    expected = {track(project, name, f"at {name!r}") for name in names}
    for message in ("odd names", "none", "still none"):
        project.commit(message)
        found = inventory(project)
        assert (oids(found), found.uncollectable) == (expected, ()), message
        if message == "odd names":
            shutil.rmtree(project.root / "\n")
            for name in names[:-1]:
                (project.root / f"{name}.dvc").unlink()
        else:
            project.write("code.py", "")


def test_a_submodule_is_no_dvc_file_whatever_its_name(project: Project) -> None:
    expected = track(project, "a", "a")
    head = project.git("rev-parse", "HEAD")
    project.git("update-index", "--add", "--cacheinfo", f"160000,{head},module.dvc")
    project.git("add", "a.dvc")
    project.git("commit", "--quiet", "--message", "a submodule")
    found = inventory(project)
    assert (oids(found), found.uncollectable) == ({expected}, ())


def test_a_symlink_is_the_text_that_git_has_for_it(project: Project) -> None:
    track(project, "a", "a")
    (project.root / "b.dvc").symlink_to("a.dvc")
    project.commit("a symlink")
    lost = inventory(project).uncollectable
    assert [(each.path, each.revision.split()[0]) for each in lost] == [("b.dvc", "main")]


@pytest.mark.parametrize("name", ["v.json", "v.yaml", "v.toml", "v.py"])
@pytest.mark.parametrize("is_lfs", [False, True])
def test_variables_are_read_also_where_git_lfs_keeps_them(
    project: Project, name: str, monkeypatch: pytest.MonkeyPatch, *, is_lfs: bool
) -> None:
    bar_blob_io(monkeypatch)
    told = {"v.json": '{"name":\r\n "out"}', "v.yaml": "name: out\r\n"}
    content = told.get(name, "name = 'out'\r\n").encode()
    template(project, name)
    project.write(name, content)
    if is_lfs:
        oid = run(["git", "hash-object", "--stdin"], stdin="", cwd=project.root).stdout.strip()
        oid = (oid * 2)[:64]
        project.write(f".git/lfs/objects/{oid[:2]}/{oid[2:4]}/{oid}", content)
        pointer = f"oid sha256:{oid}\nsize {len(content)}\n"
        project.write(name, f"version https://git-lfs.github.com/spec/v1\n{pointer}")
    project.commit("a template")
    project.write(name, content)
    found = inventory(project)
    assert found.uncollectable == ()
    assert {path for paths in found.excluded_paths.values() for path in paths} == {"out"}


@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_a_file_that_git_cannot_give_is_told_and_all_others_are_read(
    project: Project, harm: str
) -> None:
    expected = {track(project, name, name) for name in ("a", "c")}
    track(project, "b", "b")
    project.commit("three")
    blob = loose(project, "HEAD:b.dvc")
    (project.root / "b.dvc").unlink()
    if harm == "missing":
        blob.unlink()
    else:
        blob.write_bytes(zlib.compress(b"blob 50\0")[:-3])
    found = inventory(project)
    assert oids(found) == expected
    assert [each.path for each in found.uncollectable] == ["b.dvc"]
    oid = f"{blob.parent.name}{blob.name}"
    assert oid in found.uncollectable[0].reason
    with CommitFiles(project.root) as files, pytest.raises(Unread, match=oid):
        files.read(oid)


def test_a_directory_that_git_cannot_give_is_no_empty_one(project: Project) -> None:
    track(project, "below/a", "a")
    project.commit("one")
    loose(project, "HEAD:below").unlink()
    with CommitFiles(project.root) as files:
        tree = commit_files.CommitTree(files, project.git("rev-parse", "HEAD"), None)
        with pytest.raises(Unread):
            tree.exists(("below", "a.dvc"))


@pytest.mark.parametrize("is_template", [False, True])
def test_a_git_that_does_not_answer_ends_the_run_and_is_named(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_template: bool
) -> None:
    track(project, "a", "a")
    if is_template:
        project.write("dvc.yaml", "stages: {}\n")
    project.commit("one")
    real = shutil.which("git")
    silent = tmp_path / "bin" / "git"
    silent.parent.mkdir()
    silent.write_text(f'#!/bin/sh\n[ "$1" = cat-file ] && exec sleep 600\nexec {real} "$@"\n')
    silent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{silent.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(CommitFiles, "patience_s", 0.2)
    with pytest.raises(NoAnswer, match="git cat-file") as caught:
        inventory(project)
    assert str(project.root) in caught.value.message
    assert caught.value.hint
    project.write(".dvc/cache/files/md5/ab/" + "c" * 30, "")
    with pytest.raises(CacheError, match="git cat-file"):
        plan_gc(open_site(project.root))


def test_a_silence_that_dvc_swallowed_is_told_all_the_same(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CommitFiles(project.root) as files:
        files.read(project.git("rev-parse", "HEAD"))
        monkeypatch.setattr(Conversation, "ask", lambda *_: None)
        files._git._patience_s = 0.1  # type: ignore[union-attr]
        with pytest.raises(NoAnswer):
            files.read("0" * 40)
        with pytest.raises(NoAnswer):
            files.check()
        with pytest.raises(NoAnswer):
            files.read("0" * 40)


def test_a_git_that_cannot_be_started_is_told_whatever_dvc_swallows(tmp_path: Path) -> None:
    with CommitFiles(tmp_path / "gone") as files:
        with pytest.raises(ToolMissing, match="no such directory"):
            files.read("0" * 40)
        with pytest.raises(ToolMissing):
            files.check()
