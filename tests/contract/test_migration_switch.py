"""The switch and its way back, judged by plain DVC in clean clones at every commit."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from scripts.errors import MigrationIncomplete, SettingsError
from scripts.migration import (
    Report,
    copy_objects,
    open_stores,
    plan_migration,
    switch_default,
    undo_switch,
    verify,
)
from scripts.migration.cutover import LOCAL, SHARED
from scripts.migration.model import Outcome, Status, StoredObject
from tests.contract.dvc_projects import Project, make_project, use_own_identity
from tests.tables import report_of

if TYPE_CHECKING:
    from pathlib import Path

NEW = "['remote \"new\"']\n    url = ../../new\n    jobs = 3\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Three commits; only the workspace's configuration knows the remote ``new``, beside hdd."""
    use_own_identity(monkeypatch)
    project = make_project(tmp_path / "work" / "project")
    for number in range(3):
        project.write("a.txt", f"a of {number}\n")
        project.write("data/b.txt", f"b of {number}\n")
        project.add("a.txt", "data")
        project.commit(f"commit {number}")
    config = project.root / ".dvc/config"
    config.write_text(config.read_text() + NEW)
    return project


def migrated(project: Project) -> Report:
    stores = open_stores(project.root, "hdd", "new")
    plan = plan_migration(stores)
    report = verify(plan, copy_objects(plan, stores, jobs=4), stores)
    assert report.complete
    return report


def default_of(project: Project) -> str:
    return project.dvc("remote", "default").stdout.strip()


def test_a_local_switch_lets_plain_dvc_pull_every_commit_of_a_clean_clone(
    project: Project, tmp_path: Path
) -> None:
    report = migrated(project)
    switch = switch_default(project.root, report, local=True)
    assert (switch.remote, switch.previous, switch.file) == ("new", None, ".dvc/config.local")
    commits = project.git("rev-list", "--all").split()
    clone = Project(tmp_path / "work" / "clone")
    project.git("clone", "--quiet", str(project.root), str(clone.root))
    shutil.move(project.hdd, tmp_path / "gone")
    assert clone.dvc("pull", check=False).returncode != 0
    shutil.copy(project.root / ".dvc/config.local", clone.root / ".dvc/config.local")
    pulled = []
    for commit in commits:
        clone.git("checkout", "--quiet", "--force", commit)
        shutil.rmtree(clone.root / ".dvc/cache", ignore_errors=True)
        if not (clone.root / "a.txt.dvc").exists():
            continue
        clone.dvc("pull", "--quiet", "--force")
        number = clone.git("log", "-1", "--format=%s").split()[1]
        assert (clone.root / "a.txt").read_text() == f"a of {number}\n"
        assert (clone.root / "data/b.txt").read_text() == f"b of {number}\n"
        pulled.append(number)
    assert pulled == ["2", "1", "0"]
    shutil.rmtree(clone.root / ".dvc/cache", ignore_errors=True)
    clone.dvc("fetch", "--quiet", "--all-commits")
    assert sum(path.is_file() for path in (clone.root / ".dvc/cache/files").rglob("*")) == 9


@pytest.mark.parametrize("levels", [(SHARED,), (LOCAL,), (SHARED, LOCAL)])
def test_what_was_switched_is_put_back(project: Project, levels: tuple[str, ...]) -> None:
    report = migrated(project)
    local = project.root / ".dvc/config.local"
    secret = "['remote \"vault\"']\n    url = s3://vault\n    secret_access_key = do-not-tell-me\n"
    local.write_text(secret)
    local.chmod(0o600)
    before = (project.root / ".dvc/config").read_text()
    for level in levels:
        assert switch_default(project.root, report, local=level == LOCAL).changed
        assert not switch_default(project.root, report, local=level == LOCAL).changed
    assert default_of(project) == "new"
    assert "do-not-tell-me" not in (project.root / ".slipway/switch.json").read_text()
    undone = undo_switch(project.root)
    assert {switch.level for switch in undone} == set(levels)
    assert default_of(project) == "hdd"
    assert (project.root / ".dvc/config").read_text() == before
    assert local.read_text() == secret
    assert local.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SettingsError, match="no switch to undo"):
        undo_switch(project.root)


@pytest.mark.parametrize(("file", "level"), [(".dvc/config", SHARED), (".dvc/config.local", LOCAL)])
def test_what_was_changed_since_is_not_put_back(project: Project, file: str, level: str) -> None:
    report = migrated(project)
    for local in (False, True):
        switch_default(project.root, report, local=local)
    config = project.root / file
    if level == SHARED:
        config.write_text(config.read_text().replace("remote = new", "remote = hdd"))
    else:
        config.write_text(config.read_text().replace("/new", "/newer"))
    both = [(project.root / name).read_text() for name in (".dvc/config", ".dvc/config.local")]
    with pytest.raises(SettingsError, match=f"{file} was changed since") as caught:
        undo_switch(project.root)
    assert caught.value.exit_code == 2
    after = [(project.root / name).read_text() for name in (".dvc/config", ".dvc/config.local")]
    assert after == both


def test_a_memory_that_makes_no_sense_is_named(project: Project) -> None:
    project.write(".slipway/switch.json", "{")
    with pytest.raises(SettingsError, match=r"switch.json cannot be read"):
        undo_switch(project.root)


@pytest.mark.parametrize("local", [False, True])
def test_what_is_not_complete_is_not_switched(project: Project, *, local: bool) -> None:
    lost = Outcome(StoredObject("a" * 32), Status.MISSING, reason="gone")
    with pytest.raises(MigrationIncomplete):
        switch_default(project.root, report_of(lost), local=local)
    assert default_of(project) == "hdd"
    assert not (project.root / ".slipway/switch.json").exists()


def test_a_remote_that_only_this_machine_knows_can_be_its_default(project: Project) -> None:
    report = migrated(project)
    shared, local = project.root / ".dvc/config", project.root / ".dvc/config.local"
    shared.write_text(shared.read_text().replace(NEW, ""))
    local.write_text(NEW)
    with pytest.raises(SettingsError, match=r"not in .dvc/config"):
        switch_default(project.root, report)
    assert switch_default(project.root, report, local=True).changed
    assert default_of(project) == "new"
    memory = json.loads((project.root / ".slipway/switch.json").read_text())
    assert memory[LOCAL]["added"] == []
    undo_switch(project.root)
    assert default_of(project) == "hdd"
    assert "url = ../../new" in local.read_text()
