"""What every revision needs, read by real DVC from real git histories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.errors import MigrationIncomplete, SettingsError, StoreError
from scripts.migration import copy_objects, open_stores, plan_migration, verify
from scripts.migration.history import History, read_history
from scripts.migration.inventory import Inventory, read_inventory
from scripts.migration.outputs import Verdict
from scripts.progress import SilentProgress
from tests.contract.dvc_projects import Project, key_of, make_project, md5, use_own_identity

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    use_own_identity(monkeypatch)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "work" / "project")


def inventory(project: Project, source: str = "hdd") -> Inventory:
    return read_inventory(project.root, source, SilentProgress())


def track(
    project: Project, path: str, content: str, options: str = "", *, legacy: bool = False
) -> str:
    """Write the .dvc file that `dvc add` would write, and the object; return the object's key."""
    oid = md5(content.encode())
    hash_name = "" if legacy else "  hash: md5\n"
    project.write(
        f"{path}.dvc",
        f"outs:\n- md5: {oid}\n  size: {len(content)}\n{hash_name}{options}"
        f"  path: {Path(path).name}\n",
    )
    project.store(key_of(oid, legacy=legacy), content.encode())
    return key_of(oid, legacy=legacy)


def keys(found: Inventory) -> set[str]:
    return {item.key for item in found.references}


def places(found: Inventory) -> dict[str, list[tuple[str, str]]]:
    return {
        item.key: [(place.path, place.revision.split(" ")[0]) for place in users]
        for item, users in found.references.items()
    }


def remotes(project: Project, added: Mapping[str, Mapping[str, str]]) -> None:
    config = project.root / ".dvc" / "config"
    text = config.read_text()
    for name, options in added.items():
        text += f"['remote \"{name}\"']\n"
        text += "".join(f"    {option} = {value}\n" for option, value in options.items())
    config.write_text(text)


def test_every_ref_counts_also_those_of_experiments_remotes_and_older_stashes(
    project: Project,
) -> None:
    expected = {}
    for ref in ("refs/tags/t", "refs/remotes/origin/x", "refs/exps/12/abcdef/name"):
        project.git("checkout", "--quiet", "--detach", "main")
        expected[ref] = track(project, "a.txt", f"a of {ref}")
        project.git("update-ref", ref, project.commit(ref))
    project.git("checkout", "--quiet", "main")
    track(project, "a.txt", "a of main")
    project.commit("main")
    for number in (1, 2):
        expected[f"stash {number}"] = track(project, "a.txt", f"a of stash {number}")
        project.git("stash", "push", "--quiet")
    project.git("checkout", "--quiet", "--detach")
    expected["HEAD"] = track(project, "a.txt", "a of a detached HEAD")
    project.commit("detached")
    found = inventory(project)
    assert set(expected.values()) <= keys(found)
    assert len(keys(found)) == len(expected) + 1
    assert found.uncollectable == ()


def test_the_workspace_counts_though_nothing_is_committed(project: Project) -> None:
    key = track(project, "a.txt", "never committed")
    assert places(inventory(project)) == {key: [("a.txt", "workspace")]}


def test_a_project_without_a_commit_is_read_from_its_workspace(tmp_path: Path) -> None:
    project = make_project(tmp_path / "fresh", dvc_add=False)
    key = track(project, "a.txt", "first")
    assert keys(inventory(project)) == {key}


def test_commits_that_track_the_same_are_read_once_and_named_by_a_ref(project: Project) -> None:
    key = track(project, "a.txt", "the same all along")
    project.commit("tracked")
    for number in range(5):
        project.write("code.py", f"print({number})")
        project.commit(f"code {number}")
    history = read_history(project.root, SilentProgress())
    assert history.commits == 7
    assert len(history.snapshots) == 2
    found = inventory(project)
    assert found.revisions == 8
    assert places(found) == {key: [("a.txt", "workspace"), ("a.txt", "main")]}


def test_a_templated_pipeline_is_read_again_when_only_its_variables_change(
    project: Project,
) -> None:
    project.write("params.yaml", "name: one\n")
    project.write(
        "dvc.yaml", "stages:\n  make:\n    cmd: make ${name}\n    outs:\n    - out-${name}.txt\n"
    )
    contents = {"one": "out of one", "two": "out of two"}
    lock = {
        f"out-{name}.txt": {"path": f"out-{name}.txt", "hash": "md5", "md5": md5(text.encode())}
        for name, text in contents.items()
    }
    stage = {"cmd": "make one", "outs": list(lock.values())}
    project.write("dvc.lock", json.dumps({"schema": "2.0", "stages": {"make": stage}}))
    project.commit("one")
    project.write("params.yaml", "name: two\n")
    project.commit("two")
    assert keys(inventory(project)) == {key_of(md5(t.encode())) for t in contents.values()}


