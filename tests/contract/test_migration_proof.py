"""Proving a remote at any time, with real git, real DVC and a real S3 server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.migration import (
    Report,
    Sample,
    copy_objects,
    open_remote,
    open_stores,
    plan_migration,
    verify,
    verify_remote,
)
from scripts.migration.model import Status
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

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("s3")

OTHER_RUN = """
import json, sys
from pathlib import Path
from scripts.migration import copy_objects, open_stores, plan_migration, verify

stores = open_stores(Path.cwd(), "hdd", "s3")
plan = plan_migration(stores)
print("planned", flush=True)
sys.stdin.readline()
report = verify(plan, copy_objects(plan, stores, jobs=8), stores)
print(json.dumps([report.complete, report.counts]))
"""
RUN = Path(__file__).resolve().parents[2]
NEEDED = 21
"""As many as `make_history` leaves; test_migration_end_to_end.py counts them out."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        use_own_identity(patch, tmp_path_factory.mktemp("site"))
        make_history(directory / "project")
        yield directory


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server.fresh_bucket() as name:
        yield name


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def project(template: Path, bucket: str, prefix: str, tmp_path: Path) -> Project:
    shutil.copytree(template, tmp_path / "work", symlinks=True)
    project = Project(tmp_path / "work" / "project")
    place = f"{bucket}/{prefix}"
    keys = s3_server.access_key(), s3_server.secret_key()
    use_s3(project, place, s3_server.endpoint(), *keys)
    return project


def migrate(project: Project) -> Report:
    stores = open_stores(project.root, "hdd", "s3")
    plan = plan_migration(stores)
    return verify(plan, copy_objects(plan, stores, jobs=8), stores)


def verified(project: Project, name: str = "s3", sample: Sample | None = None) -> Report:
    return verify_remote(project.root, open_remote(project.root, name), sample=sample or Sample())


def test_what_a_killed_run_left_over_is_told_of_a_remote_and_goes_with_the_next_run(
    project: Project, bucket: str, prefix: str
) -> None:
    assert migrate(project).complete
    assert verified(project).notes == verified(project, "hdd").notes == ()
    key = f"{prefix}/.slipway-incoming/left"
    s3_server.client().put_object(Bucket=bucket, Key=key, Body=b"half")
    (project.hdd / ".slipway-incoming" / "of-a-killed-one").mkdir(parents=True)
    for name in ("s3", "hdd"):
        report = verified(project, name)
        assert report.complete
        (note,) = report.notes
        assert note.startswith(f"{name}: a migration that is at work, or was killed")
    assert migrate(project).counts["copied"] == 0
    assert verified(project).notes == ()


def test_a_remote_is_proven_at_any_time_and_what_it_lacks_is_named(
    project: Project, bucket: str, prefix: str
) -> None:
    nothing = verified(project)
    assert nothing.counts["missing"] == len(nothing.outcomes) > 0
    assert migrate(project).complete
    before = snapshot(project.hdd)
    for name, evidence in (("hdd", {"read back": NEEDED}), ("", {"read back": NEEDED})):
        assert verified(project, name).evidence_counts() == evidence
    assert snapshot(project.hdd) == before
    sampled = verified(project, "s3", Sample(0.5, seed=3))
    assert sampled.complete
    assert sampled.evidence_counts()["store checksum"] < 12
    everything = verified(project, "s3", Sample(1))
    assert everything.evidence_counts() == {"read back": NEEDED}

    s3, absent, wrong = s3_server.client(), key_of(md5(b"a of v1\n")), key_of(md5(b""))
    s3.delete_object(Bucket=bucket, Key=f"{prefix}/{absent}")
    s3.put_object(Bucket=bucket, Key=f"{prefix}/{wrong}", Body=b"x")
    report = verified(project)
    found = {outcome.item.key: outcome for outcome in report.not_intact}
    assert {key: outcome.status for key, outcome in found.items()} == {
        absent: Status.MISSING,
        wrong: Status.CORRUPT,
    }
    assert "a.txt" in {place.path for place in found[absent].references}
    assert any(place.revision.startswith("v1 (") for place in found[absent].references)
    assert not report.complete


def test_two_migrations_at_once_into_one_target_both_end_complete(
    project: Project, bucket: str, prefix: str, tmp_path: Path
) -> None:
    shutil.copytree(tmp_path / "work", tmp_path / "other", symlinks=True)
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_RUN],
        cwd=tmp_path / "other" / "project",
        env={**os.environ, "PYTHONPATH": str(RUN)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "planned\n"
        stores = open_stores(project.root, "hdd", "s3")
        plan = plan_migration(stores)
        assert plan.counts["to_copy"] == NEEDED
        other.stdin.write("go\n")
        other.stdin.flush()
        report = verify(plan, copy_objects(plan, stores, jobs=8), stores)
        complete, counts = json.loads(other.stdout.read())
    assert other.returncode == 0
    assert report.complete, report.as_json()
    assert complete
    assert counts["intact"] == report.counts["intact"] == NEEDED
    assert report.counts["copied"] + counts["copied"] >= NEEDED
    s3 = s3_server.client()
    for key in s3_server.keys(bucket, prefix):
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        assert body == (project.hdd / key[len(prefix) + 1 :]).read_bytes()
    assert s3_server.unfinished_uploads(bucket, prefix) == []
