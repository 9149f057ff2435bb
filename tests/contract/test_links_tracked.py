"""What a real checkout looks like: every state, both layouts, what is left out or named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn

import pytest

from scripts.errors import CacheError
from scripts.links import contents
from scripts.links.checkout import LinkState
from scripts.links.tracked import observe
from tests.contract.dvc_projects import Project, add_legacy, make_project
from tests.contract.link_checkouts import (
    FILES,
    edit,
    isolate,
    make_checkout,
    states,
    tracked,
)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path)


@pytest.mark.parametrize("link_type", ["copy", "hardlink", "symlink"])
def test_what_dvc_checks_out_is_recognized(tmp_path: Path, link_type: str) -> None:
    project = make_checkout(tmp_path, link_type)
    found = observe(project.root, contents=True)
    assert {file.state.value for file in found.files} == {link_type}
    assert {file.is_right for file in found.files} == {True}
    sizes = {os.path.relpath(file.path, project.root): file.size_bytes for file in found.files}
    assert sizes == FILES
    for file in found.files:
        whole = file.size_bytes if link_type == "copy" else 0
        assert whole <= file.own_bytes <= whole + 8192


def test_every_other_state_is_told_apart(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "symlink")
    (project.root / "data/a").unlink()
    (project.root / "data/b").unlink()
    (project.root / "data/b").symlink_to(project.root / "single")
    Path(tracked(project, "data/deep/c").object_path).unlink()
    (project.root / "single").unlink()
    (project.root / "single").mkdir()
    assert states(project) == {
        "data/a": "missing",
        "data/b": "foreign",
        "data/deep/c": "dangling",
        "single": "missing",
    }
    assert not tracked(project, "data/deep/c").in_cache


def test_a_link_that_leads_to_itself_dangles(tmp_path: Path) -> None:
    project = make_checkout(tmp_path)
    (project.root / "single").unlink()
    (project.root / "single").symlink_to("single")
    assert tracked(project, "single", contents=True).state is LinkState.DANGLING


@pytest.mark.parametrize("link_type", ["hardlink", "symlink"])
def test_an_edit_through_a_link_is_seen_to_corrupt_the_cache(
    tmp_path: Path, link_type: str
) -> None:
    project = make_checkout(tmp_path, link_type)
    edit(project.root / "data/b")
    found = observe(project.root, contents=True)
    assert [file.path for file in found.files if file.corrupts_cache] == [
        str(project.root / "data/b")
    ]


def test_an_edited_copy_is_a_person_s_work_and_no_corruption(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "copy")
    edit(project.root / "data/b")
    file = tracked(project, "data/b", contents=True)
    assert file.is_right is False
    assert not file.corrupts_cache
    assert file.trouble(("reflink",)) == ""


def test_what_dvc_knows_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = contents.hashes_of

    def hashes_of(path: str, *rest: Any) -> tuple[str, ...]:
        read.append(path)
        return real(path, *rest)

    monkeypatch.setattr(contents, "hashes_of", hashes_of)
    project = make_checkout(tmp_path, "copy")
    observe(project.root, contents=True)
    assert read == []
    os.utime(project.root / "single")
    assert tracked(project, "single", contents=True).is_right
    assert read == [str(project.root / "single")]
    observe(project.root, contents=True)
    assert len(read) == 1, "what was read once is known"


def test_a_new_name_of_an_object_that_dvc_knows_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_checkout(tmp_path, "copy", files={"single": 100})
    (project.root / "single").unlink()
    os.link(tracked(project, "single").object_path, project.root / "single")

    def refuse(path: str, *_: object) -> NoReturn:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(contents, "hashes_of", refuse)
    assert tracked(project, "single", contents=True).is_right


def test_objects_of_dvc_2_are_known_by_both_of_its_rules(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    add_legacy(project)
    project.dvc("pull", "--quiet")
    found = observe(project.root, contents=True)
    assert {os.path.relpath(file.path, project.root): file.is_right for file in found.files} == {
        "labels.csv": True,
        "old/x.bin": True,
        "old/y.txt": True,
    }
    cache = project.root / ".dvc" / "cache"
    assert all("files" not in file.object_path for file in found.files)
    assert all(file.object_path.startswith(str(cache)) for file in found.files)
    assert {file.hash_name for file in found.files} == {"md5-dos2unix"}


def test_a_directory_without_its_list_is_named(tmp_path: Path) -> None:
    project = make_checkout(tmp_path)
    (listing,) = (project.root / ".dvc/cache/files/md5").glob("*/*.dir")
    listing.unlink()
    found = observe(project.root)
    assert found.unlisted == (str(project.root / "data"),)
    assert [file.path for file in found.files] == [str(project.root / "single")]


def test_outputs_that_dvc_does_not_cache_are_left_out(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, files={"single": 100})
    project.write("metrics.json", "{}")
    project.write(
        "dvc.yaml",
        "stages:\n  s:\n    cmd: 'true'\n    outs:\n    - metrics.json: {cache: false}\n",
    )
    project.dvc("commit", "--quiet", "--force")
    assert states(project) == {"single": "copy"}


def test_a_place_that_is_no_project_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="not a DVC project"):
        observe(tmp_path)


def test_a_project_that_dvc_cannot_read_is_an_error(tmp_path: Path) -> None:
    project: Project = make_checkout(tmp_path, files={"single": 100})
    (project.root / "single.dvc").write_text("outs: [")
    with pytest.raises(CacheError, match="cannot read the project"):
        observe(project.root)
