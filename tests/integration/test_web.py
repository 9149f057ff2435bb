"""JupyterLab and TensorBoard, started by one command and opened in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker")

SEE = Path(__file__).parent / "browser" / "see.js"
PUBLISHED = "28890:8888,26010:6006"
NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "execution_count": None, "id": "one", "metadata": {}, "outputs": [],
         "source": "import os, sys\nprint('answer', 6 * 7, sys.version_info[:2], os.getcwd())"},
    ],
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python",
                                "name": "python3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def served(workspace: Workspace) -> Iterator[Workspace]:
    workspace.write_env(PORTS=PUBLISHED)
    workspace.up()
    yield workspace
    for name in ("jupyter", "tensorboard"):
        workspace.inv(name, "--stop")


def start(workspace: Workspace, name: str, *options: str) -> str:
    """Start a server and return its address, the only thing on standard output."""
    done = workspace.inv(name, "--no-open", *options)
    assert done.returncode == 0, said(done)
    return done.stdout.strip()


def see(kind: str, url: str, **asked: str) -> str:
    """Return what stands in a real Chromium under this address."""
    chromium = shutil.which("chromium")
    asked = {"kind": kind, "url": url, "chromium": chromium or "", **asked}
    return process.run(["node", str(SEE)], stdin=json.dumps(asked), timeout_s=150).stdout.strip()


@pytest.mark.needs("browser")
def test_jupyterlab_opens_with_its_token_and_runs_a_cell(served: Workspace, tmp_path: Path) -> None:
    (served.root / "cell.ipynb").write_text(json.dumps(NOTEBOOK))
    url = start(served, "jupyter")
    address, _, token = url.partition("/lab?token=")
    assert address == "http://127.0.0.1:28890"
    assert len(token) >= 32
    shown = see(
        "cell",
        f"{address}/lab/tree/cell.ipynb?token={token}",
        screenshot=str(tmp_path / "seen.png"),
    )
    assert shown == f"answer 42 (3, 9) {served.root}"


def test_a_token_is_shown_to_nobody_else(served: Workspace) -> None:
    url = start(served, "jupyter")
    assert start(served, "jupyter") == url, "a second call starts no second one"
    token = url.partition("token=")[2]
    container = served.container_id()
    for command in (
        ["docker", "top", container, "-eo", "pid,args"],
        ["docker", "inspect", container],
        ["docker", "logs", container],
        ["ps", "-eo", "args"],
        ["grep", "-rl", token, str(served.root / ".slipway")],
        ["docker", "exec", container, "sh", "-c", "cat /tmp/slipway-jupyter-*/log"],
    ):
        printed = process.run(command, check=False)
        assert token not in printed.stdout + printed.stderr, command
    modes = served.inv(
        "exec", "--", "sh", "-c", "stat -c %a /tmp/slipway-jupyter-* /tmp/s*-*/*.json"
    )
    assert set(modes.stdout.split()) == {"700", "600"}
    without = process.run(
        ["curl", "-s", "--noproxy", "*", f"{url.partition('/lab')[0]}/api/contents"]
    )
    assert "Forbidden" in without.stdout


def test_it_ends_when_told_to_and_has_another_token_then(served: Workspace) -> None:
    url = start(served, "jupyter")
    assert "JupyterLab is stopped" in said(served.inv("jupyter", "--stop"))
    assert "JupyterLab did not run" in said(served.inv("jupyter", "--stop"))
    running = process.run(["docker", "top", served.container_id(), "-eo", "pid,args"]).stdout
    assert "jupyter" not in running
    assert "ipykernel" not in running
    assert start(served, "jupyter") != url


WRITE = """
from torch.utils.tensorboard import SummaryWriter
with SummaryWriter("curves/one") as writer:
    for step in range(20):
        writer.add_scalar("loss/planted", 0.25, step)
"""


@pytest.mark.needs("browser")
def test_tensorboard_shows_a_curve(served: Workspace, tmp_path: Path) -> None:
    missing = served.inv("tensorboard", "--no-open")
    assert missing.returncode == 2
    assert "--logdir" in said(missing)
    assert served.inv("exec", "--", "python", "-c", WRITE).returncode == 0
    url = start(served, "tensorboard", "--logdir", str(served.root / "curves"))
    assert url == "http://127.0.0.1:26010/"
    shown = see(
        "curve", f"{url}#timeseries", tag="loss/planted", screenshot=str(tmp_path / "s.png")
    )
    assert "0.25" in shown
    other = served.inv("tensorboard", "--logdir", str(served.root / "docs"), "--no-open")
    assert other.returncode == 2
    assert "runs already" in said(other)


def test_what_cannot_be_started_says_why_in_its_own_words(served: Workspace) -> None:
    served.inv("jupyter", "--stop")
    serve = "import http.server as h; h.HTTPServer(('', 8888), h.BaseHTTPRequestHandler)"
    code = f"{serve}.serve_forever()"
    process.run(["docker", "exec", "--detach", served.container_id(), "python", "-c", code])
    try:
        done = served.inv("jupyter", "--no-open")
    finally:
        process.run(["docker", "exec", served.container_id(), "pkill", "-f", "http.server"])
    assert done.returncode == 4
    assert re.search(r"jupyter ended as soon as it was started.*8888", said(done))
    assert done.stderr.count("HINT ") == 1
    assert "Traceback" not in done.stderr


def test_a_port_that_is_not_published_is_named_with_the_line_to_write(served: Workspace) -> None:
    served.write_env(PORTS="26010:6006")
    served.up()
    done = served.inv("jupyter", "--no-open")
    assert done.returncode == 4
    assert "does not publish port 8888" in said(done)
    assert "Write PORTS=127.0.0.1:26010:6006,8888 into .env" in said(done)


def test_the_host_is_reached_from_inside(served: Workspace) -> None:
    """`host-gateway` is the address of Docker's default bridge, on whatever network one is."""
    asked = ["network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"]
    gateway = process.run(["docker", *asked]).stdout.strip()
    hosts = served.inv("exec", "--", "getent", "hosts", "host.docker.internal")
    assert hosts.stdout.split()[0] == gateway
    with socket.create_server((gateway, 0)) as server:
        server.settimeout(20)
        code = (
            "import socket; s = socket.create_connection(('host.docker.internal', "
            f"{server.getsockname()[1]}), 10); s.sendall(b'from inside'); s.close()"
        )
        asking = served.inv("exec", "--", "python", "-c", code)
        assert asking.returncode == 0, said(asking)
        accepted = server.accept()[0]
        with accepted:
            assert accepted.recv(100) == b"from inside"
