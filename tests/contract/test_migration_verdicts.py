"""Each kind of output that DVC makes: planned is what `dvc push` puts into the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dvc.repo import Repo

from scripts.errors import SettingsError
from scripts.migration import open_stores, plan_migration
from scripts.migration.inventory import Inventory, read_inventory
from scripts.migration.outputs import Verdict
from scripts.progress import SilentProgress
from tests.contract.dvc_projects import Project, key_of, make_project, md5

if TYPE_CHECKING:
    from pathlib import Path

PIPELINE = """
stages:
  kept:
    cmd: cp in.txt kept.txt
    deps: [in.txt]
    outs: [kept.txt]
  frozen:
    cmd: cp in.txt frozen.txt && echo frozen >> frozen.txt
    deps: [in.txt]
    outs: [frozen.txt]
  others:
    cmd: >-
      echo unpushed > unpushed.txt; echo uncached > uncached.txt; echo third > third.txt;
      echo persistent > persistent.txt
    deps: [in.txt]
    outs:
    - unpushed.txt: {push: false}
    - uncached.txt: {cache: false}
    - third.txt: {remote: third}
    - persistent.txt: {persist: true}
  never:
    cmd: never run
    outs: [never.txt]
    frozen: true
"""


pytestmark = pytest.mark.usefixtures("dvc_environment")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = make_project(tmp_path / "work" / "project")
    config = project.root / ".dvc" / "config"
    config.write_text(config.read_text() + "['remote \"third\"']\n    url = ../../third\n")
    monkeypatch.chdir(project.root)  # DVC runs stages and finds what it imports from here
    return project


def held(directory: Path) -> set[str]:
    keys = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    return {key for key in keys if key.startswith("files/")}


def read(project: Project) -> Inventory:
    return read_inventory(project.root, "hdd", SilentProgress())


def key(content: str) -> str:
    return key_of(md5(content.encode()))


def test_outputs_of_a_pipeline(project: Project) -> None:
    project.write("in.txt", "in\n")
    project.write("dvc.yaml", PIPELINE)
    with Repo(str(project.root)) as repo:
        repo.reproduce(["kept", "frozen", "others"])
        repo.freeze("frozen")
        repo.push()
    project.commit("ran")
    found = read(project)
    planned = {item.key for item in found.references}
    assert planned == {key("in\n"), key("in\nfrozen\n"), key("persistent\n")}
    assert held(project.hdd) == planned
    assert held(project.root.parent / "third") == {key("third\n")}
    assert found.excluded == {
        Verdict.NOT_PUSHED: 1,
        Verdict.NOT_CACHED: 1,
        Verdict.OTHER_REMOTE: 1,
        Verdict.NOT_HASHED: 1,
    }


def test_the_plan_tells_programs_which_output_has_which_verdict(project: Project) -> None:
    project.write("in.txt", "in\n")
    project.write("dvc.yaml", PIPELINE)
    project.write("kept.txt.dvc", f"outs:\n- md5: {md5(b'k')}\n  path: k\n  hash: md5\n")
    with Repo(str(project.root)) as repo:
        repo.reproduce(["others"])
    add_version_aware(project)
    told = plan_migration(open_stores(project.root, "hdd", "third")).as_json()
    assert told["excluded_paths"] == {
        "push: false": ["unpushed.txt"],
        "cache: false": ["uncached.txt"],
        "kept in another remote": ["third.txt"],
        "kept as files in a version-aware remote": ["a-file", "directory"],
        "never run or added, so there is no data yet": ["frozen.txt", "kept.txt", "never.txt"],
    }
    assert told["excluded"] == {name: len(paths) for name, paths in told["excluded_paths"].items()}
    assert [share["name"] for share in told["by_path"]] == ["k", "persistent.txt"]


def add_version_aware(project: Project) -> None:
    """What `dvc push` writes down when a remote is version-aware: DVC keeps no objects there."""
    entry = f"    md5: {md5(b'x')}\n    size: 1\n    version_id: v1\n"
    project.write(
        "directory.dvc",
        f"outs:\n- hash: md5\n  path: directory\n  files:\n  - relpath: x\n{entry}",
    )
    cloud = f"    s3:\n      etag: {md5(b'x')}\n      version_id: v1\n"
    project.write(
        "a-file.dvc",
        f"outs:\n- hash: md5\n  md5: {md5(b'x')}\n  size: 1\n  path: a-file\n  cloud:\n{cloud}",
    )


def test_what_a_version_aware_remote_keeps_is_held_by_the_cache_alone(project: Project) -> None:
    add_version_aware(project)
    found = read(project)
    assert found.references == {}
    assert found.uncollectable == ()
    assert found.excluded == {Verdict.CLOUD_VERSIONED: 2}
    assert {item.key for item in found.elsewhere} == {key("x")}


def test_imports_from_repositories_stay_there_and_imports_from_places_move(
    project: Project, tmp_path: Path
) -> None:
    other = make_project(tmp_path / "other" / "project")
    other.write("x.txt", "of another project\n")
    other.add("x.txt")
    other.commit("x")
    for name in ("place", "later"):
        (tmp_path / f"{name}.txt").write_text(f"{name}\n")
    with Repo(str(project.root)) as repo:
        repo.imp(str(other.root), "x.txt")
        repo.imp_url(str(tmp_path / "place.txt"))
        repo.imp_url(str(tmp_path / "later.txt"), no_download=True)
        repo.push()
    project.commit("imported")
    found = read(project)
    assert {item.key for item in found.references} == {key("place\n")}
    assert held(project.hdd) == {key("place\n")}
    assert found.excluded == {Verdict.IMPORTED: 1, Verdict.NOT_HASHED: 1}
    assert found.uncollectable == ()


@pytest.mark.parametrize("option", ["version_aware", "worktree"])
@pytest.mark.parametrize("way", [("hdd", "files"), ("files", "hdd")])
def test_a_remote_of_files_is_refused_on_either_side(
    project: Project, option: str, way: tuple[str, str]
) -> None:
    project.dvc("remote", "add", "--quiet", "files", "s3://bucket/x")
    project.dvc("remote", "modify", "--quiet", "files", option, "true")
    with pytest.raises(SettingsError, match=f"'files' cannot be used: it is set {option}") as told:
        open_stores(project.root, *way)
    assert told.value.hint
