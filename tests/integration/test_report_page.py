"""The page of a migration's report, made by a real migration and looked at in a real browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts import process

if TYPE_CHECKING:
    from tests.workspace import Workspace

pytestmark = pytest.mark.needs("docker", "browser")

SEE = Path(__file__).parent / "browser" / "see.js"


@pytest.fixture(scope="module")
def project(workspace: Workspace) -> Workspace:
    """A project with two files of data in one directory remote, and an empty second one."""
    workspace.up()
    assert workspace.inv("dvc-init").returncode == 0
    script = """
        mkdir hdd ssd
        dvc remote add hdd "$PWD/hdd"
        dvc remote add ssd "$PWD/ssd"
        head -c 3000000 /dev/urandom >first.bin
        head -c 2000000 /dev/urandom >second.bin
        dvc add --quiet first.bin second.bin
        dvc push --quiet --remote hdd
    """
    done = workspace.inv("exec", "--", "sh", "-euc", script)
    assert done.returncode == 0, done.stderr
    return workspace


def looked_at(page: Path) -> dict[str, Any]:
    chromium = shutil.which("chromium") or ""
    asked = {"chromium": chromium, "kind": "report", "url": page.as_uri()}
    seen: dict[str, Any] = json.loads(
        process.run(["node", str(SEE)], stdin=json.dumps(asked), timeout_s=120).stdout
    )
    return seen


def test_the_verdict_comes_first_then_what_is_lost(project: Workspace) -> None:
    page = project.root / "report.html"
    command = ["dvc-migrate", "--from", "hdd", "--to", "ssd", "--report", str(page)]
    remote, cache = project.root / "hdd", project.root / ".dvc" / "cache"
    lost = next(path for path in remote.rglob("*") if path.is_file())
    content = lost.read_bytes()
    for place in (remote, cache):  # with a copy in the cache it would not be lost
        (place / lost.relative_to(remote)).unlink()
    assert project.inv(*command).returncode == 6
    seen = looked_at(page)
    assert seen["heading"] == "hdd \u2192 ssd: incomplete"
    assert "missing" in seen["lost"]
    lost.write_bytes(content)
    done = project.inv(*command)
    assert done.returncode == 0, done.stderr
    seen = looked_at(page)
    assert seen["heading"] == "hdd \u2192 ssd: complete"
    assert seen["top"] < 100
    assert seen["chart"]
    assert not seen["overflows"]
    assert seen["fetched"] == []
