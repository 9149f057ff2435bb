"""dvc-init on real repositories: what git and DVC then say is what counts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts import process
from scripts.errors import CacheError, SettingsError, SlipwayError
from scripts.project import InitResult, StepStatus, init_project
from scripts.settings import DvcSettings, RemoteSettings, Settings
from tests.forked import run_module


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this machine's git and DVC configuration out."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Someone")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "someone@example.com")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    process.run(["git", "init", "--quiet"], cwd=root)
    return root


def dvc(root: Path, *arguments: str) -> str:
    return run_module("dvc", arguments, cwd=root).stdout


def init(root: Path, **wanted: object) -> InitResult:
    return init_project(Settings(root=root, dvc=DvcSettings(**wanted)))  # type: ignore[arg-type]


def snapshot(root: Path) -> dict[Path, tuple[bytes, int]]:
    return {
        path.relative_to(root): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file() and "tmp" not in path.parts and ".git" not in path.parts
    }


def test_a_fresh_repository_is_set_up_and_a_second_run_changes_nothing(
    root: Path, tmp_path: Path
) -> None:
    hdd, cache = tmp_path / "hdd", tmp_path / "cache"
    hdd.mkdir()
    cache.mkdir()
    options = {"endpointurl": "http://127.0.0.1:1", "region": "us-east-1"}
    wanted = {
        "cache_dir": cache,
        "cache_type": ("symlink", "copy"),
        "remotes": (
            RemoteSettings("hdd", str(hdd)),
            RemoteSettings("s3", "s3://bucket/data", options),
        ),
        "default_remote": "hdd",
    }
    first = init(root, **wanted)
    assert {step.status for step in first.steps} == {StepStatus.DONE}
    assert sorted(dvc(root, "config", "--project", "--list").split()) == [
        "core.remote=hdd",
        f"remote.hdd.url={hdd}",
        "remote.s3.endpointurl=http://127.0.0.1:1",
        "remote.s3.region=us-east-1",
        "remote.s3.url=s3://bucket/data",
    ]
    assert sorted(dvc(root, "config", "--local", "--list").split()) == [
        f"cache.dir={cache}",
        "cache.type=symlink,copy",
    ]
    before = snapshot(root)
    second = init(root, **wanted)
    assert not second.changed
    assert {step.status for step in second.steps} == {StepStatus.UNCHANGED}
    assert [step.name for step in second.steps if "remote s3 " not in step.name] == [
        step.name for step in first.steps if "remote s3 " not in step.name
    ]
    assert snapshot(root) == before


def test_a_remote_inside_the_workspace_is_known_again(root: Path) -> None:
    (root / "store").mkdir()
    remotes = (RemoteSettings("hdd", str(root / "store")),)
    init(root, remotes=remotes)
    dvc(root, "remote", "modify", "hdd", "url", "store")
    assert not init(root, remotes=remotes).changed


def test_a_new_link_type_reaches_the_files_that_are_checked_out(root: Path) -> None:
    init(root)
    (root / "data").mkdir()
    (root / "data" / "a").write_text("a")
    (root / "gone").write_text("b")
    dvc(root, "add", "data", "gone")
    (root / "gone").unlink()
    result = init(root, cache_type=("symlink",))
    assert [step.name for step in result.steps if step.status is StepStatus.DONE] == [
        "cache.type",
        "checkout relinked",
    ]
    assert (root / "data" / "a").is_symlink()
    assert not (root / "gone").exists(), "relinking is no checkout of what was not there"
    assert not init(root, cache_type=("symlink",)).changed


def test_an_edited_file_is_left_alone_and_named_when_the_link_type_changes(root: Path) -> None:
    init(root, cache_type=("copy",))
    data, other = root / "data", root / "other"
    data.write_text("tracked")
    other.write_text("tracked as well")
    dvc(root, "add", "data", "other")
    data.write_text("changed since, and nowhere else")
    result = init(root, cache_type=("symlink",))
    (kept,) = [step for step in result.steps if step.status is StepStatus.KEPT]
    assert str(data) in kept.detail
    assert data.read_text() == "changed since, and nowhere else"
    assert not data.is_symlink()
    assert other.is_symlink()
    assert dvc(root, "config", "--local", "cache.type").strip() == "symlink"


@pytest.mark.parametrize("before", [("copy",), ()])
def test_a_link_type_that_cannot_be_had_is_taken_back(
    root: Path, tmp_path: Path, before: tuple[str, ...]
) -> None:
    data = root / "data"
    data.write_text("tracked")
    init(root, cache_type=before)
    dvc(root, "add", "data")
    far = Path("/dev/shm") / tmp_path.name  # noqa: S108  another file system than that of tmp_path
    far.mkdir()
    try:
        dvc(root, "config", "--local", "cache.dir", str(far))
        shutil.copytree(root / ".dvc" / "cache", far, dirs_exist_ok=True)
        with pytest.raises(CacheError, match="two file systems") as refused:
            init(root, cache_type=("hardlink",))
    finally:
        shutil.rmtree(far)
    assert "as it was" in refused.value.hint
    assert data.read_text() == "tracked"
    local = dvc(root, "config", "--local", "--list").split()
    assert [line for line in local if "cache.type" in line] == [
        f"cache.type={types}" for types in before
    ]


def test_a_directory_below_the_repository_becomes_a_project_of_its_own(root: Path) -> None:
    below = root / "below"
    below.mkdir()
    assert init(below).changed
    assert (below / ".dvc" / "config").is_file()
    assert not (root / ".dvc").exists()


def test_git_is_not_initialised_behind_a_person_s_back(tmp_path: Path) -> None:
    with pytest.raises(SlipwayError, match="not in a git repository"):
        init(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["DVC_CACHE_DIR", "DVC_REMOTE_HDD"])
def test_a_missing_directory_is_refused_before_anything_changes(
    root: Path, tmp_path: Path, key: str
) -> None:
    missing = tmp_path / "not-mounted"
    settings: dict[str, dict[str, object]] = {
        "DVC_CACHE_DIR": {"cache_dir": missing},
        "DVC_REMOTE_HDD": {"remotes": (RemoteSettings("hdd", str(missing)),)},
    }
    with pytest.raises(SettingsError, match=key):
        init(root, **settings[key])
    assert not (root / ".dvc").exists()
    assert not missing.exists()


def test_a_remote_with_another_url_stays_as_the_project_has_it(root: Path) -> None:
    init(root, remotes=(RemoteSettings("s3", "s3://bucket/old"),))
    before = snapshot(root)
    with pytest.raises(SettingsError, match="s3://bucket/old"):
        init(root, cache_type=("copy",), remotes=(RemoteSettings("s3", "s3://bucket/new"),))
    assert snapshot(root) == before


def test_a_configuration_that_dvc_cannot_read_is_named(root: Path) -> None:
    init(root)
    (root / ".dvc" / "config").write_text("[core\n")
    with pytest.raises(SlipwayError, match="cannot read the configuration"):
        init(root)
