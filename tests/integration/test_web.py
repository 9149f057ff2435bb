"""JupyterLab and TensorBoard, started by one command and opened in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from scripts import process
from tests.integration.proxy_site import free_port
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker")

SEE = Path(__file__).parent / "browser" / "see.js"
JUPYTER_PORT, TENSORBOARD_PORT = free_port("127.0.0.1"), free_port("127.0.0.1")
PUBLISHED = f"{JUPYTER_PORT}:8888,{TENSORBOARD_PORT}:6006"
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
    assert address == f"http://127.0.0.1:{JUPYTER_PORT}"
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
    assert url == f"http://127.0.0.1:{TENSORBOARD_PORT}/"
    shown = see(
        "curve", f"{url}#timeseries", tag="loss/planted", screenshot=str(tmp_path / "s.png")
    )
    assert "0.25" in shown
    other = served.inv("tensorboard", "--logdir", str(served.root / "docs"), "--no-open")
    assert other.returncode == 2
    assert "runs already" in said(other)


def test_what_cannot_be_started_says_why_in_its_own_words(served: Workspace) -> None:
    served.inv("jupyter", "--stop")
    broken = json.dumps({"ServerApp": {"certfile": "/no/such/certificate"}})
    where = "~/.jupyter/jupyter_config.json"
    script = f"mkdir -p ~/.jupyter && echo '{broken}' > {where}"
    assert served.inv("exec", "--", "sh", "-c", script).returncode == 0
    done = served.inv("jupyter", "--no-open")
    served.inv("exec", "--", "sh", "-c", f"rm {where}")
    assert done.returncode == 4
    assert re.search(r"jupyter ended as soon as it was started.*certificate", said(done))
    assert done.stderr.count("HINT ") == 1
    start(served, "jupyter")
    script = "grep -l no/such/certificate /tmp/slipway-jupyter-*/log.before"
    assert served.inv("exec", "--", "sh", "-c", script).returncode == 0, "kept for whoever asks"


def test_a_port_that_another_program_has_is_told_at_once(served: Workspace) -> None:
    """Its answers are not taken for those of a server that is only starting."""
    served.inv("jupyter", "--stop")
    other = [served.container_id(), "python", "-m", "http.server", "8888"]
    process.run(["docker", "exec", "--detach", *other])
    waiting = "until curl -s -o /dev/null http://127.0.0.1:8888/; do sleep 0.1; done"
    process.run(["docker", "exec", served.container_id(), "sh", "-c", waiting], timeout_s=30)
    try:
        done = served.inv("jupyter", "--no-open")
    finally:
        process.run(["docker", "exec", served.container_id(), "pkill", "-f", "http.server"])
    assert done.returncode == 4
    assert "Another program inside listens on port 8888" in said(done)
    assert done.stderr.count("HINT ") == 1


SILENT = """
echo 'still reading the stars'
exec sleep 300
"""


def test_what_does_not_answer_in_time_is_ended_and_its_log_shown(served: Workspace) -> None:
    served.inv("jupyter", "--stop")
    (served.root / "bin").mkdir()
    program = served.root / "bin" / "jupyter"
    program.write_text(f"#!/bin/sh{SILENT}")
    program.chmod(0o755)
    asked = {"call": "start", "name": "jupyter", "port": 8888, "shows": "/", "within_s": 1.0}
    module = ["python", "-m", "scripts.container.web_inside", json.dumps(asked)]
    path = f"PATH={program.parent}:/opt/environment/bin:/usr/bin:/bin"
    done = served.inv("exec", "--", "env", path, *module)
    error = json.loads(done.stdout)["error"]
    assert error["message"] == "jupyter does not answer within 1 s.\n  still reading the stars"
    assert "/log holds all that it said" in error["hint"]
    running = process.run(["docker", "top", served.container_id(), "-eo", "pid,args"]).stdout
    assert "sleep 300" not in running
    assert "did not run" in said(served.inv("jupyter", "--stop"))


def test_two_who_start_it_at_once_get_one_server(served: Workspace) -> None:
    served.inv("jupyter", "--stop")
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: served.inv("jupyter", "--no-open"), range(2)))
    assert [done.returncode for done in both] == [0, 0]
    assert both[0].stdout == both[1].stdout
    assert sorted("runs already" in said(done) for done in both) == [False, True]


def test_a_server_that_was_killed_is_started_anew(served: Workspace) -> None:
    url = start(served, "jupyter")
    kill = "kill -9 $(sed 's/.*\"pid\": \\([0-9]*\\).*/\\1/' /tmp/slipway-jupyter-*/server.json)"
    assert served.inv("exec", "--", "sh", "-c", kill).returncode == 0
    assert start(served, "jupyter") != url


def test_the_browser_is_opened_unless_told_not_to(served: Workspace, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    browser.chmod(0o755)
    env = {"BROWSER": str(browser)}
    done = served.inv("jupyter", "--no-open", env=env)
    assert done.returncode == 0, said(done)
    assert not opened.exists()
    assert served.inv("jupyter", env=env).stdout == done.stdout
    (address,) = opened.read_text().splitlines()
    page = Path(urlsplit(address).path)
    assert page.stat().st_mode & 0o777 == 0o600, "its address holds the token"
    assert f"url={done.stdout.strip()}" in page.read_text()
    page.unlink()


def test_a_port_that_is_not_published_is_named_with_the_line_to_write(served: Workspace) -> None:
    served.write_env(PORTS=f"{TENSORBOARD_PORT}:6006")
    served.up()
    done = served.inv("jupyter", "--no-open")
    assert done.returncode == 4
    assert "does not publish port 8888" in said(done)
    assert f"Write PORTS=127.0.0.1:{TENSORBOARD_PORT}:6006,8888 into .env" in said(done)


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
