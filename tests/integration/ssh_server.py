"""A real sshd, a real agent with a key made for the occasion, and a person who has both."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scripts import process
from scripts.crossing.relays import answers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.workspace import Workspace

Door = Literal["inv exec", "devcontainer exec"]
"""A way to run a command inside."""
NAME, MAIL = 'Ada Löve "the #1"; L', "ada@example.com"


def gateway() -> str:
    """Return the address under which containers reach this machine, and nobody else does."""
    wanted = "{{(index .IPAM.Config 0).Gateway}}"
    command = ["docker", "network", "inspect", "bridge", "--format", wanted]
    return process.run(command).stdout.strip()


def make_key(path: Path) -> str:
    """Make a key without a passphrase; return its public half."""
    process.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)])
    return path.with_name(f"{path.name}.pub").read_text(encoding="utf-8").strip()


class SshServer:
    """An sshd on a free port of Docker's bridge, for the user who runs the tests."""

    def __init__(self, directory: Path, authorized: str) -> None:
        self.directory = directory
        self.address = gateway()
        self.host_key = make_key(directory / "host_key")
        with socket.socket() as free:
            free.bind((self.address, 0))
            self.port = int(free.getsockname()[1])
        (directory / "authorized").write_text(f"{authorized}\n")
        (directory / "config").write_text(
            f"ListenAddress {self.address}:{self.port}\nHostKey {directory}/host_key\n"
            f"AuthorizedKeysFile {directory}/authorized\nPidFile none\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        )

    @property
    def user(self) -> str:
        return pwd.getpwuid(os.getuid()).pw_name

    def alias(self, name: str, *more: str) -> str:
        """Return what ~/.ssh/config says to call this server ``name``."""
        lines = (f"HostName {self.address}", f"Port {self.port}", f"User {self.user}", *more)
        return f"Host {name}\n" + "".join(f"\t{line}\n" for line in lines)

    def url(self, repository: Path, host: str = "") -> str:
        return f"ssh://{self.user}@{host or self.address}:{self.port}{repository}"

    def known_hosts(self, key: str = "") -> str:
        names = (self.address, "host.docker.internal")
        listed = ",".join(f"[{name}]:{self.port}" for name in names)
        return f"{listed} {key or self.host_key}\n"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        program = shutil.which("sshd") or "/usr/sbin/sshd"
        command = [program, "-D", "-e", "-f", str(self.directory / "config")]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as started:
            try:
                self._wait()
                yield
            finally:
                started.terminate()

    def _wait(self) -> None:
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection((self.address, self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < end, "sshd does not answer"
                time.sleep(0.05)
            else:
                return


@contextlib.contextmanager
def agent(
    socket_path: Path, *keys: Path, uid: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run an agent that holds ``keys``, for another user if need be."""
    user = [] if uid is None else ["setpriv", "--reuid", str(uid), "--clear-groups"]
    command = [*user, "ssh-agent", "-D", "-a", str(socket_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as started:
        try:
            end = time.monotonic() + 10
            while not answers(socket_path):  # that it is there says less: it listens a moment later
                assert time.monotonic() < end, "ssh-agent does not answer"
                time.sleep(0.02)
            for key in keys:
                adding = [*user, "ssh-add", "-q", str(key)]
                process.run(adding, env={"SSH_AUTH_SOCK": str(socket_path)})
            yield started
        finally:
            started.terminate()


class Person:
    """The home of somebody who works in ``workspace``: git's and ssh's files, and an agent."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.home = workspace.root.parent
        self.ssh = self.home / ".ssh"
        self.ssh.mkdir(mode=0o700, exist_ok=True)
        self.key = self.ssh / "id_ed25519"
        self.public_key = make_key(self.key)
        self.socket = self.home / "agent.sock"
        self.door: Door = "inv exec"
        self.variables: dict[str, str] = {}
        self.configure("user.name", NAME)
        self.configure("user.email", MAIL)
        self.give()

    def configure(self, key: str, value: str) -> None:
        process.run(["git", "config", "--file", str(self.home / ".gitconfig"), key, value])

    def store_credential(self, url: str, password: str) -> None:
        """Let git's `store` know ada's credential for a server, in the home."""
        (self.home / ".git-credentials").write_text(
            f"{url}\n".replace("://", f"://ada:{password}@")
        )
        self.configure("credential.helper", "store")
        self.give()

    def know(self, known_hosts: str) -> None:
        (self.ssh / "known_hosts").write_text(known_hosts)
        self.give()

    def give(self) -> None:
        """Let all of it belong to the person."""
        uid = self.workspace.uid
        if uid is not None:
            process.run(["chown", "-R", f"{uid}:{uid}", str(self.home)])

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.home), "SSH_AUTH_SOCK": str(self.socket), **self.variables}

    def inv(self, *arguments: str) -> process.Completed:
        return self.workspace.inv(*arguments, env=self.environment)

    def exec(self, *command: str) -> process.Completed:
        """Run a command inside, through this person's door."""
        if self.door == "inv exec":
            return self.inv("exec", "--", *command)
        program = os.environ.get("SLIPWAY_TEST_DEVCONTAINER", "devcontainer")
        folder = ["--workspace-folder", str(self.workspace.root)]
        return self.workspace.run([program, "exec", *folder, *command], env=self.environment)

    @contextlib.contextmanager
    def going_through(self, door: Door) -> Iterator[None]:
        usual, self.door = self.door, door
        try:
            yield
        finally:
            self.door = usual

    def elsewhere(self, workspace: Workspace) -> Person:
        """Return the same person, at work in another workspace."""
        other = copy.copy(self)
        other.workspace = workspace
        return other

    def up(self) -> str:
        done = self.inv("up", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def row(self, name: str) -> dict[str, str]:
        """Return a row of what doctor says."""
        found = json.loads(self.inv("doctor", "--json").stdout)["checks"]
        return next(row for row in found if row["name"] == name)

    def git(self, *arguments: str) -> str:
        """Run git outside, as this person."""
        done = self.workspace.run(["git", *arguments], env=self.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()
