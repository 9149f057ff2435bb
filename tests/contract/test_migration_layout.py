"""``--layout 3`` with real DVC: new names beside the old, and DVC finds the workspace clean."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from dvc.repo import Repo

from scripts.errors import Corrupted, MigrationIncomplete, SettingsError
from scripts.migration import (
    Report,
    Stores,
    copy_objects,
    copy_upgraded,
    open_stores,
    plan_migration,
    plan_upgrade,
    plan_with,
    read_layout,
    report_with,
    rewrite_files,
    switch_default,
    verify,
    verify_remote,
    verify_upgraded,
)
from scripts.migration.stores.memory import MemoryStore
from tests.contract import s3_server
from tests.contract.dvc_projects import (
    LEGACY_TEXT,
    Project,
    add_legacy,
    key_of,
    make_project,
    md5,
    snapshot,
    use_own_identity,
    use_s3,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from scripts.migration.model import Evidence, StoredObject
    from scripts.migration.upgrade import Upgrade

CODE = b"print('made of labels')\r\n"
"""Tracked by git, with line ends that DVC 2 took for others."""
MADE = b"made\r\nof labels\r\n"
IMPORTED = b"from a place\r\n"
KINDS = {"one/a.csv": b"a\r\nb\r\n", "one/b.bin": b"\x00\r\n\x01", "c.txt": b"c\n"}
PIPELINE = """\
# how labels become what is made
stages:
  make:
    cmd: python make.py
    deps: [labels.csv, make.py]
    outs: [made.txt]
  far:
    cmd: python far.py
    deps: [not-here.py]
    outs:
    - unpushed.txt: {push: false}
"""


def unix(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n")


pytestmark = pytest.mark.usefixtures("dvc_environment")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as DVC 2 left it: files, directories, a pipeline, and an import."""
    directory = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        use_own_identity(patch, tmp_path_factory.mktemp("site"))
        fill(make_project(directory / "project"))
    return directory


def fill(project: Project) -> None:
    config = project.root / ".dvc" / "config"
    config.write_text(config.read_text() + "['remote \"copy\"']\n    url = ../../copy\n")
    add_legacy(project)
    for content in (MADE, *KINDS.values()):
        project.store(key_of(oid_of(content), legacy=True), content)
    listing = [{"md5": oid_of(content), "relpath": path} for path, content in KINDS.items()]
    text = json.dumps(listing).encode()
    project.store(key_of(md5(text) + ".dir", legacy=True), text)
    project.write(
        "kinds.dvc",
        f"# kept\nouts:\n- md5: {md5(text)}.dir  # of 2022\n  size: 13\n  path: kinds\n",
    )
    project.write("make.py", CODE)
    project.write("dvc.yaml", PIPELINE)
    labels = {"path": "labels.csv", "md5": oid_of(LEGACY_TEXT), "size": len(LEGACY_TEXT)}
    code = {"path": "make.py", "md5": oid_of(CODE), "size": len(CODE)}
    made = {"path": "made.txt", "md5": oid_of(MADE), "size": len(MADE)}
    stages = {
        "make": {"cmd": "python make.py", "deps": [labels, code], "outs": [made]},
        "far": {
            "cmd": "python far.py",
            "deps": [{"path": "not-here.py", "md5": "1" * 32}],
            "outs": [{"path": "unpushed.txt", "md5": "2" * 32}],
        },
    }
    project.write("dvc.lock", json.dumps({"schema": "2.0", "stages": stages}))
    project.write(
        ".gitignore", "/labels.csv\n/old\n/kinds\n/made.txt\n/unpushed.txt\n/imported.txt\n"
    )
    import_of_dvc_2(project)
    project.dvc("pull", "--quiet", "labels.csv", "old", "kinds", "make", "imported.txt")
    project.commit("as DVC 2 left it")
    project.git("tag", "before")


def import_of_dvc_2(project: Project) -> None:
    """A file that came from a place: DVC keeps a hash of all that its .dvc file says in it."""
    project.write("../place.txt", IMPORTED)
    project.store(key_of(oid_of(IMPORTED), legacy=True), IMPORTED)
    there = [{"md5": oid_of(IMPORTED), "path": str(project.root.parent / "place.txt")}]
    here = [{"md5": oid_of(IMPORTED), "path": "imported.txt"}]
    for name_of_all in ("0" * 32, None):
        said = {"md5": name_of_all, "frozen": True, "deps": there, "outs": here}
        if name_of_all is None:
            with Repo(str(project.root)) as repo:
                (stage,) = (stage for stage in repo.index.stages if stage.is_import)
                said["md5"] = stage.compute_md5()
        project.write("imported.txt.dvc", json.dumps(said))


