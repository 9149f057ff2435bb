"""Relinking real checkouts: what changes, what never does, and what DVC says afterwards."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.errors import CacheError
from scripts.links import permission, probe
from scripts.links.project import open_project
from scripts.links.relink import relink
from scripts.links.relinked import Relinked, verify_sample
from scripts.links.replace import Replacer
from tests.contract.dvc_projects import LEGACY_TEXT, add_legacy, make_project, snapshot
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
    from typing import NoReturn

    from tests.contract.dvc_projects import Project


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path)


@pytest.mark.parametrize("after", ["copy", "hardlink", "symlink"])
@pytest.mark.parametrize("before", ["copy", "hardlink", "symlink"])
def test_every_type_becomes_every_other_and_dvc_finds_nothing_changed(
    tmp_path: Path, before: str, after: str
) -> None:
    project = make_checkout(tmp_path, before)
    bytes_before = content(project)
    done = relink(project.root, [after])
    assert set(states(project).values()) == {after}
    assert content(project) == bytes_before
    assert done.files_changed == (len(FILES) if before != after else 0)
    assert done.left_alone == ()
    assert done.failed == ()
    assert list(done.before) == [before]
    assert list(done.after) == [after]
    assert is_clean(project)


def test_bytes_saved_are_those_of_the_copies(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "copy")
    assert sum(FILES.values()) <= relink(project.root, ["hardlink"]).bytes_saved
    assert relink(project.root, ["copy"]).bytes_saved <= -sum(FILES.values())


def test_a_second_call_changes_nothing_at_all(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "copy")
    relink(project.root, ["symlink"])
    inodes = {path: os.lstat(path).st_ino for path in (project.root / "data").rglob("*")}
    again = relink(project.root, ["symlink"])
    assert again.files_changed == 0
    assert inodes == {path: os.lstat(path).st_ino for path in (project.root / "data").rglob("*")}


def test_what_is_relinked_needs_not_be_read_again_by_dvc(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "copy")
    relink(project.root, ["hardlink"])
    with open_project(project.root) as repo:
        for name in FILES:
            path = str(project.root / name)
            assert repo.state.get(path, repo.fs)[1].value == tracked(project, name).oid


def test_an_edit_is_left_alone_and_named(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "copy")
    edit(project.root / "data/b", b"mine")
    bytes_before = content(project)
    done = relink(project.root, ["hardlink"])
    assert [(item.path, item.reason) for item in done.left_alone] == [
        (str(project.root / "data/b"), permission.EDITED)
    ]
    assert content(project) == bytes_before
    assert states(project)["data/b"] == "copy"
    assert states(project)["data/a"] == "hardlink"


def test_an_edit_of_the_last_moment_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_checkout(tmp_path, "copy", files={"single": 100})
    file = project.root / "single"
    real = Replacer.replace

    def replace(*arguments: object, **named: object) -> object:
        edit(file, b"mine")
        return real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Replacer, "replace", replace)
    done = relink(project.root, ["hardlink"])
    assert file.read_bytes().startswith(b"mine")
    assert [item.reason for item in done.left_alone] == ["it changed meanwhile"]
    assert sorted(path.name for path in project.root.iterdir()) == sorted(
        {".dvc", ".dvcignore", ".git", ".gitignore", "single", "single.dvc"}
    )


@pytest.mark.parametrize("link_type", ["hardlink", "symlink"])
def test_an_edit_through_a_link_does_not_spread(tmp_path: Path, link_type: str) -> None:
    """The copy of the right bytes stays, though its object has the right size and mode."""
    project = make_checkout(tmp_path, "copy")
    project.write("twin", (project.root / "data/b").read_bytes())
    project.add("twin")
    relink(project.root, [link_type], paths=[str(project.root / "data/b")])
    twin = (project.root / "twin").read_bytes()
    edit(project.root / "data/b", b"root writes anywhere")
    os.chmod(tracked(project, "twin").object_path, 0o444)  # noqa: PTH101
    done = relink(project.root, [link_type])
    assert {item.path: item.reason for item in done.left_alone} == {
        str(project.root / "twin"): permission.OBJECT_WRONG
    }
    assert (project.root / "twin").read_bytes() == twin
    other = "symlink" if link_type == "hardlink" else "hardlink"
    reasons = {item.path: item.reason for item in relink(project.root, [other]).left_alone}
    assert reasons[str(project.root / "data/b")] == permission.EDITED_THROUGH


def test_a_file_whose_object_is_gone_stays(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "copy")
    Path(tracked(project, "single").object_path).unlink()
    bytes_before = content(project)
    done = relink(project.root, ["symlink"])
    assert [item.reason for item in done.left_alone] == [permission.NOT_IN_CACHE]
    assert content(project) == bytes_before


def test_what_is_not_checked_out_is_not_checked_out_by_this(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "copy")
    (project.root / "single").unlink()
    done = relink(project.root, ["hardlink"])
    assert states(project)["single"] == "missing"
    assert done.left_by_reason == {permission.NOT_THERE: 1}


def test_links_into_a_cache_that_moved_are_renewed_and_a_person_s_own_stay(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "symlink")
    (project.root / ".dvc/cache").rename(tmp_path / "cache")
    project.dvc("cache", "dir", "--local", str(tmp_path / "cache"))
    (project.root / "single").unlink()
    (project.root / "single").symlink_to("/nowhere/of/mine")
    done = relink(project.root, ["symlink"])
    assert states(project) == {**dict.fromkeys(FILES, "symlink"), "single": "dangling"}
    assert [item.reason for item in done.left_alone] == [permission.YOUR_LINK]


def test_only_the_paths_asked_for_are_relinked(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "copy", files={**FILES, "data2/x": 100})
    relink(project.root, ["hardlink"], paths=[str(project.root / "data")])
    found = states(project)
    assert {name for name, state in found.items() if state == "hardlink"} == {
        "data/a",
        "data/b",
        "data/deep/c",
    }


def fail_with(number: int) -> object:
    def make(_: str, target: str) -> NoReturn:
        raise OSError(number, os.strerror(number), target)

    return make


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EMLINK, errno.EPERM, errno.ENOTSUP])
def test_a_type_that_fails_falls_to_the_next_but_to_copies_only_with_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    project = make_checkout(tmp_path, "symlink")
    monkeypatch.setitem(probe.MAKE, "hardlink", fail_with(number))
    without = relink(project.root, ["hardlink", "copy"])
    assert set(states(project).values()) == {"symlink"}
    assert without.impossible == len(without.left_alone) == len(FILES)
    assert all("no hardlink" in item.reason for item in without.left_alone)
    done = relink(project.root, ["hardlink", "copy"], allow_copy=True)
    assert set(states(project).values()) == {"copy"}
    assert done.fell_back == {"copy": len(FILES)}
    assert relink(project.root, ["hardlink", "symlink"]).fell_back == {"symlink": len(FILES)}
    assert is_clean(project)


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "full"), (errno.EDQUOT, "quota"), (errno.EROFS, "read-only")],
)
def test_a_disk_that_refuses_stops_it_and_the_same_call_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    project = make_checkout(tmp_path, "copy")
    bytes_before = content(project)
    real, calls = probe.MAKE["hardlink"], []

    def make(source: str, target: str) -> None:
        calls.append(target)
        if len(calls) == 3:
            raise OSError(number, os.strerror(number), target)
        real(source, target)

    monkeypatch.setitem(probe.MAKE, "hardlink", make)
    with pytest.raises(CacheError, match=said):
        relink(project.root, ["hardlink"])
    assert sorted(states(project).values()) == ["copy", "copy", "hardlink", "hardlink"]
    assert content(project) == bytes_before
    assert is_clean(project)
    done = relink(project.root, ["hardlink"])
    assert set(states(project).values()) == {"hardlink"}
    assert done.files_changed == 2


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "copy")
    data = project.root / "data"
    (data / ".slipway-link-0123456789abcdef").write_text("half a copy")
    (data / ".slipway-link-notes").write_text("a person's")
    assert relink(project.root, ["copy"]).left_behind == 1
    assert (data / ".slipway-link-notes").read_text() == "a person's"
    assert not (data / ".slipway-link-0123456789abcdef").exists()


def test_modes_links_protect_the_object_and_copies_are_writable(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "copy", push=False)
    script = project.root / "single"
    script.chmod(0o755)
    object_path = tracked(project, "data/a").object_path
    os.chmod(object_path, 0o644)  # noqa: PTH101
    os.umask(umask := os.umask(0o077))
    relink(project.root, ["hardlink"], paths=[str(project.root / "data")])
    assert stat.S_IMODE((project.root / "data/a").stat().st_mode) == 0o444
    relink(project.root, ["symlink"])
    relink(project.root, ["copy"], paths=[str(project.root / "data")])
    assert stat.S_IMODE((project.root / "data/a").stat().st_mode) == 0o666 & ~umask


def test_an_executable_stays_one(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "copy", files={"data/x": 100, "tool": 200}, push=False)
    (project.root / "tool").chmod(0o755)
    project.dvc("add", "--quiet", "tool")
    assert tracked(project, "tool").is_executable
    for link_type in ("symlink", "hardlink", "copy"):
        relink(project.root, [link_type])
        assert os.access(project.root / "tool", os.X_OK), link_type
        assert not (project.root / "data/x").stat().st_mode & 0o111
        assert is_clean(project)
    assert stat.S_IMODE((project.root / "tool").stat().st_mode) & 0o700 == 0o700


def test_empty_files_take_no_names_from_the_empty_object(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "symlink", files={"data/e1": 0, "data/e2": 0, "data/x": 10})
    done = relink(project.root, ["hardlink"])
    assert states(project)["data/x"] == "hardlink"
    assert os.stat(tracked(project, "data/e1").object_path).st_nlink == 1  # noqa: PTH116
    assert done.failed == ()
    assert relink(project.root, ["hardlink"]).files_changed == 0
    assert is_clean(project)


def test_objects_of_dvc_2_are_linked_and_line_endings_of_one_s_own_are_kept(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    add_legacy(project)
    project.dvc("pull", "--quiet")
    relink(project.root, ["copy"])
    unix = LEGACY_TEXT.replace(b"\r\n", b"\n")
    (project.root / "labels.csv").write_bytes(unix)
    done = relink(project.root, ["symlink"])
    assert done.left_by_reason == {permission.LINE_ENDINGS: 1}
    assert (project.root / "labels.csv").read_bytes() == unix
    assert states(project) == {
        "labels.csv": "copy",
        "old/x.bin": "symlink",
        "old/y.txt": "symlink",
    }


def switch_to_revision_without_data(project: Project) -> None:
    project.commit("with data")
    project.git("checkout", "--quiet", "HEAD~1")
    project.dvc("checkout", "--quiet", check=False)


def test_dvc_cleans_up_what_was_relinked_but_not_a_person_s_own_file(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "copy", files={"data/a": 10, "more/b": 10})
    relink(project.root, ["hardlink"])
    project.write("more/mine.txt", "nowhere else")
    relink(project.root, ["symlink"])
    switch_to_revision_without_data(project)
    assert not (project.root / "data").exists()
    assert (project.root / "more/mine.txt").read_text() == "nowhere else"


def test_dvc_does_not_clean_up_an_edit(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "copy", files={"data/a": 10, "data/b": 10})
    edit(project.root / "data/a", b"mine")
    assert relink(project.root, ["hardlink"]).changed == {"hardlink": 1}
    switch_to_revision_without_data(project)
    assert (project.root / "data/a").read_bytes().startswith(b"mine")


def test_another_dvc_process_is_waited_for_and_then_named(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "copy", files={"single": 10})
    before = snapshot(project.root / ".dvc" / "cache")
    with open_project(project.root, lock=True), pytest.raises(CacheError, match="Another DVC"):
        relink(project.root, ["hardlink"])
    assert snapshot(project.root / ".dvc" / "cache") == before


def test_the_result_passes_through_json_and_its_sample_tells_lies_apart(tmp_path: Path) -> None:
    project = make_checkout(tmp_path, "copy")
    done = relink(project.root, ["hardlink"])
    assert Relinked.from_json(json.loads(json.dumps(done.as_json()))) == done
    assert len(done.sample) == len(FILES)
    assert verify_sample(done.sample) == ()
    relink(project.root, ["copy"], paths=[str(project.root / "single")])
    (failed,) = verify_sample(done.sample)
    assert failed == f"{project.root / 'single'} (is copy, not hardlink)"
    Path(tracked(project, "data/a").object_path).unlink()
    assert any("not in the cache" in failed for failed in verify_sample(done.sample))


@pytest.mark.parametrize("link_types", [["softlink"], ["copy", ""]])
def test_a_list_that_is_none_is_refused(tmp_path: Path, link_types: list[str]) -> None:
    project = make_checkout(tmp_path, "copy", files={"single": 10})
    with pytest.raises(CacheError, match="No list of link types"):
        relink(project.root, link_types)
