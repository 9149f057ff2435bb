"""Real git, real DVC, real caches: what goes, what stays, and that all of it comes back."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest
from dvc.repo import Repo

from scripts.errors import CacheError, SettingsError
from scripts.gc import (
    Keep,
    Plan,
    Report,
    Request,
    forget_project,
    open_site,
    plan_gc,
    remove_objects,
    run_gc,
    verify,
)
from scripts.gc.model import Reason
from scripts.links.registry import register, registered
from scripts.migration import copy_objects, open_stores, plan_migration
from tests.contract import s3_server
from tests.contract.dvc_projects import (
    Project,
    add_legacy,
    key_of,
    make_project,
    md5,
    snapshot,
    use_s3,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.gc import Site

V1, V2, UNPUSHED = b"a of v1\n", b"a of v2\n", b"never pushed\n"
PARTS = [b"part 0 of v1\n", b"part 1 of v1\n", b"part 2 of v1\n"]
NEW_PART = b"part 0 of v2\n"


pytestmark = pytest.mark.usefixtures("dvc_environment")


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.needs("s3"))])
def remote(request: pytest.FixtureRequest) -> Iterator[Callable[[Project], None]]:
    """What gives a project its default remote: a directory, or a bucket of a real S3 server."""
    if request.param == "directory":
        yield lambda _project: None
        return

    with s3_server.fresh_bucket() as bucket:

        def use(project: Project) -> None:
            place = f"{bucket}/dvc", s3_server.endpoint()
            use_s3(project, *place, s3_server.access_key(), s3_server.secret_key())
            project.dvc("remote", "default", "--quiet", "s3")
            stores = open_stores(project.root, "hdd", "s3")
            copy_objects(plan_migration(stores), stores)  # `dvc push` would leave v1 behind

        yield use


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path_factory.mktemp("site")))
        make_versions(make_project(directory / "project"))
    return directory


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Project:
    """Two versions, pushed: a file and a directory of which one file changed."""
    shutil.copytree(template, tmp_path / "work")
    return Project(tmp_path / "work" / "project")


def make_versions(project: Project) -> None:
    for number, content in enumerate(PARTS):
        project.write(f"data/part{number}", content)
    project.write("a.txt", V1)
    project.add("data", "a.txt")
    project.commit("v1")
    project.git("tag", "v1")
    for path, content in (("a.txt", V2), ("data/part0", NEW_PART)):
        (project.root / path).unlink()
        project.write(path, content)
    project.add("data", "a.txt")
    project.commit("v2")


def cache_of(project: Project) -> Path:
    with Repo(str(project.root)) as repo:
        return Path(repo.cache.local_cache_dir)


def in_cache(project: Project, content: bytes) -> bool:
    return (cache_of(project) / key_of(md5(content))).exists()


def clean(project: Project, *, keep: Keep = Keep.WORKSPACE, not_in_remote: bool = False) -> Report:
    site = open_site(project.root)
    report = run_gc(site, Request(keep, not_in_remote), confirm=lambda _plan: True)
    report.require_clean()
    return report


def why(report: Report, content: bytes) -> Reason:
    key = key_of(md5(content))
    return next(entry.reason for entry in report.kept if entry.item.key == key)


def require_old_version_comes_back(project: Project) -> None:
    config = (project.root / ".dvc/config").read_text()  # v1 may know of no remote s3
    project.git("checkout", "--quiet", "--force", "v1")
    project.write(".dvc/config", config)
    project.dvc("pull", "--quiet", "--force")
    assert (project.root / "a.txt").read_bytes() == V1
    for number, content in enumerate(PARTS):
        assert (project.root / f"data/part{number}").read_bytes() == content
    assert project.dvc("status").stdout.strip() == "Data and pipelines are up to date."
    project.git("checkout", "--quiet", "--force", "main")
    project.write(".dvc/config", config)
    project.dvc("pull", "--quiet", "--force")
    assert (project.root / "a.txt").read_bytes() == V2


def test_what_the_workspace_does_not_need_goes_and_comes_back(
    project: Project, remote: Callable[[Project], None]
) -> None:
    remote(project)
    before = snapshot(project.root / "data")
    report = clean(project)
    # a.txt, part0 and the list of v1 go; a.txt, three parts and the list of v2 stay.
    assert len(report.removed) == 3
    assert {entry.reason for entry in report.kept} == {Reason.NEEDED}
    assert len(report.kept) == 5
    assert not in_cache(project, V1)
    assert not in_cache(project, PARTS[0])
    assert snapshot(project.root / "data") == before
    assert project.dvc("status").stdout.strip() == "Data and pipelines are up to date."
    assert not clean(project).removed
    require_old_version_comes_back(project)


def test_an_old_version_in_no_remote_survives(project: Project) -> None:
    (project.root / "a.txt").unlink()
    project.write("a.txt", UNPUSHED)
    project.dvc("add", "--quiet", "a.txt")
    project.commit("not pushed")
    (project.root / "a.txt").unlink()
    project.write("a.txt", V2)
    project.add("a.txt")
    project.commit("v2 again")
    report = clean(project)
    assert not in_cache(project, V1)
    assert in_cache(project, UNPUSHED)
    assert why(report, UNPUSHED) is Reason.NOT_IN_REMOTE
    (named,) = report.named
    assert named.item.key == key_of(md5(UNPUSHED))
    assert named.place is not None
    assert named.place.path == "a.txt"
    project.git("checkout", "--quiet", "HEAD~1")
    project.dvc("checkout", "--quiet", "a.txt.dvc")
    assert (project.root / "a.txt").read_bytes() == UNPUSHED


def damage(project: Project, content: bytes, other: bytes) -> None:
    key = key_of(md5(content))
    if (project.root / ".dvc/config.local").exists():
        with Repo(str(project.root)) as repo:
            bucket, prefix = repo.config["remote"]["s3"]["url"][len("s3://") :].split("/", 1)
        s3_server.client().put_object(Bucket=bucket, Key=f"{prefix}/{key}", Body=other)
    else:
        project.damage(key, other)


def test_a_damaged_copy_in_the_remote_is_no_copy(
    project: Project, remote: Callable[[Project], None]
) -> None:
    remote(project)
    damage(project, V1, b"A of v1\n")  # of the same size, and under the right name
    damage(project, PARTS[2], b"")
    report = clean(project)
    assert why(report, V1) is Reason.DAMAGED
    old_list = [entry for entry in report.kept if entry.reason is Reason.PART_UNPROVEN]
    assert [entry.detail for entry in old_list] == [key_of(md5(PARTS[2]))]
    assert in_cache(project, V1)
    assert [removal.cached.item.md5 for removal in report.removed] == [md5(PARTS[0])]
    place = next(entry.place for entry in report.named if entry.reason is Reason.DAMAGED)
    assert place is not None
    assert (place.path, place.revision.split()[0]) == ("a.txt", "v1")


@pytest.mark.parametrize(("keep", "gone"), [(Keep.WORKSPACE, 6), (Keep.HEADS, 2), (Keep.ALL, 0)])
def test_which_revisions_keep_what_they_need(project: Project, keep: Keep, gone: int) -> None:
    """v1 is a tag, "middle" an older commit that nothing else names, v2 changed the workspace."""
    for content in (b"a of middle\n", V2):
        (project.root / "a.txt").unlink()
        project.write("a.txt", content)
        project.add("a.txt")
        project.commit(content.decode())
    project.write("orphan.txt", "of no revision at all\n")
    project.add("orphan.txt")
    (project.root / "orphan.txt.dvc").unlink()
    (project.root / "a.txt").unlink()
    project.write("a.txt", b"uncommitted\n")
    project.add("a.txt")
    report = clean(project, keep=keep)
    assert in_cache(project, b"uncommitted\n")
    assert in_cache(project, V2) is (keep is not Keep.WORKSPACE)
    assert in_cache(project, V1) is (keep is not Keep.WORKSPACE)
    assert in_cache(project, b"a of middle\n") is (keep is Keep.ALL)
    assert not in_cache(project, b"of no revision at all\n")
    assert len(report.removed) == gone + (keep is Keep.ALL)


def test_of_a_legacy_cache_the_same_holds(tmp_path: Path) -> None:
    project = make_project(tmp_path / "work" / "project", dvc_add=False)
    add_legacy(project)
    project.commit("DVC 2")
    project.dvc("pull", "--quiet")
    project.git("tag", "v1")
    before = set(snapshot(project.hdd))
    assert set(snapshot(cache_of(project))) >= before
    assert not clean(project).removed
    project.git("rm", "--quiet", "old.dvc", "labels.csv.dvc")
    project.commit("without")
    report = clean(project)
    assert {removal.cached.item.key for removal in report.removed} == before
    project.git("checkout", "--quiet", "v1")
    project.dvc("pull", "--quiet", "--force")
    assert (project.root / "old/y.txt").read_text() == "y\n"


def test_what_is_not_an_object_is_never_touched(project: Project) -> None:
    cache = cache_of(project)
    for path in ("runs/ab/abc/def", ".slipway/projects/.half", "files/md5/ab/.tmp", "ab/foreign"):
        (cache / path).parent.mkdir(parents=True, exist_ok=True)
        (cache / path).write_text("kept")
    clean(project)
    assert (cache / "runs/ab/abc/def").read_text() == "kept"
    assert (cache / "ab/foreign").read_text() == "kept"
    assert (cache / "files/md5/ab/.tmp").read_text() == "kept"


def test_what_is_fetched_from_elsewhere_stays(project: Project) -> None:
    """An output that names another remote is read there, wherever the same bytes lie too."""
    project.dvc("remote", "add", "--quiet", "other", str(project.hdd))
    before = {name: (project.root / name).read_text() for name in ("a.txt.dvc", "data.dvc")}
    project.git("checkout", "--quiet", "v1", "--", *before)
    for name in before:
        text = (project.root / name).read_text()
        project.write(name, text + "  remote: other\n")
    project.commit("v1, in the other remote")
    for name, text in before.items():
        project.write(name, text)
    project.commit("and back")
    report = clean(project)
    assert not report.removed
    assert why(report, V1) is Reason.ELSEWHERE
    assert why(report, PARTS[0]) is Reason.ELSEWHERE  # a file of that version's directory


# --- Links


@pytest.mark.parametrize("link_type", ["symlink", "hardlink", "copy"])
@pytest.mark.parametrize("not_in_remote", [False, True])
def test_no_checkout_loses_a_file(project: Project, link_type: str, not_in_remote: bool) -> None:
    project.dvc("config", "--local", "cache.type", link_type)
    project.dvc("checkout", "--quiet", "--relink")
    before = snapshot(project.root / "data")
    report = clean(project, not_in_remote=not_in_remote)
    assert {path: entry[2] for path, entry in snapshot(project.root / "data").items()} == {
        path: entry[2] for path, entry in before.items()
    }
    assert (project.root / "a.txt").read_bytes() == V2
    if not_in_remote and link_type == "symlink":
        # The list of the directory is no link's target; the four files are.
        assert {entry.reason for entry in report.kept} == {Reason.LINKED}
        assert len(report.kept) == 4
    elif not_in_remote:
        assert not report.kept
        project.dvc("fetch", "--quiet")
        assert project.dvc("status").stdout.strip() == "Data and pipelines are up to date."
    else:
        assert len(report.kept) == 5
    if not_in_remote and link_type == "hardlink":
        assert "hard-linked into a workspace" in " ".join(report.plan.notes)
    require_old_version_comes_back(project)


def test_a_symlink_that_git_left_behind_keeps_its_object(project: Project) -> None:
    """After `git checkout` without `dvc checkout` the workspace holds what no DVC file names."""
    project.dvc("config", "--local", "cache.type", "symlink")
    project.dvc("checkout", "--quiet", "--relink")
    project.git("checkout", "--quiet", "v1")
    report = clean(project)
    assert why(report, V2) is Reason.LINKED
    assert (project.root / "a.txt").read_bytes() == V2


# --- The other projects of a shared cache


@pytest.fixture
def shared(tmp_path: Path) -> tuple[Project, Project]:
    """Two projects on one cache, which share some objects; the second has a remote of its own."""
    cache = tmp_path / "cache"
    cache.mkdir()
    both = []
    for name in ("first", "second"):
        made = make_project(tmp_path / name / "project")
        made.dvc("config", "--quiet", "cache.dir", str(cache))
        make_versions(made)
        register(cache, made.root, ())
        both.append(made)
    first, second = both
    second.write("own.txt", "only of the second\n")
    second.dvc("add", "--quiet", "own.txt")
    second.commit("own, in no remote")
    return first, second


def test_another_project_keeps_all_that_any_of_its_revisions_needs(
    shared: tuple[Project, Project],
) -> None:
    first, second = shared
    first.write("mine.txt", "only of the first\n")
    first.add("mine.txt")
    first.commit("mine")
    first.git("rm", "--quiet", "mine.txt.dvc")
    (first.root / "mine.txt").unlink()
    first.commit("without")
    shutil.rmtree(second.root / ".dvc" / "tmp")  # as in a fresh clone: DVC makes it in passing
    before = snapshot(second.root)
    report = clean(first, not_in_remote=True)
    assert [removal.cached.item.md5 for removal in report.removed] == [md5(b"only of the first\n")]
    assert {entry.detail for entry in report.kept} == {str(second.root)}
    assert snapshot(second.root) == before  # nothing at all is written in another project
    assert not (second.root / ".dvc" / "tmp").exists()
    for path in ("a.txt", "own.txt", "data"):
        target = second.root / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    second.dvc("checkout", "--quiet")
    assert second.dvc("status").stdout.strip() == "Data and pipelines are up to date."
    second.git("checkout", "--quiet", "v1")
    second.dvc("checkout", "--quiet", "--force")
    assert (second.root / "a.txt").read_bytes() == V1


def test_another_projects_symlinks_never_dangle(shared: tuple[Project, Project]) -> None:
    first, second = shared
    first.write("mine.txt", "only of the first\n")
    first.add("mine.txt")
    (first.root / "mine.txt.dvc").unlink()
    target = cache_of(first) / key_of(md5(b"only of the first\n"))
    (second.root / "borrowed").symlink_to(target)
    assert why(clean(first), b"only of the first\n") is Reason.LINKED
    assert (second.root / "borrowed").read_text() == "only of the first\n"


@pytest.mark.parametrize("breakage", ["gone", "unmounted", "config", "git", "dvc file", "list"])
def test_a_project_that_cannot_be_asked_ends_it(
    shared: tuple[Project, Project], breakage: str
) -> None:
    first, second = shared
    if breakage == "gone":
        shutil.rmtree(second.root)
    elif breakage == "unmounted":  # the place is there, its disk is not
        shutil.rmtree(second.root)
        second.root.mkdir()
    elif breakage == "config":
        second.write(".dvc/config", "[core\n")
    elif breakage == "git":
        shutil.rmtree(second.root / ".git")
    elif breakage == "dvc file":
        second.write("a.txt.dvc", "outs: [")
    elif breakage == "list":
        lists = list(cache_of(first).rglob("*.dir"))
        for path in (*lists, *first.hdd.rglob("*.dir")):
            path.unlink()
        first.git("rm", "--quiet", "data.dvc")
        first.commit("no directory here")
    before = snapshot(cache_of(first))
    with pytest.raises(CacheError) as caught:
        clean(first)
    assert str(second.root) in caught.value.message
    assert f"--forget {second.root}" in caught.value.hint
    assert snapshot(cache_of(first)) == before
    if breakage != "list":
        forget_project(first.root, second.root)
        assert [entry.root for entry in registered(cache_of(first))] == [first.root]
        assert clean(first).removed
    with pytest.raises(CacheError, match="registered"):
        forget_project(first.root, Path("/nowhere"))


def test_older_lists_that_nothing_brings_back_are_counted(
    shared: tuple[Project, Project],
) -> None:
    first, second = shared
    second.git("checkout", "--quiet", "v1")
    old = json.dumps([{"md5": md5(b"x"), "relpath": "x"}]).encode()
    second.write("data.dvc", f"outs:\n- md5: {md5(old)}.dir\n  hash: md5\n  path: data\n")
    second.git("commit", "--quiet", "--all", "--message", "a list that was lost")
    second.git("tag", "lost")
    second.git("checkout", "--quiet", "main")
    report = clean(first)
    assert any(
        str(second.root) in note and "1 directory of older" in note for note in report.plan.notes
    )


# --- Between the plan and the removal


def planned(project: Project) -> tuple[Site, Plan]:
    site = open_site(project.root)
    return site, plan_gc(site)


def test_what_became_needed_or_changed_meanwhile_stays(project: Project) -> None:
    site, plan = planned(project)
    assert len(plan.removals) == 3
    text = (project.root / "a.txt.dvc").read_text()
    project.write("a.txt.dvc", text.replace(md5(V2), md5(V1)))
    part = cache_of(project) / key_of(md5(PARTS[0]))
    part.rename(part.with_suffix(".moved"))
    shutil.copy(part.with_suffix(".moved"), part)
    report = verify(plan, remove_objects(plan, site), site)
    report.require_clean()
    assert why(report, V1) is Reason.NEEDED
    assert why(report, PARTS[0]) is Reason.CHANGED
    assert len(report.removed) == 1


def test_what_the_remote_lost_meanwhile_stays(project: Project) -> None:
    site, plan = planned(project)
    project.damage(key_of(md5(PARTS[2])), None)
    report = verify(plan, remove_objects(plan, site), site)
    assert any(entry.reason is Reason.CHANGED and entry.item.is_directory for entry in report.kept)
    assert len(report.removed) == 2


def test_a_project_that_began_to_use_the_cache_meanwhile_is_asked(
    project: Project, tmp_path: Path
) -> None:
    site, plan = planned(project)
    newcomer = make_project(tmp_path / "new" / "project")
    register(site.cache, newcomer.root, ())
    with pytest.raises(CacheError, match="begun to use"):
        remove_objects(plan, site)


def test_while_dvc_runs_nothing_goes(project: Project) -> None:
    site, plan = planned(project)
    with Repo(str(project.root)) as repo, repo.lock, pytest.raises(CacheError, match="running"):
        remove_objects(plan, site)
    assert in_cache(project, V1)


def test_interrupted_the_same_command_continues(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, plan = planned(project)
    unlink, left = Path.unlink, [1]

    def interrupted(path: Path, missing_ok: bool = False) -> None:
        if path.is_relative_to(site.cache):
            if not left:
                raise KeyboardInterrupt
            left.pop()
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", interrupted)
    with pytest.raises(KeyboardInterrupt):
        remove_objects(plan, site)
    monkeypatch.undo()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    assert len(clean(project).removed) == 2
    require_old_version_comes_back(project)


def test_what_somebody_else_removed_is_told(project: Project) -> None:
    site, plan = planned(project)
    outcomes = remove_objects(plan, site)
    (cache_of(project) / key_of(md5(V2))).unlink()
    report = verify(plan, outcomes, site)
    with pytest.raises(CacheError, match="should have stayed: gone"):
        report.require_clean()


def test_what_cannot_be_removed_is_told_and_the_rest_goes(project: Project) -> None:
    shard = (cache_of(project) / key_of(md5(V1))).parent
    shard.chmod(0o555)  # inside, this stops root too
    try:
        with pytest.raises(CacheError, match=r"1 object cannot be removed.*Permission denied"):
            clean(project)
        assert in_cache(project, V1)
        assert not in_cache(project, PARTS[0])
    finally:
        shard.chmod(0o755)
    assert len(clean(project).removed) == 1


def test_every_removal_is_accounted_for(project: Project) -> None:
    site, plan = planned(project)
    outcomes = remove_objects(plan, site)
    with pytest.raises(ValueError, match="exactly one outcome"):
        verify(plan, outcomes[1:], site)


def test_a_cache_that_is_not_there_is_named(project: Project) -> None:
    project.dvc("config", "--local", "cache.dir", "/no/such/cache")
    with pytest.raises(CacheError, match="/no/such/cache, does not exist"):
        open_site(project.root)


# --- Refusals


def test_no_means_no_and_a_dry_run_is_the_same(project: Project) -> None:
    before = snapshot(cache_of(project))
    report = run_gc(open_site(project.root), Request(), confirm=lambda _plan: False)
    content = report.as_json()
    assert not content["applied"]
    assert content["planned"]["objects"] == 3
    assert content["removed"] == {"objects": 0, "bytes": 0}
    assert content["kept"]["needed"]["objects"] == 5
    assert snapshot(cache_of(project)) == before


def test_a_remote_that_is_the_cache_is_no_copy(project: Project) -> None:
    alias = project.root.parent / "alias"
    alias.symlink_to(cache_of(project))
    project.dvc("remote", "add", "--quiet", "self", str(alias))
    with pytest.raises(CacheError, match="gone from both"):
        open_site(project.root, "self")


def test_without_a_remote_nothing_is_proven(project: Project) -> None:
    project.write(".dvc/config", "")
    with pytest.raises(SettingsError, match="no default DVC remote"):
        open_site(project.root)
    with pytest.raises(SettingsError, match="There is no DVC remote 'tape'"):
        open_site(project.root, "tape")


# --- Beside DVC's own


def test_dvc_gc_loses_what_this_keeps(project: Project, tmp_path: Path) -> None:
    """`dvc gc --not-in-remote --workspace` on a copy of the same project, for comparison."""
    (project.root / "a.txt").unlink()
    project.write("a.txt", UNPUSHED)
    project.dvc("add", "--quiet", "a.txt")
    project.commit("not pushed")
    (project.root / "a.txt").unlink()
    project.write("a.txt", V2)
    project.add("a.txt")
    project.commit("v2 again")
    project.damage(key_of(md5(V1)), b"A of v1\n")
    project.dvc("config", "cache.type", "symlink")
    project.dvc("checkout", "--quiet", "--relink")
    shutil.copytree(project.root.parent, tmp_path / "copy", symlinks=True)
    peer = replace(project, root=tmp_path / "copy" / "project")
    peer.dvc("checkout", "--quiet", "--relink", "--force")
    assert (peer.root / "a.txt").resolve().is_relative_to(peer.root)

    peer.dvc("gc", "--not-in-remote", "--workspace", "--force")
    assert not in_cache(peer, UNPUSHED)
    assert not (peer.hdd / key_of(md5(UNPUSHED))).exists()  # so nobody has it any more
    assert not in_cache(peer, V1)  # what is left of it is the damaged copy
    assert not (peer.root / "a.txt").exists()  # dangles
    assert (peer.root / "a.txt").is_symlink()

    clean(project, not_in_remote=True)
    assert in_cache(project, UNPUSHED)
    assert in_cache(project, V1)
    assert (project.root / "a.txt").read_bytes() == V2


def test_dvc_gc_takes_what_another_project_needs(shared: tuple[Project, Project]) -> None:
    first, second = shared
    clean(first, not_in_remote=True)
    own = b"only of the second\n"
    assert in_cache(second, own)
    first.dvc("gc", "--not-in-remote", "--workspace", "--force")
    assert not in_cache(second, own)