def oid_of(content: bytes) -> str:
    return md5(unix(content) if b"\x00" not in content else content)


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Project:
    shutil.copytree(template, tmp_path / "work", symlinks=True)
    return Project(tmp_path / "work" / "project")


def migrate(stores: Stores) -> tuple[Upgrade, Report]:
    upgrade = plan_upgrade(stores, wanted=True)
    plan = plan_with(plan_migration(stores), *upgrade.parts)
    outcomes = copy_objects(plan, stores, jobs=4)
    upgrade = copy_upgraded(upgrade, stores, jobs=4)
    report = verify(plan, outcomes, stores)
    return upgrade, report_with(report, *verify_upgraded(upgrade, stores))


def copied(project: Project) -> Path:
    return project.root.parent / "copy"


def into_copy(project: Project) -> Stores:
    return open_stores(project.root, "hdd", "copy")


def data(project: Project) -> dict[str, bytes]:
    names = ("labels.csv", "old", "kinds", "made.txt", "imported.txt")
    found = [path for path in project.root.rglob("*") if path.is_file()]
    inside = ((str(path.relative_to(project.root)), path) for path in found)
    return {name: path.read_bytes() for name, path in inside if name.split("/")[0] in names}


RENAMED = 3 + 3 + 3 + 1
"""labels, made, imported; old with x.bin and y.txt; kinds' files and its list (as follows)."""


@pytest.mark.needs("s3")
def test_dvc_finds_the_workspace_clean_and_pulls_the_same_bytes_by_either_name(
    project: Project, tmp_path: Path
) -> None:
    with s3_server.fresh_bucket() as bucket:
        keys = s3_server.endpoint(), s3_server.access_key(), s3_server.secret_key()
        use_s3(project, f"{bucket}/x", *keys)
        project.commit("s3")
        before, source = data(project), snapshot(project.hdd)
        assert before["labels.csv"] == LEGACY_TEXT
        stores = open_stores(project.root, "hdd", "s3")
        upgrade, report = migrate(stores)
        report.require_complete()
        assert report.parts[0].counts["intact"] == report.parts[0].counts["copied"] == RENAMED
        files = rewrite_files(project.root, upgrade, report)
        assert files == ("dvc.lock", "imported.txt.dvc", "kinds.dvc", "labels.csv.dvc", "old.dvc")
        assert switch_default(project.root, report, local=True).changed
        assert snapshot(project.hdd) == source
        assert data(project) == before

        told = project.dvc("status", "labels.csv", "old", "kinds", "make", "imported.txt.dvc")
        assert "up to date" in told.stdout
        lock = (project.root / "dvc.lock").read_text()
        assert md5(CODE) in lock  # what git tracks has its new name too
        project.commit("as DVC 3 names it")
        assert verify_remote(project.root, stores.target).complete

        shutil.move(project.hdd, tmp_path / "gone")
        clone = Project(tmp_path / "clone")
        project.git("clone", "--quiet", str(project.root), str(clone.root))
        shutil.copy(project.root / ".dvc/config.local", clone.root / ".dvc/config.local")
        pulled = ("labels.csv", "old", "kinds", "make", "imported.txt")
        for revision in ("main", "before"):
            clone.git("checkout", "--quiet", "--force", revision)
            shutil.rmtree(clone.root / ".dvc/cache", ignore_errors=True)
            clone.dvc("pull", "--quiet", "--force", *pulled)
            assert data(clone) == before


def test_only_hashes_change_and_what_dvc_says_beside_them_stays(project: Project) -> None:
    upgrade, report = migrate(into_copy(project))
    (project.root / "kinds.dvc").chmod(0o664)
    rewrite_files(project.root, upgrade, report)
    oid = next(new.oid for new in upgrade.contents if b"a.csv" in upgrade.contents[new])
    assert (project.root / "kinds.dvc").read_text() == (
        f"# kept\nouts:\n- md5: {oid}  # of 2022\n  size: 13\n  hash: md5\n  path: kinds\n"
    )
    assert (project.root / "kinds.dvc").stat().st_mode & 0o777 == 0o664
    lock = (project.root / "dvc.lock").read_text()
    for stays in ("1" * 32, "2" * 32):  # not here, and not pushed
        assert stays in lock
    assert lock.count("hash") == 3
    assert (project.root / "dvc.yaml").read_text() == PIPELINE