def test_each_output_that_is_not_in_the_source_has_a_verdict(project: Project) -> None:
    remotes(project, {"elsewhere": {"url": "../../elsewhere"}})
    kept = track(project, "kept.txt", "kept", "  remote: hdd\n")
    track(project, "unpushed.txt", "unpushed", "  push: false\n")
    track(project, "uncached.txt", "uncached", "  cache: false\n")
    track(project, "other.txt", "other", "  remote: elsewhere\n")
    track(project, "versioned.txt", "versioned", "  version_id: abc\n")
    project.write("nothing.dvc", "outs:\n- path: nothing\n  hash: md5\n")
    project.write(
        "imported.dvc",
        "frozen: true\ndeps:\n- path: x\n  repo:\n    url: https://example.com/r.git\n"
        f"    rev_lock: {'a' * 40}\nouts:\n- md5: {'b' * 32}\n  hash: md5\n  path: imported\n",
    )
    project.commit("all kinds")
    found = inventory(project)
    assert keys(found) == {kept}
    assert found.uncollectable == ()
    assert dict(found.excluded) == {
        Verdict.NOT_PUSHED: 1,
        Verdict.NOT_CACHED: 1,
        Verdict.OTHER_REMOTE: 1,
        Verdict.CLOUD_VERSIONED: 1,
        Verdict.NOT_HASHED: 1,
        Verdict.IMPORTED: 1,
    }
    assert found.pinned == 1
    from_elsewhere = inventory(project, "elsewhere")
    assert keys(from_elsewhere) == {key_of(md5(b"other"))}
    assert from_elsewhere.excluded[Verdict.OTHER_REMOTE] == 1


def test_both_hash_names_of_one_path_are_two_objects(project: Project) -> None:
    new = track(project, "a.txt", "same text")
    project.commit("3.x")
    old = track(project, "a.txt", "same text", legacy=True)
    assert keys(inventory(project)) == {new, old}


def test_a_revision_that_cannot_be_read_is_named_and_the_others_are_read(
    project: Project,
) -> None:
    key = track(project, "good.txt", "good")
    project.write("bad.dvc", "outs: [this is: not: yaml\n")
    project.commit("broken")
    project.git("tag", "broken")
    (project.root / "bad.dvc").unlink()
    project.commit("mended")
    remotes(project, {"copy": {"url": "../../copy"}})
    stores = open_stores(project.root, "hdd", "copy")
    plan = plan_migration(stores)
    (lost,) = plan.uncollectable
    assert (lost.path, lost.revision.split(" ")[0]) == ("bad.dvc", "broken")
    assert lost.reason
    report = verify(plan, copy_objects(plan, stores), stores)
    assert report.counts["copied"] == 1
    assert (project.root.parent / "copy" / key).read_text() == "good"
    with pytest.raises(MigrationIncomplete, match="1 uncollectable"):
        report.require_complete()


@pytest.mark.parametrize("hash_", ["../../../etc/passwd", "ABCDEF", "0" * 31, "0" * 32 + ".dirx"])
def test_a_malformed_hash_never_becomes_a_path(project: Project, hash_: str) -> None:
    project.write("a.dvc", f"outs:\n- md5: '{hash_}'\n  hash: md5\n  path: a\n")
    found = inventory(project)
    assert keys(found) == set()
    (lost,) = found.uncollectable
    assert "malformed" in lost.reason


def test_an_old_commit_with_a_broken_remote_configuration_is_read_all_the_same(
    project: Project,
) -> None:
    key = track(project, "a.txt", "old")
    config = project.root / ".dvc" / "config"
    today = config.read_text()
    config.write_text("[core]\n    remote = gone\n['remote \"gone\"']\n    nonsense = 1\n")
    project.commit("a configuration that DVC refuses")
    config.write_text(today)
    (project.root / "a.txt.dvc").unlink()
    project.commit("mended")
    found = inventory(project)
    assert keys(found) == {key}
    assert found.uncollectable == ()


