"""`./inv net` on a workspace whose remotes fail in different layers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.workspace import said

if TYPE_CHECKING:
    from tests.workspace import Workspace

pytestmark = pytest.mark.needs("docker")


@pytest.fixture(scope="module")
def connected(workspace: Workspace) -> Workspace:
    bare = workspace.root.parent / "project" / ".slipway-bare.git"
    process.run(["git", "init", "--quiet", "--bare", str(bare)])
    for name, url in {
        "origin": str(bare),
        "gone": "https://ada:pw@no-such-host.invalid/x.git",
        "closed": "ssh://git@127.0.0.1:9/x.git",
        "outside": "/srv/outside/x.git",
    }.items():
        process.run(["git", "remote", "add", name, url], cwd=workspace.root)
    directory = workspace.root / "hdd"
    directory.mkdir()
    workspace.up()
    remotes = {
        "hdd": str(directory),
        "absent": str(workspace.root / "no" / "such"),
        "closed": "s3://bucket/path",
    }
    assert workspace.inv("dvc-init").returncode == 0
    for name, url in remotes.items():
        done = workspace.inv("exec", "--", "dvc", "remote", "add", name, url)
        assert done.returncode == 0, said(done)
    endpoint = ["dvc", "remote", "modify", "closed", "endpointurl", "http://127.0.0.1:9"]
    assert workspace.inv("exec", "--", *endpoint).returncode == 0
    return workspace


def test_each_row_says_which_layer_failed(connected: Workspace) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "made-up", "AWS_SECRET_ACCESS_KEY": "made-up-too"}
    done = connected.inv("net", env=keys)
    assert done.returncode == 4, said(done)
    assert done.stderr.count("HINT ") == 1
    printed = json.loads(connected.inv("net", "--json", env=keys).stdout)
    rows = {row["name"]: row for row in printed["rows"]}
    assert {name: row["layer"] for name, row in rows.items()} == {
        "name resolution": "",
        "package index": "",
        "proxy": "",
        "certificates": "",
        "git remote origin": "",
        "git remote gone": "name",
        "git remote closed": "TCP",
        "git remote outside": "answer",
        "DVC remote hdd": "",
        "DVC remote absent": "answer",
        "DVC remote closed": "TCP",
    }, rows
    assert "not inside" in rows["git remote outside"]["seen"]
    assert all(row["hint"] for row in rows.values() if row["layer"])
    assert all(row["elapsed_s"] <= 11 for row in rows.values())
    assert ":pw@" not in said(done), "credentials in an address are not shown"


def test_a_published_port_is_reached_from_here(connected: Workspace) -> None:
    connected.write_env(PORTS="28888:8888")
    connected.up()
    (row,) = [row for row in connected.json("net")["rows"] if row["name"] == "port 28888"]
    assert row["layer"] == ""
    assert "nothing listens on 8888 inside yet" in row["seen"]
    serve = "import http.server as h; h.HTTPServer(('', 8888), h.BaseHTTPRequestHandler)"
    code = f"{serve}.serve_forever()"
    process.run(["docker", "exec", "--detach", connected.container_id(), "python", "-c", code])
    seen = ""
    for _ in range(50):
        (row,) = [row for row in connected.json("net")["rows"] if row["name"] == "port 28888"]
        seen = row["seen"]
        if "reaches" in seen:
            break
    assert seen == "reaches 8888 inside"