def test_dvc_gives_directories_the_same_names(project: Project) -> None:
    upgrade, report = migrate(into_copy(project))
    rewrite_files(project.root, upgrade, report)
    wanted = (project.root / "kinds.dvc").read_text()
    shutil.rmtree(project.root / ".dvc/cache")
    project.dvc("add", "--quiet", "kinds")
    assert wanted.split("md5: ")[1][:36] in (project.root / "kinds.dvc").read_text()


def test_run_again_everything_is_there_and_nothing_is_left_to_rewrite(project: Project) -> None:
    upgrade, report = migrate(into_copy(project))
    again, told = migrate(into_copy(project))
    counts = told.parts[0].counts
    assert (counts["present"], counts["copied"]) == (RENAMED, 0)
    assert again.names == upgrade.names
    rewrite_files(project.root, upgrade, report)
    project.commit("rewritten")
    last, told = migrate(into_copy(project))
    assert last.outputs == ()
    assert rewrite_files(project.root, last, told) == ()


def test_a_run_that_was_ended_between_two_files_is_continued(project: Project) -> None:
    upgrade, report = migrate(into_copy(project))
    files = rewrite_files(project.root, upgrade, report)
    project.git("checkout", "--quiet", "kinds.dvc", "dvc.lock")
    upgrade, report = migrate(into_copy(project))
    assert rewrite_files(project.root, upgrade, report) == ("dvc.lock", "kinds.dvc")
    assert migrate(into_copy(project))[0].outputs == ()
    path = project.root / files[0]
    path.write_text(path.read_text() + "# mine\n")
    with pytest.raises(SettingsError, match=files[0]):
        plan_upgrade(into_copy(project), wanted=True)


def test_a_project_below_the_top_of_its_repository_is_rewritten_too(
    project: Project, tmp_path: Path
) -> None:
    shutil.rmtree(project.root / ".git")
    top = Project(tmp_path / "work")
    top.git("init", "--quiet", "--initial-branch=main")
    top.write(".gitignore", "/hdd\n/copy\n")
    top.commit("below")
    upgrade, report = migrate(into_copy(project))
    assert len(rewrite_files(project.root, upgrade, report)) == 5
    assert migrate(into_copy(project))[0].outputs == ()
    project.write("new.dvc", "outs:\n- path: new\n")
    with pytest.raises(SettingsError, match=r": new\.dvc\."):
        plan_upgrade(into_copy(project), wanted=True)


def test_wrong_bytes_under_a_new_name_are_replaced(project: Project) -> None:
    key = key_of(md5(LEGACY_TEXT))
    path = copied(project) / key
    path.parent.mkdir(parents=True)
    path.write_bytes(b"wrong")
    _, report = migrate(into_copy(project))
    assert report.parts[0].counts["repaired"] == 1
    assert report.complete
    assert path.read_bytes() == LEGACY_TEXT


@pytest.mark.parametrize("content", [b"other,text\r\n", None])
def test_what_is_damaged_or_gone_keeps_everything_as_it_is(
    project: Project, content: bytes | None
) -> None:
    shutil.rmtree(project.root / ".dvc/cache")
    project.damage(key_of(oid_of(KINDS["c.txt"]), legacy=True), content)
    before = snapshot(project.root)
    upgrade, report = migrate(into_copy(project))
    lost = {loss.status for loss in report.parts[0].losses}
    assert lost == {"failed", "corrupt" if content else "missing"}
    with pytest.raises(MigrationIncomplete, match="2 of the objects under names of DVC 3"):
        rewrite_files(project.root, upgrade, report)
    after = snapshot(project.root)
    assert {path for path in before if path.endswith((".dvc", ".lock"))} <= {
        path for path in after if before.get(path) == after[path]
    }


def test_what_only_the_target_has_is_read_there(project: Project) -> None:
    stores = into_copy(project)
    plan = plan_migration(stores)
    assert verify(plan, copy_objects(plan, stores), stores).complete
    project.damage(key_of(oid_of(LEGACY_TEXT), legacy=True), None)
    _, report = migrate(stores)
    assert report.complete
    assert (copied(project) / key_of(md5(LEGACY_TEXT))).read_bytes() == LEGACY_TEXT


