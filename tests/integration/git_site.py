"""A person with a workspace that is up, and an sshd with a repository for it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from scripts import process
from tests.integration.ssh_server import Person, SshServer, agent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.workspace import Workspace

SHELL = ["sh", "-euc"]


class Site:
    """A person, their workspace brought up, and a server that holds a repository of it."""

    def __init__(self, person: Person, server: SshServer, bare: Path) -> None:
        self.person = person
        self.workspace = person.workspace
        self.server = server
        self.bare = bare

    def exec(self, *command: str) -> process.Completed:
        return self.person.exec(*command)


def inside(run: Callable[..., process.Completed], script: str) -> str:
    done = run(*SHELL, script)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def _nothing_more(site: Site) -> None:
    """Leave the person with what everybody has."""


@contextlib.contextmanager
def site_for(workspace: Workspace, equip: Callable[[Site], None] = _nothing_more) -> Iterator[Site]:
    """Yield a person whose workspace is up, after ``equip`` gave them what else they have."""
    directory = Path(tempfile.mkdtemp(prefix="slipway-ssh-"))
    person = Person(workspace)
    server = SshServer(directory, person.public_key)
    person.know(server.known_hosts())
    bare = directory / "bare.git"
    process.run(["git", "init", "--quiet", "--bare", "--initial-branch", "main", str(bare)])
    person.git("remote", "add", "origin", server.url(bare))
    hook = workspace.root / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho hooked >>.slipway/hooked\n")
    hook.chmod(0o755)
    site = Site(person, server, bare)
    equip(site)
    person.give()
    with server.running(), agent(person.socket, person.key, uid=workspace.uid):
        person.up()
        yield site
    shutil.rmtree(directory)
