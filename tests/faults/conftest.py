"""One history that every fault strikes, each in a copy of its own."""

from __future__ import annotations

import shutil
import uuid
from typing import TYPE_CHECKING

import pytest

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
    from pathlib import Path


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        use_own_identity(patch)
        make_template(directory)
        yield directory


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    with s3_server.fresh_bucket() as name:
        yield name


@pytest.fixture(scope="session")
def cloud(template: Path, bucket: str) -> Iterator[Bucketful]:
    """The data of hdd in a bucket, which nothing may change."""
    filled = Bucketful(bucket, "cloud")
    truth = md5s(template / "hdd")
    for key in truth:
        filled.put(key, (template / "hdd" / key).read_bytes())
    yield filled
    assert filled.md5s() == truth


@pytest.fixture(scope="session")
def commits(template: Path) -> dict[str, Tree]:
    """What plain DVC pulls from hdd at each commit."""
    return pull_every_commit(Project(template / "project"), Directory(template / "hdd"))


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy(s3_server.endpoint()).serving() as serving:
        yield serving


@pytest.fixture
def site(
    template: Path,
    cloud: Bucketful,
    commits: dict[str, Tree],
    proxy: Proxy,
    tmp_path: Path,
) -> Site:
    shutil.copytree(template, tmp_path / "work", symlinks=True)
    project = Project(tmp_path / "work" / "project")
    s3 = Bucketful(cloud.bucket, uuid.uuid4().hex)
    site = Site(project, s3, cloud, proxy, md5s(project.hdd), commits, cloud.marks())
    site.configure()
    return site


@pytest.fixture(scope="session")
def takes() -> dict[tuple[str, str, bool], float]:
    """How long a migration from one remote to another takes that nothing disturbs, in seconds.

    By the remotes' names, and whether processes copy.
    """
    return {}
