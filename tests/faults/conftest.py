"""One history that every fault strikes, each in a copy of its own."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.report import write_json
from tests.contract import s3_server
from tests.contract.dvc_projects import Project, use_own_identity
from tests.faults.proxy import Proxy
from tests.faults.sites import (
    Bucketful,
    Directory,
    Site,
    Tree,
    make_template,
    md5s,
    pull_every_commit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory that all processes of this run of the tests have in common."""
    own = tmp_path_factory.getbasetemp()
    directory = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "faults"
    directory.mkdir(exist_ok=True)
    return directory


@contextmanager
def one_at_a_time(shared: Path) -> Iterator[None]:
    """Let one process make what the others wait for."""
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def template(shared: Path) -> Iterator[Path]:
    directory = shared / "template"
    with pytest.MonkeyPatch.context() as patch:
        use_own_identity(patch)
        with one_at_a_time(shared):
            if not directory.exists():
                make_template(shared / "begun")
                (shared / "begun").rename(directory)
        yield directory


@pytest.fixture(scope="session")
def light_server() -> Iterator[str]:
    """Return where a server of our own answers; it stays in a process of its own."""
    command = [sys.executable, "-m", "tests.contract.stub_s3"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as started:
        assert started.stdout is not None
        yield started.stdout.readline().strip()


@pytest.fixture(scope="module")
def bucket(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return a bucket of the real server, or of the light one where the module's faults allow it.

    Those are the faults that are done to a migration, or that the proxy does by itself; what a
    server has to refuse, a real one refuses. `./inv test --all` takes the real one throughout.
    """
    is_light = request.node.get_closest_marker("light") is not None
    if not is_light or os.environ.get("SLIPWAY_TEST_ALL"):
        with s3_server.fresh_bucket() as name:
            yield name
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPWAY_TEST_S3_ENDPOINT", request.getfixturevalue("light_server"))
        yield "bucket"


@pytest.fixture(scope="module")
def cloud(template: Path, bucket: str) -> Iterator[Bucketful]:
    """The data of hdd in a bucket, which nothing may change."""
    filled = Bucketful(bucket, "cloud")
    truth = md5s(template / "hdd")
    for key in truth:
        filled.put(key, (template / "hdd" / key).read_bytes())
    yield filled
    assert filled.md5s() == truth


@pytest.fixture(scope="session")
def commits(template: Path, shared: Path) -> dict[str, Tree]:
    """What plain DVC pulls from hdd at each commit."""
    told = shared / "commits.json"
    with one_at_a_time(shared):
        if not told.exists():
            project, hdd = Project(template / "project"), Directory(template / "hdd")
            write_json(told, pull_every_commit(project, hdd))
    pulled: dict[str, Tree] = json.loads(told.read_text(encoding="utf-8"))
    return pulled


@pytest.fixture
def proxy(bucket: str) -> Iterator[Proxy]:
    assert bucket, "which tells the server"
    with Proxy(s3_server.endpoint()).serving() as serving:
        yield serving


@pytest.fixture
def site(
    template: Path,
    cloud: Bucketful,
    commits: dict[str, Tree],
    proxy: Proxy,
    tmp_path: Path,
) -> Iterator[Site]:
    shutil.copytree(template, tmp_path / "work", symlinks=True)
    project = Project(tmp_path / "work" / "project")
    s3 = Bucketful(cloud.bucket, uuid.uuid4().hex)
    site = Site(project, s3, cloud, proxy, md5s(project.hdd), commits, cloud.marks())
    site.configure()
    yield site
    s3.empty()


@pytest.fixture(scope="session")
def takes() -> dict[tuple[str, str, bool], float]:
    """How long a migration from one remote to another takes that nothing disturbs, in seconds.

    By the remotes' names, and whether processes copy.
    """
    return {}