def test_a_shallow_clone_is_not_taken_for_the_whole_history(
    project: Project, tmp_path: Path
) -> None:
    track(project, "a.txt", "1")
    project.commit("1")
    track(project, "a.txt", "2")
    project.commit("2")
    clone = Project(tmp_path / "clone")
    project.git("clone", "--quiet", "--depth=1", f"file://{project.root}", str(clone.root))
    (lost,) = inventory(clone).uncollectable
    assert "shallow" in lost.reason


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("hdd", "nope", "no DVC remote 'nope'"),
        ("hdd", "hdd", "the same remote"),
        ("hdd", "HDD", "the same remote"),
        ("hdd", "alias", "the same place"),
        ("hdd", "inner", "overlap"),
        ("hdd", "gs", "gs:// needs the package dvc-gs"),
        ("hdd", "versioned", "version_aware"),
        ("worktree", "hdd", "worktree"),
        ("hdd", "profile", "no AWS profile 'unknown'"),
    ],
)
def test_remotes_that_cannot_be_migrated_are_refused(
    project: Project, source: str, target: str, message: str
) -> None:
    remotes(
        project,
        {
            "alias": {"url": "../../elsewhere/../hdd/"},
            "inner": {"url": "../../hdd/inner"},
            "gs": {"url": "gs://bucket/x"},
            "versioned": {"url": "s3://bucket/x", "version_aware": "true"},
            "worktree": {"url": "s3://bucket/y", "worktree": "true"},
            "profile": {"url": "s3://bucket/z", "profile": "unknown"},
        },
    )
    with pytest.raises(SettingsError, match=message) as caught:
        open_stores(project.root, source, target)
    assert caught.value.hint


def test_a_remote_without_credentials_says_how_to_set_them(project: Project) -> None:
    remotes(project, {"s3": {"url": "s3://bucket/x", "endpointurl": "http://127.0.0.1:9"}})
    with pytest.raises(StoreError, match="no credentials") as caught:
        open_stores(project.root, "hdd", "s3")
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint


def test_an_endpoint_that_does_not_answer_is_named(project: Project) -> None:
    remotes(project, {"s3": {"url": "s3://bucket/x", "endpointurl": "http://127.0.0.1:9"}})
    passed = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "do-not-tell-me"}
    stores = open_stores(project.root, "hdd", "s3", passed)
    with pytest.raises(StoreError, match="does not answer") as caught:
        plan_migration(stores)
    assert "do-not-tell-me" not in f"{caught.value}{caught.value.hint}{stores!r}"


def test_a_directory_that_is_not_there_is_named(project: Project) -> None:
    remotes(project, {"copy": {"url": "../../copy"}})
    project.hdd.rmdir()
    with pytest.raises(StoreError, match=str(project.hdd)):
        plan_migration(open_stores(project.root, "hdd", "copy"))


def test_a_new_directory_is_filled_and_a_dry_run_does_not_make_it(project: Project) -> None:
    remotes(project, {"copy": {"url": "../../copy"}, "far": {"url": "../../not/there"}})
    key = track(project, "a.txt", "a")
    copy = project.root.parent / "copy"
    stores = open_stores(project.root, "hdd", "copy")
    plan = plan_migration(stores)
    assert not copy.exists()
    assert verify(plan, copy_objects(plan, stores), stores).complete
    assert [str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()] == [key]
    with pytest.raises(StoreError, match="there is no directory"):
        plan_migration(open_stores(project.root, "hdd", "far"))


def test_a_directory_without_a_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(SettingsError, match="not a DVC project"):
        open_stores(tmp_path / "plain", "hdd", "s3")


def test_what_only_a_cache_holds_and_where_the_tips_are(project: Project) -> None:
    old = track(project, "a.txt", "of an older commit")
    project.commit("older")
    new = track(project, "a.txt", "of main")
    kept = track(project, "b.txt", "never pushed", "  push: false\n")
    project.commit("newer")
    found = inventory(project)
    assert keys(found) == {old, new}
    assert {item.key for item in found.elsewhere} == {kept}
    revisions = {place.revision for places in found.references.values() for place in places}
    (tip,) = found.tips
    assert tip.startswith("main (")
    assert revisions >= {tip, "workspace"}
    project.git("checkout", "--quiet", "--detach", "HEAD~1")
    assert len(inventory(project).tips) == 2
    workspace = read_inventory(project.root, "hdd", SilentProgress(), history=History())
    assert keys(workspace) == {old}
