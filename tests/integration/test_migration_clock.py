"""A clock an hour off on the machine that migrates: libfaketime lies to it, the store is real."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.container.services import DEMO_ACCESS_KEY, DEMO_SECRET_KEY
from scripts.process import run
from tests.contract.dvc_projects import Project, use_own_identity
from tests.faults.migrating import Ending
from tests.faults.sites import Directory, make_template, md5s
from tests.integration.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.tally import Tally

pytestmark = [
    pytest.mark.needs("docker", "faketime"),
    # DVC's own use of pygtrie, whose newer versions stand in the host's lock.
    pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning"),
]

RUN = Path(__file__).resolve().parents[2]
FAMILY = "a clock an hour off"


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    store = ObjectStore()
    with store.running():
        store.create_bucket("clocks")
        yield store


@pytest.fixture
def project(tmp_path: Path, store: ObjectStore) -> Iterator[Project]:
    with pytest.MonkeyPatch.context() as patch:
        use_own_identity(patch)
        make_template(tmp_path)
        project = Project(tmp_path / "project")
        project.write(
            ".dvc/config.local",
            f"['remote \"ssd\"']\n    url = ../../ssd\n"
            f"['remote \"s3\"']\n    url = s3://clocks/{tmp_path.name}\n"
            f"    endpointurl = http://127.0.0.1:{store.port}\n"
            f"    access_key_id = {DEMO_ACCESS_KEY}\n    secret_access_key = {DEMO_SECRET_KEY}\n",
        )
        yield project


def migrate_at(clock: str, project: Project, target: str) -> Ending:
    """Migrate on a machine whose clock is ``clock`` off."""
    off = ["faketime", "-m", "-f", clock]
    what = ["-m", "tests.faults.alone", str(project.root), "hdd", target]
    return Ending(**json.loads(run([*off, sys.executable, *what], cwd=RUN).stdout))


@pytest.mark.parametrize("clock", ["+1h", "-1h"])
def test_a_real_store_refuses_our_clock(project: Project, tally: Tally, clock: str) -> None:
    truth = md5s(project.hdd)
    with tally.fault(FAMILY):
        ending = migrate_at(clock, project, "s3")
        assert ending.exit_code == 5, ending
        assert "clock" in ending.message
        assert "RequestTimeTooSkewed" in ending.message
        assert "timedatectl" in ending.hint
        slightly = migrate_at("-10m" if clock == "-1h" else "+10m", project, "s3")
        assert slightly.exit_code == 0, slightly
        assert slightly.report["complete"] is True
        again = migrate_at("+0", project, "s3")
        assert again.report["counts"]["present"] == len(truth), again
        assert md5s(project.hdd) == truth


@pytest.mark.parametrize("clock", ["+1h", "-1h"])
def test_times_of_files_decide_nothing(project: Project, tally: Tally, clock: str) -> None:
    truth = md5s(project.hdd)
    target = Directory(project.root.parent / "ssd")
    with tally.fault(FAMILY):
        first = migrate_at(clock, project, "ssd")
        assert first.exit_code == 0, first.report["uncollectable"]
        (key, *_) = sorted(truth)
        target.put(key, b"rotten")
        repaired = migrate_at("+0", project, "ssd")
        assert (repaired.exit_code, repaired.report["counts"]["repaired"]) == (0, 1), repaired
        assert target.md5s() == truth == md5s(project.hdd)
