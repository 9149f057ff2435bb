"""Real git, real DVC, a real S3 server: from a disk to a bucket, and back by a clean `dvc pull`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.errors import MigrationIncomplete, SettingsError
from scripts.migration import (
    Report,
    Stores,
    copy_objects,
    open_stores,
    plan_migration,
    switch_default,
    verify,
)
from scripts.migration.model import Status
from tests.contract import s3_server
from tests.contract.dvc_projects import (
    BIG_BYTES,
    LEGACY_TEXT,
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

PLANNED = 21
"""6 + 1 parts, 2 lists of data, model, 4 a.txt, empty, side, uncommitted, 3 + 1 legacy."""
RUN = Path(__file__).resolve().parents[2]
STALLING = """
import sys, threading
from pathlib import Path
from scripts.migration import copy_objects, open_stores, plan_migration
from scripts.progress import SilentProgress
from contextlib import contextmanager

class Stalls:
    left = int(sys.argv[1])
    def advance(self, amount=1):
        Stalls.left -= 1
        if Stalls.left <= 0:
            print("stalled", flush=True)
            threading.Event().wait()

class Stalling(SilentProgress):
    @contextmanager
    def phase(self, name, *, total=None, unit="objects"):
        if name == "copying":
            yield Stalls()
        else:
            with super().phase(name) as phase:
                yield phase

stores = open_stores(Path.cwd(), "hdd", "s3")
copy_objects(plan_migration(stores), stores, jobs=1, progress=Stalling())
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        use_own_identity(patch, tmp_path_factory.mktemp("site"))
        make_history(directory / "project")
        yield directory


@dataclass(frozen=True)
class Place:
    """A prefix of a bucket, for one test."""

    bucket: str
    prefix: str

    def bodies(self) -> dict[str, bytes]:
        s3 = s3_server.client()
        return {
            key[len(self.prefix) :]: s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            for key in s3_server.keys(self.bucket, self.prefix)
        }

    def put(self, key: str, content: bytes) -> None:
        s3_server.client().put_object(Bucket=self.bucket, Key=self.prefix + key, Body=content)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server.fresh_bucket() as name:
        yield name


@pytest.fixture
def place(bucket: str) -> Place:
    return Place(bucket, f"{uuid.uuid4().hex}/")


@pytest.fixture
def project(template: Path, place: Place, tmp_path: Path) -> Project:
    shutil.copytree(template, tmp_path / "work", symlinks=True)
    project = Project(tmp_path / "work" / "project")
    use_s3(
        project,
        f"{place.bucket}/{place.prefix}",
        s3_server.endpoint(),
        s3_server.access_key(),
        s3_server.secret_key(),
    )
    return project


def migrate(stores: Stores) -> Report:
    plan = plan_migration(stores)
    return verify(plan, copy_objects(plan, stores, jobs=8), stores)


def test_every_revision_arrives_and_a_clean_clone_pulls_an_old_tag(
    project: Project, place: Place, tmp_path: Path
) -> None:
    before = snapshot(project.hdd)
    stores = open_stores(project.root, "hdd", "s3")
    report = migrate(stores)
    assert report.complete, report.as_json()
    assert report.counts["planned"] == report.counts["copied"] == PLANNED
    assert report.bytes_copied > BIG_BYTES
    assert snapshot(project.hdd) == before
    arrived = place.bodies()
    assert arrived == {
        str(path.relative_to(project.hdd)): path.read_bytes()
        for path in project.hdd.rglob("*")
        if path.is_file()
    }

    again = migrate(stores)
    assert again.complete
    assert again.counts["copied"] == 0
    assert again.counts["present"] == PLANNED

    switched = switch_default(project.root, again)
    assert switched.changed
    assert not switch_default(project.root, again).changed
    project.git("add", ".dvc/config")
    project.git("commit", "--quiet", "--message", "Use s3")

    shutil.move(project.hdd, tmp_path / "gone")
    clone = Project(tmp_path / "clone")
    project.git("clone", "--quiet", str(project.root), str(clone.root))
    shutil.copy(project.root / ".dvc/config.local", clone.root / ".dvc/config.local")
    clone.dvc("pull", "--quiet")
    assert (clone.root / "a.txt").read_text() == "a of v2\n"
    shutil.rmtree(clone.root / ".dvc" / "cache")
    config = (clone.root / ".dvc/config").read_text()
    clone.git("checkout", "--quiet", "v1")
    clone.write(".dvc/config", config)
    clone.dvc("pull", "--quiet", "--force")
    assert (clone.root / "a.txt").read_text() == "a of v1\n"
    assert (clone.root / "labels.csv").read_bytes() == LEGACY_TEXT
    assert (clone.root / "old/y.txt").read_text() == "y\n"
    assert (clone.root / "data/part0.txt").read_text() == "part 0 of v1\n"
    assert (clone.root / "model.bin").read_bytes() == (project.root / "model.bin").read_bytes()


