"""A source is pruned, and plain DVC pulls every commit from the target; real git, DVC and S3."""

from __future__ import annotations

import shutil
import uuid
from typing import TYPE_CHECKING

import pytest

from scripts.errors import MigrationIncomplete, SettingsError
from scripts.migration import (
    copy_objects,
    open_stores,
    open_writable,
    plan_migration,
    plan_prune,
    prune_source,
    remember_complete,
    require_recent,
    require_switched,
    switch_default,
    verify,
    verify_remote,
)
from tests.contract import s3_server
from tests.contract.dvc_projects import (
    Project,
    key_of,
    make_history,
    md5,
    snapshot,
    use_own_identity,
    use_s3,
)
from tests.contract.s3_gate import gate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.needs("s3")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server.fresh_bucket() as name:
        yield name


@pytest.fixture
def project(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    use_own_identity(monkeypatch)
    project = make_history(tmp_path / "work" / "project")
    place = f"{bucket}/{uuid.uuid4().hex}"
    keys = s3_server.access_key(), s3_server.secret_key()
    use_s3(project, place, s3_server.endpoint(), *keys)
    return project


def test_a_source_is_pruned_only_after_a_migration_and_every_commit_is_pulled(
    project: Project,
) -> None:
    stores = open_stores(project.root, "hdd", "s3")
    garbage = key_of(md5(b"no revision needs it"))
    project.store(garbage, b"no revision needs it")
    before = snapshot(project.hdd)
    with pytest.raises(SettingsError, match="within the last day"):
        require_recent(project.root, stores)
    with pytest.raises(MigrationIncomplete, match="Nothing was deleted"):
        plan_prune(plan_migration(stores), stores)
    plan = plan_migration(stores)
    report = verify(plan, copy_objects(plan, stores, jobs=8), stores)
    remember_complete(project.root, stores, report)
    require_recent(project.root, stores)
    assert snapshot(project.hdd) == before

    with pytest.raises(SettingsError, match="'hdd' is still the default remote"):
        require_switched(project.root, "hdd")
    switch_default(project.root, report, local=True)
    require_switched(project.root, "hdd")

    pruning = plan_prune(plan_migration(stores), stores)
    assert (len(pruning.items), pruning.kept) == (len(before) - 1, 1)
    prune_source(pruning, open_writable(project.root, "hdd"), stores.target)
    assert set(snapshot(project.hdd)) == {garbage}
    assert verify_remote(project.root, stores.target).complete
    assert not plan_prune(plan_migration(stores), stores).items

    shutil.rmtree(project.root / ".dvc/cache")
    project.dvc("fetch", "--quiet", "--all-commits")
    for commit, text in (("main", "a of v2\n"), ("v1", "a of v1\n")):
        project.git("checkout", "--quiet", "--force", commit)
        project.dvc("checkout", "--quiet", "--force")
        assert (project.root / "a.txt").read_text() == text


def test_one_bucket_under_two_addresses_loses_nothing(project: Project, bucket: str) -> None:
    stores = open_stores(project.root, "hdd", "s3")
    plan = plan_migration(stores)
    assert verify(plan, copy_objects(plan, stores, jobs=8), stores).complete
    config = project.root / ".dvc/config"
    section = config.read_text().split("['remote \"s3\"']")[1]
    with gate() as address:
        other = section.replace(s3_server.endpoint(), address)
        assert other != section
        config.write_text(f"{config.read_text()}['remote \"twin\"']{other}")
        local = project.root / ".dvc/config.local"
        local.write_text(local.read_text() + local.read_text().replace('"s3"', '"twin"'))
        twins = open_stores(project.root, "twin", "s3")
        before = s3_server.keys(bucket)
        pruning = plan_prune(plan_migration(twins), twins)
        with pytest.raises(SettingsError, match="one place by two names"):
            prune_source(pruning, open_writable(project.root, "twin"), twins.target)
        assert s3_server.keys(bucket) == before
        assert verify_remote(project.root, twins.target).complete
