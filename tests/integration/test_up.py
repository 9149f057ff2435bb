"""From a clone to a container that works, and everything that may go wrong on the way."""

from __future__ import annotations

import json
import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.workspace import Workspace, base_image, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.needs("docker")

PLANTED = "planted-secret-5c1b"


@pytest.fixture(autouse=True)
def _usual_settings(workspace: Workspace) -> Iterator[None]:
    workspace.write_env()
    yield
    workspace.write_env()


def test_up_ends_with_a_proof_from_inside(workspace: Workspace) -> None:
    done = workspace.up()
    for name in ("user", "workspace", "Python", "git", "DVC", "network", "cache"):
        assert f"✓ {name}" in said(done)
    proof = workspace.json("doctor")
    assert proof["works"]
    verdicts = {check["name"]: check["verdict"] for check in proof["checks"]}
    del verdicts["identity"]  # git may not know who works on this machine
    assert set(verdicts.values()) == {"works"}


def test_a_second_up_changes_nothing(workspace: Workspace) -> None:
    workspace.up()
    before = workspace.container_id()
    assert "Nothing to do" in said(workspace.up())
    assert workspace.container_id() == before
    assert workspace.json("plan")["steps"] == []
    assert workspace.json("status")["up_to_date"]


def test_what_runs_is_hardened(workspace: Workspace) -> None:
    workspace.write_env(PORTS="0.0.0.0:18765:80,18766:81")
    assert "other machines" in said(workspace.up())
    facts = workspace.inspect()
    host = facts["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Init"] is True
    assert host["ShmSize"] == 8 * 1024**3
    assert host["PortBindings"]["81/tcp"][0]["HostIp"] == "127.0.0.1"
    assert facts["Config"]["Healthcheck"]["Test"]
    inside = workspace.inv("exec", "--", "grep", "-h", "^CapEff\\|^NoNewPrivs", "/proc/self/status")
    assert "CapEff: 0000000000000000" in said(inside)
    assert "NoNewPrivs: 1" in said(inside)


def test_the_person_stays_the_same_on_both_sides(workspace: Workspace) -> None:
    workspace.up()
    (workspace.root / "data").mkdir(exist_ok=True)
    wrote = workspace.inv("exec", "--", "sh", "-c", "echo inside > data/file && pwd && id -u")
    assert said(wrote) == f"{workspace.root} {os.getuid()}"
    assert (workspace.root / "data" / "file").stat().st_uid == os.getuid()
    linked = workspace.inv("exec", "--", "cat", "/workspace/data/file")
    assert said(linked) == "inside"


def test_a_command_inside_keeps_its_words_and_its_exit_code(workspace: Workspace) -> None:
    workspace.up()
    command = ["python", "-c", "import sys; print(sys.argv[1]); sys.exit(7)", "two  words"]
    done = workspace.inv("exec", "--", *command)
    assert (done.returncode, done.stdout) == (7, "two  words\n")
    assert workspace.inv("exec").returncode == 2


def test_secrets_reach_a_command_inside_and_nothing_else(workspace: Workspace) -> None:
    workspace.write_env(AWS_SECRET_ACCESS_KEY=PLANTED)
    workspace.up()
    seen = workspace.inv("exec", "--", "sh", "-c", "echo $AWS_SECRET_ACCESS_KEY")
    assert seen.stdout.strip() == PLANTED
    image = workspace.inspect()["Config"]["Image"]
    for command in (
        ["docker", "inspect", workspace.container_id()],
        ["docker", "image", "inspect", image],
        ["docker", "history", "--no-trunc", image],
        ["docker", "logs", workspace.container_id()],
    ):
        assert PLANTED not in said(process.run(command))
    for file in (workspace.root / ".slipway").rglob("*"):
        assert not file.is_file() or PLANTED not in file.read_text(errors="replace")


def test_certificates_are_trusted_and_not_baked_in(workspace: Workspace) -> None:
    workspace.up()
    bundle = workspace.json("plan")["ca_bundle"]
    if bundle is None:
        pytest.fail("this machine has no bundle of certificates to test with")
    image = workspace.inspect()["Config"]["Image"]
    listed = ["docker", "run", "--rm", "--entrypoint", "sh", image, "-c"]
    script = "test ! -e /run/secrets/ca && test ! -e /run/slipway && env | grep -c CERT || true"
    assert said(process.run([*listed, script])) == "0"
    fetched = workspace.inv("exec", "--", "pip", "download", "--no-deps", "-qd", "fetched", "six")
    assert fetched.returncode == 0, said(fetched)


def test_a_taken_port_is_named_and_the_container_goes_on_running(workspace: Workspace) -> None:
    workspace.up()
    before = workspace.container_id()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        workspace.write_env(PORTS=f"{number}:8888")
        done = workspace.inv("up", "--yes")
    assert done.returncode == 4
    assert f"Port {number} on 127.0.0.1 is taken" in said(done)
    assert "HINT" in done.stderr
    assert "Traceback" not in done.stderr
    assert workspace.container_id() == before
    workspace.write_env()
    assert "Nothing to do" in said(workspace.up()), "a failed up leaves nothing behind"


