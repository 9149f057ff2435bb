"""The whole way of a data set, as a newcomer sees it: demo, then a migration of one's own."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from scripts.container.services import DEMO_ACCESS_KEY, DEMO_ENDPOINT, DEMO_SECRET_KEY
from tests.workspace import said

if TYPE_CHECKING:
    from scripts import process
    from tests.workspace import Workspace

pytestmark = pytest.mark.needs("docker")

STORE_PORT = "19000"
KEYS = {"AWS_ACCESS_KEY_ID": DEMO_ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": DEMO_SECRET_KEY}


def configure(workspace: Workspace, **more: str) -> None:
    (workspace.root / "hdd").mkdir(exist_ok=True)
    values = {
        "OBJECT_STORE_PORT": STORE_PORT,
        "DVC_REMOTE_HDD": "hdd",
        "DVC_REMOTE_S3": "s3://slipway-demo/own",
        "DVC_REMOTE_S3_ENDPOINT_URL": DEMO_ENDPOINT,
        "DVC_REMOTE_S3_REGION": "us-east-1",
    }
    workspace.write_env(**{**values, **more})


def inside(workspace: Workspace, script: str) -> process.Completed:
    done = workspace.inv("exec", "--", "sh", "-ec", script)
    assert done.returncode == 0, said(done)
    return done


@pytest.fixture(scope="module")
def migrated(workspace: Workspace) -> Workspace:
    """A workspace whose demo has run and whose own two versions of data are pushed to ``hdd``."""
    configure(workspace, **KEYS)
    demo = workspace.inv("demo", "--yes")
    assert demo.returncode == 0, said(demo)
    assert "identical" in said(demo)
    initialised = workspace.inv("dvc-init")
    assert initialised.returncode == 0, said(initialised)
    identity = "git config user.name Ada; git config user.email ada@example.com; "
    inside(workspace, identity + "echo hdd >> .gitignore; git add --all; git commit -qm dvc")
    for version in ("one", "two"):
        inside(
            workspace,
            f"mkdir -p data; echo {version} > data/{version}; dvc add -q data; "
            f"git add --all; git commit -qm {version}; dvc push -q -r hdd",
        )
    return workspace


def test_the_demo_ends_with_a_bit_identical_pull(migrated: Workspace) -> None:
    assert (migrated.root / ".slipway" / "demo" / "clone").is_dir()


def test_initialising_twice_changes_nothing(migrated: Workspace) -> None:
    before = (migrated.root / ".dvc" / "config").read_text()
    again = migrated.inv("dvc-init")
    assert again.returncode == 0, said(again)
    assert (migrated.root / ".dvc" / "config").read_text() == before
    assert "s3://slipway-demo/own" in before
    assert "secret_access_key" not in before


def test_a_migration_from_the_host_is_planned_copied_proven_and_switched(
    migrated: Workspace,
) -> None:
    arguments = ["dvc-migrate", "--from", "hdd", "--to", "s3"]
    planned = migrated.inv(*arguments, "--dry-run")
    assert planned.returncode == 0, said(planned)
    done = migrated.inv(*arguments, "--report", "report.json", "--switch")
    assert done.returncode == 0, said(done)
    report = json.loads((migrated.root / "report.json").read_text())
    assert report["complete"] is True
    assert report["source"] == "hdd"
    assert report["target"] == "s3"
    # Two directories, and the two files that they name: one of them is in both.
    assert report["counts"]["planned"] == report["counts"]["intact"] == 4
    assert "remote = s3" in (migrated.root / ".dvc" / "config").read_text()
    again = migrated.inv(*arguments, "--report", "report.json")
    assert again.returncode == 0
    assert json.loads((migrated.root / "report.json").read_text())["counts"]["copied"] == 0


def test_a_lost_object_is_healed_from_the_cache_or_named(migrated: Workspace) -> None:
    objects = sorted((migrated.root / "hdd" / "files" / "md5").rglob("*"))
    lost = next(path for path in objects if path.is_file() and not path.name.endswith(".dir"))
    inside(migrated, "dvc remote add -q -f other s3://slipway-demo/other; "
           f"dvc remote modify -q other endpointurl {DEMO_ENDPOINT}; "
           "dvc remote modify -q other region us-east-1")  # fmt: skip
    kept = lost.read_bytes()
    cached = migrated.root / ".dvc" / "cache" / lost.relative_to(migrated.root / "hdd")
    lost.unlink()
    cached.rename(migrated.root / "cached")
    try:
        done = migrated.inv("dvc-migrate", "--from", "hdd", "--to", "other")
        assert done.returncode == 6
        assert "1 missing" in said(done)
        (migrated.root / "cached").rename(cached)
        healed = migrated.inv("dvc-migrate", "--from", "hdd", "--to", "other")
        assert healed.returncode == 0, said(healed)
        assert "1 to heal" in said(healed)
    finally:
        lost.write_bytes(kept)
    assert migrated.inv("dvc-migrate", "--from", "hdd", "--to", "other").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--from", "hdd", "--to", "tape"], 2, "tape"),
        (["--from", "hdd", "--to", "hdd"], 2, "hdd"),
        (
            ["--from", "hdd", "--to", "s3", "--report", "../report.json"],
            2,
            "outside the workspace",
        ),
        (["--from", "hdd", "--to", "nowhere"], 5, "no-such-bucket"),
    ],
)
def test_bad_input_is_named(
    migrated: Workspace, arguments: list[str], code: int, message: str
) -> None:
    inside(migrated, "dvc remote add -q -f nowhere s3://no-such-bucket/x; "
           f"dvc remote modify -q nowhere endpointurl {DEMO_ENDPOINT}; "
           "dvc remote modify -q nowhere region us-east-1")  # fmt: skip
    done = migrated.inv("dvc-migrate", *arguments)
    assert done.returncode == code, said(done)
    assert message in said(done)
    assert "HINT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_of_the_object_store_is_named(migrated: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        configure(migrated, **{**KEYS, "OBJECT_STORE_PORT": number})
        try:
            done = migrated.inv("demo", "--yes")
        finally:
            configure(migrated, **KEYS)
    assert done.returncode == 4
    assert f"Port {number} on 127.0.0.1 is taken" in said(done)
    assert "OBJECT_STORE_PORT" in done.stderr


def test_a_remote_without_credentials_is_named(migrated: Workspace) -> None:
    configure(migrated)
    try:
        done = migrated.inv("dvc-migrate", "--from", "hdd", "--to", "s3")
    finally:
        configure(migrated, **KEYS)
    assert done.returncode == 5
    assert "s3" in said(done)
    assert "credentials" in said(done)
    assert "Traceback" not in done.stderr
