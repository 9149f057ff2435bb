"""docs/guide/tracking.md, step by step, with real DVC: what it says is what DVC does."""

from __future__ import annotations

from pathlib import Path

import pytest
from dvc.repo import Repo

from tests.contract.dvc_projects import Project, key_of, make_project, md5

FIRST, SECOND = b"id,label\n1,cat\n", b"id,label\n1,cat\n2,dog\n"
CLEAN = "Data and pipelines are up to date."


pytestmark = pytest.mark.usefixtures("dvc_environment")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "work" / "project")


@pytest.fixture
def downloads(project: Project) -> Path:
    directory = project.root.parent / "downloads"
    directory.mkdir()
    return directory


def cached(project: Project, content: bytes) -> Path:
    return project.root / ".dvc" / "cache" / key_of(md5(content))


def status(project: Project) -> str:
    return project.dvc("status").stdout.strip()


def refused(project: Project, *arguments: str) -> str:
    done = project.dvc(*arguments, check=False)
    assert done.returncode != 0
    return " ".join(done.stderr.split())


# --- dvc unprotect


@pytest.fixture
def linked(project: Project, request: pytest.FixtureRequest) -> Path:
    """A tracked file, linked to the cache."""
    project.dvc("config", "cache.type", getattr(request, "param", "hardlink"))
    project.write("labels.csv", FIRST)
    project.dvc("add", "--quiet", "labels.csv")
    return project.root / "labels.csv"


def test_a_link_into_the_cache_refuses_to_be_edited(linked: Path) -> None:
    """Inside even for root, whom the container takes the right to ignore modes."""
    assert linked.stat().st_mode & 0o777 == 0o444
    assert linked.stat().st_nlink == 2
    with pytest.raises(PermissionError):
        linked.open("ab").close()


def test_an_edit_in_spite_of_that_loses_both_versions(project: Project, linked: Path) -> None:
    linked.chmod(0o644)
    linked.write_bytes(SECOND)
    assert cached(project, FIRST).read_bytes() == SECOND
    assert "not in cache" in status(project)
    assert not cached(project, FIRST).exists()  # `dvc status` took the changed object away
    assert "Checkout failed" in refused(project, "checkout", "--force", "labels.csv")
    assert not linked.exists()


@pytest.mark.parametrize("linked", ["hardlink", "symlink"], indirect=True)
def test_unprotected_a_file_is_edited_alone_and_added_again(project: Project, linked: Path) -> None:
    project.dvc("unprotect", "labels.csv")
    assert not linked.is_symlink()
    assert linked.stat().st_nlink == 1
    assert status(project) == CLEAN
    linked.write_bytes(SECOND)
    assert cached(project, FIRST).read_bytes() == FIRST
    assert "modified" in status(project)
    project.dvc("add", "--quiet", "labels.csv")
    assert status(project) == CLEAN
    assert cached(project, SECOND).read_bytes() == SECOND
    assert linked.is_symlink() or linked.stat().st_nlink == 2  # a link again


def test_unprotecting_what_is_a_copy_or_no_data_does_nothing(project: Project) -> None:
    project.dvc("config", "cache.type", "copy")
    project.write("labels.csv", FIRST)
    project.dvc("add", "--quiet", "labels.csv")
    before = (project.root / "labels.csv").stat()
    assert before.st_mode & 0o200
    project.dvc("unprotect", "labels.csv", "labels.csv.dvc")
    assert (project.root / "labels.csv").stat().st_mode == before.st_mode
    assert "non-existing data" in refused(project, "unprotect", "nowhere.csv")


# --- dvc add --to-remote


def test_to_remote_leaves_nothing_here_but_the_dvc_file(project: Project, downloads: Path) -> None:
    (downloads / "big.bin").write_bytes(FIRST)
    project.dvc("add", "--quiet", "--to-remote", str(downloads / "big.bin"))
    assert (project.hdd / key_of(md5(FIRST))).read_bytes() == FIRST
    assert not (project.root / "big.bin").exists()
    assert not cached(project, FIRST).exists()
    assert md5(FIRST) in (project.root / "big.bin.dvc").read_text()
    assert project.git("status", "--short") == "?? big.bin.dvc"
    assert "not in cache" in status(project)

    project.dvc("pull", "--quiet")
    assert (project.root / "big.bin").read_bytes() == FIRST
    assert status(project) == CLEAN
    # The guide says to add the line by hand: DVC 3.67 does not.
    assert "?? big.bin\n" in project.git("status", "--short") + "\n"


def test_a_directory_remote_is_left_a_second_copy(project: Project, downloads: Path) -> None:
    (downloads / "big.bin").write_bytes(FIRST)
    project.dvc("add", "--quiet", "--to-remote", str(downloads / "big.bin"))
    left = list((project.hdd / "files" / "md5").glob(".*.tmp"))
    assert [path.read_bytes() for path in left] == [FIRST]


