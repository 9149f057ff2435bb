"""Which revisions count, with real git and real DVC, and what is said of those that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.errors import MigrationIncomplete, SettingsError, ToolError
from scripts.migration import Plan, copy_objects, open_stores, plan_migration, verify
from scripts.migration.inventory import read_inventory
from scripts.migration.model import Status
from scripts.migration.scope import Scope, list_commits, read_scope
from scripts.progress import SilentProgress
from tests.contract.dvc_projects import Project, key_of, make_project, md5

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("dvc_environment")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """One object of each kind of place: its content is the place's name."""
    project = make_project(tmp_path / "work" / "project")
    config = project.root / ".dvc" / "config"
    config.write_text(config.read_text() + "['remote \"copy\"']\n    url = ../../copy\n")
    project.commit("the remote copy")
    for ref in ("refs/tags/tag", "refs/remotes/origin/far", "refs/heads/side", "refs/exps/1/2/x"):
        project.git("checkout", "--quiet", "--detach", "main")
        track(project, ref.split("/")[1])
        project.git("update-ref", ref, project.commit(ref))
    project.git("checkout", "--quiet", "main")
    for name in ("older", "main"):
        track(project, name)
        project.commit(name)
    track(project, "workspace")
    return project


def track(project: Project, content: str) -> None:
    project.store(key_of(md5(content.encode())), content.encode())
    project.write(
        "a.txt.dvc", f"outs:\n- md5: {md5(content.encode())}\n  hash: md5\n  path: a.txt\n"
    )


def planned(project: Project, scope: Scope) -> Plan:
    return plan_migration(open_stores(project.root, "hdd", "copy"), scope=scope)


def keys(plan: Plan) -> set[str]:
    return {entry.item.key for entry in plan.objects}


@pytest.mark.parametrize(
    ("scope", "contents"),
    [
        (Scope.WORKSPACE, "workspace"),
        (Scope.HEADS, "workspace main heads remotes tags"),
        (Scope.ALL, "workspace main heads remotes tags older exps"),
        (Scope.STORE, "workspace main heads remotes tags older exps unreferenced"),
    ],
)
def test_a_scope_moves_what_its_revisions_need_and_no_more(
    project: Project, scope: Scope, contents: str
) -> None:
    unreferenced = b"unreferenced"
    project.store(key_of(md5(unreferenced)), unreferenced)
    stores = open_stores(project.root, "hdd", "copy")
    plan = plan_migration(stores, scope=scope)
    assert keys(plan) == {key_of(md5(content.encode())) for content in contents.split()}
    assert verify(plan, copy_objects(plan, stores), stores).complete
    copied = {path.read_text() for path in (project.root.parent / "copy").rglob("*/*/??/*")}
    assert copied == set(contents.split())


def test_what_a_scope_leaves_out_is_counted(project: Project) -> None:
    assert list_commits(project.root, Scope.ALL).older == 0
    everything = len(list_commits(project.root, Scope.ALL).trees)
    heads = list_commits(project.root, Scope.HEADS)
    assert (len(heads.trees), heads.older) == (4, everything - 4)
    project.commit("workspace")
    everything += 1
    (note,) = planned(project, Scope.WORKSPACE).notes
    assert f"`--scope workspace`: {everything} commits" in note
    assert planned(project, Scope.ALL).notes == ()


def test_commits_that_only_a_reflog_reaches_are_named_with_the_way_to_keep_them(
    project: Project,
) -> None:
    project.git("commit", "--quiet", "--all", "--message", "lost")
    project.git("reset", "--quiet", "--hard", "HEAD~1")
    plan = planned(project, Scope.ALL)
    lost = key_of(md5(b"workspace"))
    assert lost not in keys(plan)
    (note,) = plan.notes
    assert note.startswith("Left out: 1 commit that no ref reaches")
    assert "git branch keep-it COMMIT" in note
    project.git("branch", "keep-it", "HEAD@{1}")
    kept = planned(project, Scope.ALL)
    assert (lost in keys(kept), kept.notes) == (True, ())


def test_an_older_stash_is_not_taken_for_unreachable(project: Project) -> None:
    for number in range(2):
        track(project, f"stash {number}")
        project.git("stash", "push", "--quiet")
    assert planned(project, Scope.ALL).notes == ()