def test_a_taken_port_gets_a_free_neighbour_and_keeps_it(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        workspace.write_env(PORTS=str(number))
        assert f"port {number} is taken by another program" in said(workspace.up())
        (port,) = workspace.json("status")["ports"]
        assert (port["container"], port["instead_of"]) == (number, number)
        bound = workspace.inspect()["HostConfig"]["PortBindings"][f"{number}/tcp"]
        assert bound == [{"HostIp": "127.0.0.1", "HostPort": str(port["host"])}]
        assert f"127.0.0.1:{port['host']} -> {number} (instead of {number})" in said(
            workspace.inv("status")
        )
        before = workspace.container_id()
        assert "Nothing to do" in said(workspace.up())
    assert "Nothing to do" in said(workspace.up()), "it ended; the container stays as it is"
    assert workspace.container_id() == before


def test_a_failed_build_leaves_the_container_running(workspace: Workspace) -> None:
    workspace.up()
    before = workspace.container_id()
    dockerfile = workspace.root / "Dockerfile"
    text = dockerfile.read_text()
    try:
        dockerfile.write_text(text + "RUN echo broken on purpose >&2; exit 3\n")
        done = workspace.inv("up", "--yes")
    finally:
        dockerfile.write_text(text)
    assert done.returncode == 3
    assert "broken on purpose" in said(done)
    assert workspace.container_id() == before
    assert "Nothing to do" in said(workspace.up())


def test_a_container_that_cannot_start_is_put_back(workspace: Workspace) -> None:
    """The rehearsal sees it: docker-compose.yml asks for a device that is not there."""
    workspace.up()
    before = workspace.container_id()
    compose = workspace.root / "docker-compose.yml"
    text = compose.read_text()
    try:
        compose.write_text(
            text.replace("    init: true", "    devices: [/dev/no-such]\n    init: true")
        )
        done = workspace.inv("up", "--yes")
    finally:
        compose.write_text(text)
    assert done.returncode in (3, 4)
    assert "/dev/no-such" in said(done)
    assert workspace.container_id() == before
    assert "Nothing to do" in said(workspace.up())


@pytest.fixture
def other_python() -> Iterator[str]:
    """A base image whose python3 says that it is another version."""
    name = "slipway-test:python3.12"
    dockerfile = (
        f"FROM {base_image()}\nRUN printf '#!/bin/sh\\necho 3.12\\n' > /usr/bin/python3.x "
        "&& chmod +x /usr/bin/python3.x && ln -sf /usr/bin/python3.x /usr/bin/python3\n"
    )
    process.run(["docker", "build", "--quiet", "--tag", name, "-"], stdin=dockerfile)
    yield name
    process.run(["docker", "image", "rm", "--force", name])


def test_a_base_that_is_not_python_39_is_refused_by_name(
    workspace: Workspace, other_python: str
) -> None:
    workspace.write_env(BASE_IMAGE=other_python)
    done = workspace.inv("up", "--yes")
    assert done.returncode == 4
    assert f"BASE_IMAGE is {other_python}, which is not Python 3.9: its python3 is 3.12" in said(
        done
    )


@pytest.mark.parametrize(
    ("values", "code", "message"),
    [
        ({"DVC_CACHE_DIR": "/no/such/cache"}, 2, "DVC_CACHE_DIR is /no/such/cache, which does not"),
        ({"BASE_IMAG": "x"}, 2, "the key BASE_IMAG is unknown"),
        ({"SHM_SIZE": "huge"}, 2, "SHM_SIZE (from .env) is not valid"),
        ({"CA_BUNDLE": "/no/such.pem"}, 2, "CA_BUNDLE is /no/such.pem"),
        ({"DVC_CACHE_DIR": "/"}, 2, "DVC_CACHE_DIR is /"),
    ],
)
def test_broken_settings_are_refused_by_their_key(
    workspace: Workspace, values: dict[str, str], code: int, message: str
) -> None:
    workspace.write_env(**values)
    done = workspace.inv("up", "--yes")
    assert done.returncode == code
    assert message in said(done)
    assert "HINT" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_an_engine_it_says_how_to_get_one(workspace: Workspace) -> None:
    done = workspace.inv("up", env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert done.returncode == 4
    assert "No Docker engine answers" in said(done)
    assert "./inv engine" in said(done)
    assert "Traceback" not in done.stderr


def test_without_compose_it_says_so(workspace: Workspace, tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    real = process.run(["sh", "-c", "command -v docker"]).stdout.strip()
    docker.write_text(f'#!/bin/sh\nif [ "$1" = compose ]; then exit 1; fi\nexec {real} "$@"\n')
    docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
    done = workspace.inv("up", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert done.returncode == 3
    assert "`docker compose` is not installed" in said(done)


def test_status_logs_attach_and_down_tell_what_they_see(workspace: Workspace) -> None:
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


@pytest.mark.parametrize("first", [True, False])
def test_a_workspace_that_cannot_be_written_is_named(
    adas_workspace: Workspace, first: bool
) -> None:
    """Before there is an environment the wrapper says it, and the plan's check from then on."""
    if not first:
        assert adas_workspace.inv("--list").returncode == 0
    adas_workspace.root.chmod(0o500)
    try:
        done = adas_workspace.inv("up", "--yes")
    finally:
        adas_workspace.root.chmod(0o755)
    assert done.returncode == 2
    assert "where you may not write" in said(done)
    assert "Traceback" not in done.stderr
    assert not (adas_workspace.root / ".slipway" / "compose.yml").exists()


@pytest.mark.needs("root")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """A real one: an ext4 of 12 MB that a file has filled."""
    disk, mounted = tmp_path / "disk", tmp_path / "mounted"
    mounted.mkdir()
    with disk.open("wb") as stream:
        stream.truncate(12 << 20)
    process.run(["mkfs.ext4", "-q", str(disk)])
    process.run(["mount", "-o", "loop", str(disk), str(mounted)])
    try:
        full = Workspace(mounted / "project")
        process.run(["dd", "if=/dev/zero", f"of={mounted}/filler", "bs=4k"], check=False)
        done = full.inv("up", "--yes")
        assert done.returncode == 1
        assert "No space left on device" in said(done)
        assert "Traceback" not in done.stderr
        assert not (full.root / ".slipway" / "compose.yml").exists()
        assert full.container_id() == ""
    finally:
        process.run(["umount", str(mounted)])
