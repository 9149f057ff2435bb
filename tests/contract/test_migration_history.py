"""What is read version by version is what DVC reads commit by commit."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from dvc.repo import Repo
from dvc.repo.brancher import switch
from dvc.repo.index import Index

from scripts.migration.commit_files import CommitFiles
from scripts.migration.history import read_history
from scripts.migration.inventory import read_inventory
from scripts.migration.outputs import FileVersion, Reader
from scripts.progress import SilentProgress
from tests.contract.dvc_projects import Project, bar_blob_io, make_project, md5
from tests.rare import usual_of

pytestmark = pytest.mark.usefixtures("dvc_environment")


def track(project: Project, path: str, content: str) -> None:
    name = path.rpartition("/")[2]
    oid = md5(content.encode())
    project.write(f"{path}.dvc", f"outs:\n- md5: {oid}\n  hash: md5\n  path: {json.dumps(name)}\n")


def run_stage(project: Project, where: str, content: str) -> None:
    out = f"{{path: out.txt, hash: md5, md5: {md5(content.encode())}}}"
    project.write(f"{where}dvc.yaml", "stages:\n  s:\n    cmd: make\n    outs: [out.txt]\n")
    project.write(
        f"{where}dvc.lock", f"schema: '2.0'\nstages:\n  s:\n    cmd: make\n    outs: [{out}]\n"
    )


def make_versions(project: Project) -> None:
    """Commits that change one thing each, all of which can change what DVC reads."""
    track(project, "a", "a 1")
    track(project, 'sub/dätä "x"\t', "quoted")
    run_stage(project, "", "out 1")
    project.commit("one")
    track(project, "a", "a 2")
    project.commit("a file")
    run_stage(project, "", "out 2")
    project.commit("a lock")
    run_stage(project, "sub/", "out 2")
    track(project, "sub/b", "b")
    project.commit("a pipeline below")
    project.write(".dvcignore", "sub/*\n!sub/dvc.*\n!sub/out.txt\n")
    project.commit("an ignored directory")
    project.write("sub/.dvcignore", "dvc.yaml\n")
    project.commit("and an ignored pipeline")
    project.write(".dvcignore", "")
    (project.root / "sub" / ".dvcignore").unlink()
    project.write("sub/.dvc/config", "")
    project.commit("a project in the project")
    (project.root / "sub" / ".dvc" / "config").unlink()
    (project.root / "dvc.lock").unlink()
    project.write(
        "dvc.yaml", "vars: [v.json]\nstages:\n  s:\n    cmd: make\n    outs: ['${name}']\n"
    )
    for name in ("v1", "v2"):
        project.write("v.json", f'{{"name": "{name}"}}')
        project.commit(f"a template of {name}")
    project.git("mv", "a.dvc", "sub/a.dvc")
    project.commit("a move")
    project.git("checkout", "--quiet", "-b", "side", "HEAD~3")
    track(project, "c", "of a branch")
    project.commit("a branch")
    project.git("merge", "--quiet", "--no-edit", "main")


def as_dvc_reads(repo: Repo, revision: str) -> set[tuple[str, str]]:
    with switch(repo, revision):
        index = Index.from_repo(repo, onerror=lambda _path, _error: None)
        return {("/".join(out.index_key[1]), str(out.hash_info.value)) for out in index.outs}


def as_read(files: list[FileVersion]) -> set[tuple[str, str]]:
    outputs = [output for file in files for output in file.outputs]
    return {(output.path, output.item.oid if output.item else "None") for output in outputs}


def clone(project: Project, kind: str, tmp_path: Path) -> Project:
    """The same history, opened in another way."""
    top = Path(project.git("rev-parse", "--show-toplevel"))
    seen = tmp_path / kind / "seen"
    if kind == "worktree":
        project.git("worktree", "add", "--quiet", "--detach", str(seen))
    elif kind == "submodule":
        Project(tmp_path).git("init", "--quiet", kind)
        add = ("-c", "protocol.file.allow=always", "submodule", "add", "--quiet")
        Project(tmp_path / kind).git(*add, str(top), "seen")
    elif kind.startswith("partial"):
        for name in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
            project.git("config", name, "true")
        filtered = "tree:0" if kind == "partial, no directories" else "blob:none"
        project.git("clone", "--quiet", f"--filter={filtered}", top.as_uri(), str(seen))
    else:
        return project
    return Project(seen / project.root.relative_to(top))


KINDS = ["repository", "worktree", "submodule", "partial, no files", "partial, no directories"]


@pytest.mark.parametrize(
    ("kind", "place"),
    usual_of(
        [*((kind, "inside/it") for kind in KINDS[:-1]), (KINDS[0], ""), (KINDS[-1], "")],
        itertools.product(KINDS, ["", "inside/it"]),
    ),
)
def test_each_commit_has_the_outputs_that_dvc_reads_there(
    tmp_path: Path, place: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = make_project(tmp_path / "top" / "project")
    project = top
    if place:
        project = Project(top.root / place)
        project.root.mkdir(parents=True)
        Repo.init(str(project.root), subdir=True).close()
        project.git("commit", "--quiet", "--allow-empty", "--message", "a project below the top")
    make_versions(project)
    history = read_history(project.root, SilentProgress())
    assert len(history.snapshots) >= 11
    with Repo(str(project.root)) as repo:
        expected = {
            snapshot.revision: as_dvc_reads(repo, snapshot.revision)
            for snapshot in history.snapshots
            if snapshot.files
        }
    bar_blob_io(monkeypatch)
    seen = clone(project, kind, tmp_path)
    found = {}
    with Repo(str(seen.root)) as repo, CommitFiles(seen.root) as files:
        reader = Reader(lambda: repo, "hdd", files)
        for snapshot in read_history(seen.root, SilentProgress()).snapshots:
            if snapshot.files:
                found[snapshot.revision] = as_read(reader.read_snapshot(snapshot))
    assert found == expected
    assert read_inventory(seen.root, "hdd", SilentProgress()).uncollectable == ()


def test_a_commit_before_the_project_has_nothing(tmp_path: Path) -> None:
    top = make_project(tmp_path / "top" / "project")
    track(top, "above", "of the project above")
    top.commit("above")
    project = Project(top.root / "below")
    project.root.mkdir()
    Repo.init(str(project.root), subdir=True).close()
    track(project, "a", "a")
    project.commit("below")
    found = read_inventory(project.root, "hdd", SilentProgress())
    assert {item.oid for item in found.references} == {md5(b"a")}
    assert found.uncollectable == ()