def test_a_list_that_no_revision_names_is_moved_after_its_files(project: Project) -> None:
    here, gone = b"here", b"gone"
    whole = f'[{{"md5": "{md5(here)}", "relpath": "x"}}]'.encode()
    broken = f'[{{"md5": "{md5(gone)}", "relpath": "sub/y"}}]'.encode()
    project.store(key_of(md5(here)), here)
    for listing in (whole, broken):
        project.store(key_of(f"{md5(listing)}.dir"), listing)
    stores = open_stores(project.root, "hdd", "copy")
    plan = plan_migration(stores, scope=Scope.STORE)
    report = verify(plan, copy_objects(plan, stores), stores)
    lost = {entry.item.key: entry for entry in report.not_intact}
    assert set(lost) == {key_of(md5(gone)), key_of(f"{md5(broken)}.dir")}
    missing = lost[key_of(md5(gone))]
    assert missing.status is Status.MISSING
    (place,) = missing.references
    assert (place.path, place.revision) == (
        key_of(f"{md5(broken)}.dir") + "/sub/y", "no revision",
    )  # fmt: skip
    assert (project.root.parent / "copy" / key_of(f"{md5(whole)}.dir")).read_bytes() == whole


def test_wrong_bytes_that_no_revision_names_are_found_too(project: Project) -> None:
    key = key_of(md5(b"right"))
    project.store(key, b"wrong")
    stores = open_stores(project.root, "hdd", "copy")
    plan = plan_migration(stores, scope=Scope.STORE)
    report = verify(plan, copy_objects(plan, stores), stores)
    assert [(lost.item.key, lost.status) for lost in report.not_intact] == [(key, Status.CORRUPT)]
    with pytest.raises(MigrationIncomplete, match="1 corrupt"):
        report.require_complete()


def test_narrow_scopes_do_not_mind_a_shallow_clone(project: Project, tmp_path: Path) -> None:
    project.commit("workspace")
    clone = tmp_path / "work" / "clone"
    project.git("clone", "--quiet", "--depth=1", f"file://{project.root}", str(clone))
    for scope in (Scope.WORKSPACE, Scope.HEADS):
        assert planned(Project(clone), scope).uncollectable == ()
    (lost,) = planned(Project(clone), Scope.ALL).uncollectable
    assert "git fetch --unshallow" in lost.reason


@pytest.mark.parametrize("scope", list(Scope))
def test_a_repository_without_commits_has_its_workspace(tmp_path: Path, scope: Scope) -> None:
    project = make_project(tmp_path / "fresh" / "project", dvc_add=False)
    track(project, "workspace")
    config = project.root / ".dvc" / "config"
    config.write_text(config.read_text() + "['remote \"copy\"']\n    url = ../../copy\n")
    assert keys(planned(project, scope)) == {key_of(md5(b"workspace"))}


def test_a_project_without_git_is_read_from_its_workspace_and_said_to_be(
    tmp_path: Path,
) -> None:
    root = tmp_path / "plain" / "project"
    root.mkdir(parents=True)
    project = Project(root)
    project.hdd.mkdir()
    project.dvc("init", "--no-scm", "--quiet")
    for name in ("hdd", "copy"):
        project.dvc("remote", "add", "--quiet", name, f"../{name}")
    track(project, "workspace")
    plan = planned(project, Scope.ALL)
    assert keys(plan) == {key_of(md5(b"workspace"))}
    assert "not in git" in plan.notes[0]


@pytest.mark.parametrize("damage", ["gone", "elsewhere"])
def test_a_history_that_cannot_be_read_is_not_passed_over(
    project: Project, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if damage == "gone":
        (project.root / ".git").rename(project.root / "git")
    else:
        monkeypatch.setenv("GIT_DIR", str(project.root / "elsewhere"))
    with pytest.raises(ToolError, match=r"git history of .* cannot be read") as caught:
        read_inventory(project.root, "hdd", SilentProgress())
    assert (caught.value.exit_code, "core.no_scm" in caught.value.hint) == (3, True)


def test_merge_conflict_markers_are_named_with_their_file(project: Project) -> None:
    text = (project.root / "a.txt.dvc").read_text()
    ours = f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> side\n"
    project.write("a.txt.dvc", ours)
    (lost,) = planned(project, Scope.ALL).uncollectable
    assert (lost.revision, lost.path) == ("workspace", "a.txt.dvc")
    assert lost.reason


def test_an_unknown_scope_is_answered_with_those_that_there_are() -> None:
    assert read_scope("Heads") is Scope.HEADS
    with pytest.raises(SettingsError, match="no scope 'most'") as caught:
        read_scope("most")
    assert caught.value.hint == "Scopes: workspace, heads, all, store."