class Watched(MemoryStore):
    """A target that remembers in which order it was filled, and can lose what it was given."""

    def __init__(self, loses: str = "") -> None:
        super().__init__("watched")
        self.published: list[str] = []
        self.loses = loses

    def publish(
        self, item: StoredObject, chunks: Iterable[bytes], *, replace: bool = True
    ) -> Evidence:
        self.published.append(item.key)
        content = b"".join(chunks)
        if item.key == self.loses:
            content = b"something else"
        return super().publish(item, [content], replace=replace)


def test_a_list_comes_after_its_files_and_only_if_they_are_proven(project: Project) -> None:
    stores = into_copy(project)
    target = Watched()
    _, report = migrate(replace(stores, target=target))
    assert report.complete
    new = [key for key in target.published if key.startswith("files/")]
    kinds = [key.endswith(".dir") for key in new]
    assert kinds == sorted(kinds)
    losing = Watched(loses=key_of(md5(KINDS["one/a.csv"])))
    _, report = migrate(replace(stores, target=losing))
    assert not report.complete
    lost = {loss.name: loss.reason for loss in report.parts[0].losses}
    assert "not proven in the target" in lost[losing.loses]
    assert len([key for key in losing.published if key.endswith(".dir") and "files" in key]) == 1


def test_a_source_that_changes_between_two_reads_publishes_nothing(project: Project) -> None:
    key = key_of(oid_of(LEGACY_TEXT), legacy=True)

    class Changing(MemoryStore):
        reads = 0

        def list_objects(self) -> Iterator[StoredObject]:
            for item in super().list_objects():
                yield item._replace(checksum=None)  # so that a name takes a read

        def read(self, item: StoredObject) -> Iterator[bytes]:
            content = b"".join(super().read(item))
            if item.key == key:
                Changing.reads += 1
                # The same text for DVC 2, but with other line ends.
                content = content if Changing.reads != 3 else unix(content)
            yield content

    contents = {
        str(path.relative_to(project.hdd)): path.read_bytes()
        for path in project.hdd.rglob("*")
        if path.is_file()
    }
    stores = replace(into_copy(project), source=Changing("hdd", contents), target=MemoryStore())
    _, report = migrate(stores)
    (loss,) = report.parts[0].losses
    assert (loss.name, loss.status) == (key, "corrupt")
    assert "changed while it was copied" in loss.reason
    assert Corrupted.exit_code == 5
    assert report.as_json()["layout_3"]["not_intact"][0]["name"] == key


def test_changes_in_no_commit_are_refused_before_and_after(project: Project) -> None:
    upgrade, report = migrate(into_copy(project))
    text = (project.root / "old.dvc").read_text()
    project.write("old.dvc", text + "# mine\n")
    with pytest.raises(SettingsError, match=r"in no commit: old\.dvc\.") as caught:
        plan_upgrade(into_copy(project), wanted=True)
    assert "git stash" in caught.value.hint
    with pytest.raises(SettingsError, match=r"old\.dvc"):
        rewrite_files(project.root, upgrade, report)
    assert "hash: md5" not in (project.root / "labels.csv.dvc").read_text()
    assert plan_upgrade(into_copy(project), wanted=False).parts == ()
    project.write("old.dvc", text)
    project.write("new.dvc", "outs:\n- path: new\n")
    with pytest.raises(SettingsError, match=r"new\.dvc"):
        plan_upgrade(into_copy(project), wanted=True)


def test_a_project_without_git_is_rewritten_all_the_same(project: Project) -> None:
    shutil.rmtree(project.root / ".git")
    project.dvc("config", "core.no_scm", "true")
    upgrade, report = migrate(into_copy(project))
    assert "dvc.lock" in rewrite_files(project.root, upgrade, report)


def test_an_unknown_layout_is_answered_with_the_one_that_there_is() -> None:
    assert (read_layout(""), read_layout("3")) == (False, True)
    with pytest.raises(SettingsError, match="no layout '2'") as caught:
        read_layout("2")
    assert "--layout 3" in caught.value.hint


def test_a_dry_run_tells_how_many_outputs_there_are(project: Project) -> None:
    stores = into_copy(project)
    plan = plan_with(plan_migration(stores), *plan_upgrade(stores, wanted=True).parts)
    assert plan.as_json()["layout_3"]["counts"] == {"planned": 5}
    assert not copied(project).exists()
