"""From a clone to a container that works, and what leaves one that runs as it is."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker")

PLANTED = "planted-secret-5c1b"
SETTINGS = {"AWS_SECRET_ACCESS_KEY": PLANTED}


@pytest.fixture(autouse=True)
def _usual_settings(workspace: Workspace) -> Iterator[None]:
    workspace.write_env(**SETTINGS)
    yield
    workspace.write_env(**SETTINGS)


@pytest.fixture(scope="module")
def first_up(workspace: Workspace) -> str:
    """Bring it up, for all tests; return what a person was told."""
    workspace.write_env(**SETTINGS)
    return said(workspace.up())


@pytest.fixture
def up(workspace: Workspace, first_up: str) -> Workspace:
    """The workspace, up with the usual settings."""
    assert first_up
    return workspace


@pytest.fixture
def kept(up: Workspace) -> Iterator[Workspace]:
    """What a test tries in vain changes nothing, and leaves nothing behind."""
    before = up.container_id()
    assert before
    yield up
    up.write_env(**SETTINGS)
    assert up.container_id() == before
    assert up.json("plan")["steps"] == []


def test_up_ends_with_a_proof_from_inside(up: Workspace, first_up: str) -> None:
    for name in ("user", "workspace", "Python", "git", "DVC", "network", "cache"):
        assert f"✓ {name}" in first_up
    proof = up.json("doctor")
    assert proof["works"]
    verdicts = {check["name"]: check["verdict"] for check in proof["checks"]}
    del verdicts["identity"]  # git may not know who works on this machine
    assert set(verdicts.values()) == {"works"}


def test_a_second_up_changes_nothing(kept: Workspace) -> None:
    assert "Nothing to do" in said(kept.up())
    assert kept.json("status")["up_to_date"]


def test_what_runs_is_hardened(up: Workspace) -> None:
    facts = up.inspect()
    host = facts["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Init"] is True
    assert host["ShmSize"] == 8 * 1024**3
    assert facts["Config"]["Healthcheck"]["Test"]
    inside = up.inv("exec", "--", "grep", "-h", "^CapEff\\|^NoNewPrivs", "/proc/self/status")
    assert "CapEff: 0000000000000000" in said(inside)
    assert "NoNewPrivs: 1" in said(inside)


def test_the_person_stays_the_same_on_both_sides(up: Workspace) -> None:
    (up.root / "data").mkdir(exist_ok=True)
    wrote = up.inv("exec", "--", "sh", "-c", "echo inside > data/file && pwd && id -u")
    assert said(wrote) == f"{up.root} {os.getuid()}"
    assert (up.root / "data" / "file").stat().st_uid == os.getuid()
    linked = up.inv("exec", "--", "cat", "/workspace/data/file")
    assert said(linked) == "inside"


def test_a_command_inside_keeps_its_words_and_its_exit_code(up: Workspace) -> None:
    command = ["python", "-c", "import sys; print(sys.argv[1]); sys.exit(7)", "two  words"]
    done = up.inv("exec", "--", *command)
    assert (done.returncode, done.stdout) == (7, "two  words\n")
    assert up.inv("exec").returncode == 2


def test_secrets_reach_a_command_inside_and_nothing_else(up: Workspace) -> None:
    seen = up.inv("exec", "--", "sh", "-c", "echo $AWS_SECRET_ACCESS_KEY")
    assert seen.stdout.strip() == PLANTED
    image = up.inspect()["Config"]["Image"]
    for command in (
        ["docker", "inspect", up.container_id()],
        ["docker", "image", "inspect", image],
        ["docker", "history", "--no-trunc", image],
        ["docker", "logs", up.container_id()],
    ):
        assert PLANTED not in said(process.run(command))
    for file in (up.root / ".slipway").rglob("*"):
        assert not file.is_file() or PLANTED not in file.read_text(errors="replace")


def test_certificates_are_trusted_and_not_baked_in(up: Workspace) -> None:
    bundle = up.json("plan")["ca_bundle"]
    if bundle is None:
        pytest.fail("this machine has no bundle of certificates to test with")
    image = up.inspect()["Config"]["Image"]
    listed = ["docker", "run", "--rm", "--entrypoint", "sh", image, "-c"]
    script = "test ! -e /run/secrets/ca && test ! -e /run/slipway && env | grep -c CERT || true"
    assert said(process.run([*listed, script])) == "0"
    fetched = up.inv("exec", "--", "pip", "download", "--no-deps", "-qd", "fetched", "six")
    assert fetched.returncode == 0, said(fetched)


def test_a_taken_port_is_named_and_the_container_goes_on_running(kept: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        kept.write_env(PORTS=f"{number}:8888")
        done = kept.inv("up", "--yes")
    assert done.returncode == 4
    assert f"Port {number} on 127.0.0.1 is taken" in said(done)
    assert "HINT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failed_build_leaves_the_container_running(kept: Workspace) -> None:
    dockerfile = kept.root / "Dockerfile"
    text = dockerfile.read_text()
    try:
        dockerfile.write_text(text + "RUN echo broken on purpose >&2; exit 3\n")
        done = kept.inv("up", "--yes")
    finally:
        dockerfile.write_text(text)
    assert done.returncode == 3
    assert "broken on purpose" in said(done)


def test_a_container_that_cannot_start_is_put_back(kept: Workspace) -> None:
    """The rehearsal sees it: docker-compose.yml asks for a device that is not there."""
    compose = kept.root / "docker-compose.yml"
    text = compose.read_text()
    try:
        compose.write_text(
            text.replace("    init: true", "    devices: [/dev/no-such]\n    init: true")
        )
        done = kept.inv("up", "--yes")
    finally:
        compose.write_text(text)
    assert done.returncode in (3, 4)
    assert "/dev/no-such" in said(done)


def test_a_taken_port_gets_a_free_neighbour_and_keeps_it(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        workspace.write_env(PORTS=f"{number},0.0.0.0:18765:80,18766:81")
        told = said(workspace.up())
        assert f"port {number} is taken by another program" in told
        assert "other machines" in told, "may reach a port that is not this machine's alone"
        port, *_ = workspace.json("status")["ports"]
        assert (port["container"], port["instead_of"]) == (number, number)
        published = workspace.inspect()["HostConfig"]["PortBindings"]
        bound = published[f"{number}/tcp"]
        assert bound == [{"HostIp": "127.0.0.1", "HostPort": str(port["host"])}]
        assert published["81/tcp"][0]["HostIp"] == "127.0.0.1"
        assert f"127.0.0.1:{port['host']} -> {number} (instead of {number})" in said(
            workspace.inv("status")
        )
        assert workspace.json("plan")["steps"] == []
    assert workspace.json("plan")["steps"] == [], "it ended; the container stays as it is"


def test_status_logs_attach_and_down_tell_what_they_see(workspace: Workspace) -> None:
    if not workspace.container_id():  # this test alone
        workspace.up()
    assert workspace.json("status")["running"] is True
    assert workspace.inv("logs").returncode == 0
    attached = said(workspace.inv("attach", env={"PATH": "/usr/local/bin:/usr/bin:/bin"}))
    word = next(word for word in attached.split() if word.startswith("vscode-remote://"))
    name, _, path = word.partition("attached-container+")[2].partition("/")
    assert json.loads(bytes.fromhex(name)) == {"containerName": f"/{workspace.project}-dev-1"}
    assert f"/{path}" == str(workspace.root)
    assert workspace.inv("down").returncode == 0
    assert workspace.container_id() == ""
    assert workspace.json("status")["running"] is False
    for task in ("doctor", "shell", "logs", "attach"):
        done = workspace.inv(task)
        assert done.returncode == 4
        assert "`./inv up` starts it" in said(done)
