"""Mending real checkouts: edits are saved, objects are restored, and no byte is lost."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.links.repair import QUARANTINE, Repaired, repair
from tests.contract.dvc_projects import key_of, md5
from tests.contract.link_checkouts import (
    FILES,
    content,
    edit,
    is_clean,
    isolate,
    make_checkout,
    states,
    tracked,
)

if TYPE_CHECKING:
    from tests.contract.dvc_projects import Project


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path)


def object_is_right(project: Project, name: str) -> bool:
    file = tracked(project, name)
    return file.in_cache and md5(Path(file.object_path).read_bytes()) == file.oid


def quarantined(project: Project) -> list[Path]:
    return sorted((project.root / ".dvc/cache" / QUARANTINE).iterdir())


@pytest.mark.parametrize("link_type", ["hardlink", "symlink"])
def test_an_edit_through_a_link_is_kept_and_the_object_comes_back(
    tmp_path: Path, link_type: str
) -> None:
    project = make_checkout(tmp_path, link_type)
    original = (project.root / "data/b").read_bytes()
    edit(project.root / "data/b", b"mine")
    edited = (project.root / "data/b").read_bytes()
    done = repair(project.root, [link_type])
    assert (project.root / "data/b").read_bytes() == edited
    assert states(project) == {**dict.fromkeys(FILES, link_type), "data/b": "copy"}
    assert object_is_right(project, "data/b")
    (aside,) = quarantined(project)
    assert aside.read_bytes() == edited
    assert [(item.moved_to, item.is_restored) for item in done.quarantined] == [(str(aside), True)]
    assert [item.path for item in done.mended] == [str(project.root / "data/b")]
    assert done.left == ()
    with (project.root / "data/b").open("ab") as file:
        file.write(b"more")
    assert aside.read_bytes() == edited, "the edit is a file of its own"
    project.dvc("checkout", "--quiet", "--force")
    assert (project.root / "data/b").read_bytes() == original
    assert repair(project.root, [link_type]).quarantined == ()


@pytest.mark.parametrize("link_type", ["hardlink", "symlink"])
def test_other_links_of_an_edited_object_show_the_original_again(
    tmp_path: Path, link_type: str
) -> None:
    project = make_checkout(tmp_path, link_type)
    original = (project.root / "data/b").read_bytes()
    project.write("twin", original)
    project.add("twin")
    edit(project.root / "data/b", b"mine")
    edited = (project.root / "twin").read_bytes()
    assert edited.startswith(b"mine")
    repair(project.root, [link_type])
    assert (project.root / "data/b").read_bytes() == edited
    assert (project.root / "twin").read_bytes() == original
    assert states(project)["twin"] == link_type


@pytest.mark.parametrize("link_type", ["hardlink", "symlink"])
def test_without_a_remote_everything_is_kept_and_reported(tmp_path: Path, link_type: str) -> None:
    project = make_checkout(tmp_path, link_type, push=False)
    project.write("twin", (project.root / "data/b").read_bytes())
    project.dvc("add", "--quiet", "twin")
    edit(project.root / "data/b", b"mine")
    bytes_before = content(project)
    done = repair(project.root, [link_type])
    assert content(project) == bytes_before
    assert states(project)["data/b"] == states(project)["twin"] == "copy"
    assert [item.is_restored for item in done.quarantined] == [False]
    assert any(
        item.path == str(project.root / "twin") and "shows an edit" in item.reason
        for item in done.left
    )
    assert any("could not be restored" in item.reason and item.hint for item in done.left)
    assert not tracked(project, "data/b").in_cache


def test_a_copy_in_the_workspace_is_as_good_as_a_remote(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "hardlink", push=False)
    original = (project.root / "data/b").read_bytes()
    project.write("twin", original)
    project.dvc("add", "--quiet", "twin")
    (project.root / "twin").unlink()
    project.write("twin", original)
    edit(project.root / "data/b", b"mine")
    assert tracked(project, "twin").state.value == "copy"
    done = repair(project.root, ["hardlink"])
    assert [item.is_restored for item in done.quarantined] == [True]
    assert object_is_right(project, "twin")
    assert (project.root / "twin").read_bytes() == original
    assert states(project)["twin"] == "hardlink"


def test_a_wrong_object_that_no_file_is_linked_to_is_found_as_well(tmp_path: Path) -> None:
    """As a kill between saving the edit and moving the object leaves it."""
    project = make_checkout(tmp_path, "copy")
    edit(project.root / "data/b", b"mine")
    file = tracked(project, "data/b")
    edit(Path(file.object_path), b"mine")
    bytes_before = content(project)
    done = repair(project.root)
    assert [item.is_restored for item in done.quarantined] == [True]
    assert object_is_right(project, "data/b")
    assert content(project) == bytes_before


def test_the_quarantine_overwrites_nothing(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "hardlink")
    edits = []
    for word in (b"first", b"second"):
        edit(project.root / "single", word)
        edits.append((project.root / "single").read_bytes())
        repair(project.root, ["hardlink"])
        project.dvc("checkout", "--quiet", "--force")
    assert [path.read_bytes() for path in quarantined(project)] == edits
    oid = tracked(project, "single").oid
    assert [path.name for path in quarantined(project)] == [f"{oid}-1", f"{oid}-2"]


def test_dvc_gc_leaves_the_quarantine_alone(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "hardlink")
    edit(project.root / "single", b"mine")
    repair(project.root, ["hardlink"])
    (aside,) = quarantined(project)
    project.dvc("gc", "--workspace", "--force", "--quiet")
    assert aside.exists()


def test_links_that_lead_astray_and_unexpected_copies_are_linked_again(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "symlink")
    (project.root / "data/b").unlink()
    shutil.copyfile(tracked(project, "data/b").object_path, project.root / "data/b")
    foreign = tmp_path / "elsewhere"
    shutil.copyfile(tracked(project, "data/a").object_path, foreign)
    (project.root / "data/a").unlink()
    (project.root / "data/a").symlink_to(foreign)
    lost = tracked(project, "single")
    (project.root / "single").unlink()
    (project.root / "single").symlink_to(f"/moved/{lost.oid[:2]}/{lost.oid[2:]}")
    done = repair(project.root, ["symlink"])
    assert set(states(project).values()) == {"symlink"}
    assert {os.path.relpath(item.path, project.root): item.what for item in done.mended} == {
        "data/a": "was foreign, linked again",
        "data/b": "was copied, linked again",
        "single": "was dangling, linked again",
    }
    assert foreign.exists()
    assert is_clean(project)


def test_a_foreign_link_to_other_bytes_stays(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "symlink")
    (tmp_path / "mine").write_text("other bytes")
    (project.root / "single").unlink()
    (project.root / "single").symlink_to(tmp_path / "mine")
    done = repair(project.root, ["symlink"])
    assert (project.root / "single").read_text() == "other bytes"
    assert [item.path for item in done.left] == [str(project.root / "single")]


def test_a_dangling_link_without_an_object_gets_a_hint(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "symlink")
    Path(tracked(project, "single").object_path).unlink()
    done = repair(project.root, ["symlink"])
    (left,) = done.left
    assert left.path == str(project.root / "single")
    assert "dvc fetch" in left.hint
    assert "dvc pull" in left.hint


def test_a_remote_that_fails_is_reported_and_not_raised(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "hardlink")
    (project.hdd / key_of(tracked(project, "single").oid)).unlink()
    edit(project.root / "single", b"mine")
    done = repair(project.root, ["hardlink"])
    assert [item.is_restored for item in done.quarantined] == [False]
    assert (project.root / "single").read_bytes().startswith(b"mine")


def test_a_sound_checkout_is_not_touched(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "hardlink")
    before = {name: os.lstat(project.root / name) for name in FILES}
    done = repair(project.root, ["hardlink"])
    assert (done.mended, done.left, done.quarantined) == ((), (), ())
    assert {name: os.lstat(project.root / name).st_ctime_ns for name in FILES} == {
        name: status.st_ctime_ns for name, status in before.items()
    }
    assert Repaired.from_json(json.loads(json.dumps(done.as_json()))) == done