def test_damage_is_named_with_its_place_and_goes_no_further(project: Project, place: Place) -> None:
    corrupt, missing = b"a of v1\n", b"part 3 of v1\n"
    side = b"only on the branch side\n"
    project.damage(key_of(md5(corrupt)), b"A of v1\n")
    project.damage(key_of(md5(missing)), None)
    project.damage(key_of(md5(side)), b"")
    stores = open_stores(project.root, "hdd", "s3")
    report = migrate(stores)
    by_key = {outcome.item.key: outcome for outcome in report.not_intact}
    assert by_key[key_of(md5(corrupt))].status is Status.CORRUPT
    assert by_key[key_of(md5(side))].status is Status.CORRUPT
    lost = by_key[key_of(md5(missing))]
    assert lost.status is Status.MISSING
    assert any(
        place.path == "data/part3.txt" and place.revision.startswith("v1 (")
        for place in lost.references
    )
    withheld = [outcome for outcome in by_key.values() if outcome.item.is_directory]
    assert [outcome.status for outcome in withheld] == [Status.FAILED, Status.FAILED]
    assert all(key_of(md5(missing)) in outcome.reason for outcome in withheld)
    assert len(by_key) == 5
    counts = report.counts
    assert counts["planned"] == PLANNED == counts["intact"] + len(by_key)
    with pytest.raises(MigrationIncomplete, match="2 corrupt, 1 missing, 2 failed") as caught:
        report.require_complete()
    assert caught.value.report is report
    with pytest.raises(MigrationIncomplete):
        switch_default(project.root, report)
    assert "remote = hdd" in (project.root / ".dvc/config").read_text()
    arrived = place.bodies()
    assert not set(arrived) & set(by_key)
    assert set(arrived) == {o.item.key for o in report.outcomes if o.is_intact}

    for content in (corrupt, missing, side):
        path = project.hdd / key_of(md5(content))
        path.unlink(missing_ok=True)
        path.write_bytes(content)
    mended = migrate(stores)
    assert mended.complete
    assert mended.counts["copied"] == 5


def test_wrong_bytes_in_the_target_are_replaced_and_told(project: Project, place: Place) -> None:
    content = b"a of v1\n"
    key = key_of(md5(content))
    place.put(key, b"b of v1\n")
    report = migrate(open_stores(project.root, "hdd", "s3"))
    assert report.complete
    assert [outcome.item.key for outcome in report.outcomes if outcome.repaired] == [key]
    assert place.bodies()[key] == content


@pytest.mark.parametrize("moment", [12, 20])  # pieces; one object has several
def test_killed_at_any_moment_the_same_command_continues(
    project: Project, place: Place, moment: int
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", STALLING, str(moment)],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(RUN)},
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"stalled\n"
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    arrived = place.bodies()
    assert 0 < len(arrived) < PLANNED
    for key, content in arrived.items():
        assert (project.hdd / key).read_bytes() == content
    stores = open_stores(project.root, "hdd", "s3")
    report = migrate(stores)
    assert report.complete
    assert report.counts["present"] == len(arrived)
    assert report.counts["copied"] == PLANNED - len(arrived)


def test_a_bucket_that_is_not_there_is_named(project: Project) -> None:
    config = project.root / ".dvc" / "config"
    config.write_text(config.read_text().replace("url = s3://slipway-", "url = s3://nowhere-"))
    stores = open_stores(project.root, "hdd", "s3")
    with pytest.raises(Exception, match="there is no bucket nowhere-") as caught:
        plan_migration(stores)
    assert caught.value.exit_code == 5  # type: ignore[attr-defined]


def test_a_wrong_secret_is_refused_without_being_told(project: Project) -> None:
    local = project.root / ".dvc" / "config.local"
    local.write_text(local.read_text().replace(s3_server.secret_key(), "do-not-tell-me"))
    stores = open_stores(project.root, "hdd", "s3")
    with pytest.raises(Exception, match="refuses the credentials") as caught:
        plan_migration(stores)
    assert caught.value.exit_code == 5  # type: ignore[attr-defined]
    assert "do-not-tell-me" not in f"{caught.value}{caught.value.hint}"  # type: ignore[attr-defined]
    assert "Signature=" not in str(caught.value)


def test_the_switch_refuses_a_remote_that_clones_would_not_know(project: Project) -> None:
    report = migrate(open_stores(project.root, "hdd", "s3"))
    shared, local = project.root / ".dvc/config", project.root / ".dvc/config.local"
    start = shared.read_text().index("['remote \"s3\"']")
    text = shared.read_text()
    shared.write_text(text[:start])
    local.write_text(text[start:])
    with pytest.raises(SettingsError, match=r"not in .dvc/config"):
        switch_default(project.root, report)