def test_to_remote_of_a_directory_and_under_another_name(project: Project, downloads: Path) -> None:
    (downloads / "many").mkdir()
    for number, content in enumerate((FIRST, SECOND)):
        (downloads / "many" / str(number)).write_bytes(content)
    project.dvc("add", "--quiet", "--to-remote", "--out", "samples", str(downloads / "many"))
    assert not (project.root / "samples").exists()
    project.dvc("pull", "--quiet")
    assert (project.root / "samples" / "1").read_bytes() == SECOND


def test_what_lies_in_the_workspace_already_stays_there(project: Project) -> None:
    project.write("big.bin", FIRST)
    project.dvc("add", "--quiet", "--to-remote", "big.bin")
    assert (project.root / "big.bin").read_bytes() == FIRST
    assert not cached(project, FIRST).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to-remote", "--no-commit", "F"], "--no-commit option can't be used with --to-remote"),
        (["--to-remote", "--glob", "F"], "--glob option can't be used with --to-remote"),
        (["--to-remote", "F", "F"], "multiple targets can't be used with --to-remote"),
        (["--remote", "hdd", "F"], "--remote can't be used without --to-remote"),
        (["--remote-jobs", "2", "F"], "--remote-jobs can't be used without --to-remote"),
        (["--out", "x", "F", "F"], "multiple targets can't be used with --out"),
        (["--out", "x", "--glob", "F"], "--glob option can't be used with --out"),
        (["--out", "x", "--no-commit", "F"], "--no-commit option can't be used with --out"),
        (["--out", "no/such/x", "F"], "does not exist"),
        (["F"], "outside of DVC project"),
    ],
)
def test_what_dvc_refuses(
    project: Project, downloads: Path, arguments: list[str], message: str
) -> None:
    file = downloads / "file.bin"
    file.write_bytes(FIRST)
    filled = [str(file) if word == "F" else word for word in arguments]
    assert message in refused(project, "add", *filled)
    assert [path.name for path in project.root.glob("*.dvc")] == [".dvc"]


def test_without_a_remote_to_remote_is_refused(project: Project, downloads: Path) -> None:
    project.write(".dvc/config", "")
    (downloads / "big.bin").write_bytes(FIRST)
    said = refused(project, "add", "--to-remote", str(downloads / "big.bin"))
    assert "no remote specified" in said


# --- dvc add --out


def test_a_renamed_file_is_tracked_on_as_the_original(project: Project, downloads: Path) -> None:
    (downloads / "export-2026-01.csv").write_bytes(FIRST)
    project.dvc("add", "--quiet", "--out", "export.csv", str(downloads / "export-2026-01.csv"))
    project.commit("January")
    assert (project.root / "export.csv").read_bytes() == FIRST
    assert (downloads / "export-2026-01.csv").exists()
    names = project.git("ls-files").splitlines()

    (downloads / "export-2026-02.csv").write_bytes(SECOND)
    command = ["add", "--out", "export.csv", str(downloads / "export-2026-02.csv")]
    assert "already exists locally" in refused(project, *command)
    project.dvc(*command, "--force")
    assert project.git("status", "--short") == "M export.csv.dvc"
    assert project.git("diff", "--numstat").split()[:2] == ["2", "2"]  # hash and size
    project.commit("February")
    assert project.git("ls-files").splitlines() == names
    assert len(project.git("log", "--format=%h", "export.csv.dvc").splitlines()) == 2
    assert (project.root / "export.csv").read_bytes() == SECOND

    project.git("checkout", "--quiet", "HEAD~1")
    project.dvc("checkout", "--quiet")
    assert (project.root / "export.csv").read_bytes() == FIRST
    assert status(project) == CLEAN


def test_a_file_of_the_workspace_is_copied_and_stays_untracked(project: Project) -> None:
    project.write("export-2026-01.csv", FIRST)
    project.dvc("add", "--quiet", "--out", "export.csv", "export-2026-01.csv")
    assert "?? export-2026-01.csv" in project.git("status", "--short")
    assert (project.root / "export.csv").read_bytes() == FIRST


def test_force_drops_an_edit_that_was_not_added(project: Project, downloads: Path) -> None:
    (downloads / "new.csv").write_bytes(SECOND)
    project.write("export.csv", FIRST)
    project.dvc("add", "--quiet", "export.csv")
    project.dvc("unprotect", "export.csv")
    project.write("export.csv", b"edited for hours\n")
    project.dvc("add", "--quiet", "--force", "--out", "export.csv", str(downloads / "new.csv"))
    assert (project.root / "export.csv").read_bytes() == SECOND
    with Repo(str(project.root)) as repo:
        objects = list(Path(repo.cache.local.path).glob("*/*"))
    assert b"edited for hours\n" not in {path.read_bytes() for path in objects}
