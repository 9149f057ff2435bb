"""What goes wrong with git: each within ten seconds, said once, with one thing to do."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from typing import TYPE_CHECKING, Callable

import pytest

from scripts import process
from tests.integration.git_site import Site, inside, site_for
from tests.integration.ssh_server import agent, make_key
from tests.workspace import said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.workspace import Workspace

pytestmark = pytest.mark.needs("docker", "ssh")

LIMIT_S = 10


@pytest.fixture(scope="module")
def site(workspace: Workspace) -> Iterator[Site]:
    with site_for(workspace) as made:
        inside(made.exec, "git push -q origin main")
        yield made


@contextlib.contextmanager
def no_repository(site: Site) -> Iterator[None]:
    own, aside = site.workspace.root / ".git", site.workspace.root.parent / "git-aside"
    own.rename(aside)
    try:
        yield
    finally:
        aside.rename(own)


@contextlib.contextmanager
def detached(site: Site) -> Iterator[None]:
    site.person.git("checkout", "--quiet", "--detach")
    try:
        yield
    finally:
        site.person.git("checkout", "--quiet", "main")


@contextlib.contextmanager
def another_owner(site: Site) -> Iterator[None]:
    place = str(site.workspace.root / ".git")
    process.run(["chown", "4321:4321", place])
    try:
        yield
    finally:
        process.run(["chown", "0:0", place])


@contextlib.contextmanager
def another_host_key(site: Site) -> Iterator[None]:
    key = site.bare.parent / "other_key"
    site.person.know(site.server.known_hosts(make_key(key)))
    try:
        yield
    finally:
        key.unlink()
        site.person.know(site.server.known_hosts())


@contextlib.contextmanager
def unknown_name(site: Site) -> Iterator[None]:
    usual = site.person.git("remote", "get-url", "origin")
    site.person.git("remote", "set-url", "origin", "ssh://git@no-such-host.invalid/x.git")
    try:
        yield
    finally:
        site.person.git("remote", "set-url", "origin", usual)


@contextlib.contextmanager
def hanging_agent(site: Site) -> Iterator[None]:
    """Stop an agent that crosses already."""
    place = site.person.home / "hangs.sock"
    with agent(place, site.person.key) as running:
        site.person.variables["SSH_AUTH_SOCK"] = str(place)
        site.person.up()
        running.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            running.send_signal(signal.SIGCONT)
            site.person.variables.clear()


Trouble = Callable[[Site], "contextlib.AbstractContextManager[None]"]


@pytest.mark.parametrize(
    ("trouble", "row", "seen", "layer", "told"),
    [
        (detached, "git", "no branch", "", ""),
        (no_repository, "git", "the workspace is no git repository", None, "not a git repository"),
        (another_owner, "git", "main", "", ""),
        (another_host_key, "SSH agent", "1 key", "host key", "HOST IDENTIFICATION HAS CHANGED"),
        (unknown_name, "SSH agent", "1 key", "name", "Could not resolve hostname"),
        (hanging_agent, "SSH agent", "Error connecting to agent", "auth", "Permission denied"),
    ],
)
def test_each_trouble_is_said_once_within_ten_seconds(
    site: Site, *, trouble: Trouble, row: str, seen: str, layer: str | None, told: str
) -> None:
    with trouble(site):
        for command, hints in (("up", 0), ("doctor", 0), ("net", 1 if layer else 0)):
            started = time.monotonic()
            done = site.person.inv(command, *(["--yes"] if command == "up" else []))
            assert time.monotonic() - started < LIMIT_S, command
            assert done.returncode == (4 if hints else 0), said(done)
            assert done.stderr.count("HINT ") == hints, said(done)
        found = site.row(row)
        assert found["seen"].startswith(seen), found
        assert (found["verdict"] == "works") is not bool(found["hint"])
        rows = json.loads(site.person.inv("net", "--json").stdout)["rows"]
        layers = {one["name"]: (one["layer"], bool(one["hint"])) for one in rows}
        expected = None if layer is None else (layer, bool(layer))
        assert layers.get("git remote origin") == expected, rows
        started = time.monotonic()
        done = site.exec("git", "fetch")
        assert time.monotonic() - started < LIMIT_S
        assert told in done.stdout + done.stderr
        assert (done.returncode == 0) is not bool(told), said(done)
    site.person.up()
    inside(site.exec, "git fetch -q")


def test_somebody_whom_git_does_not_know_is_told_so(site: Site) -> None:
    settings = site.person.home / ".gitconfig"
    text = settings.read_text()
    settings.unlink()
    try:
        site.person.up()
        found = site.row("identity")
        assert (found["verdict"], found["seen"]) == ("warning", "git does not know who you are")
        assert "user.email" in found["hint"]
    finally:
        settings.write_text(text)
        site.person.up()


def test_an_agent_without_a_key_is_told_with_what_helps(site: Site) -> None:
    place = site.person.home / "empty.sock"
    with agent(place):
        env = {**site.person.environment, "SSH_AUTH_SOCK": str(place)}
        notes = json.loads(site.workspace.inv("plan", "--json", env=env).stdout)["notes"]
    (note,) = [note for note in notes if "agent" in note]
    assert "holds no key" in note
    assert "`ssh-add`" in note


def test_without_an_agent_it_is_told_how_to_start_one(site: Site) -> None:
    env = {**site.person.environment, "SSH_AUTH_SOCK": ""}
    notes = json.loads(site.workspace.inv("plan", "--json", env=env).stdout)["notes"]
    (note,) = [note for note in notes if "agent" in note]
    assert "no SSH agent runs in this shell" in note
    assert "`eval $(ssh-agent) && ssh-add`" in note


def test_an_agent_that_hangs_is_named_in_the_plan(site: Site) -> None:
    with hanging_agent(site):
        started = time.monotonic()
        planned = said(site.person.inv("plan", "--json"))
        assert time.monotonic() - started < LIMIT_S
    assert "does not answer within 3 s" in planned
    site.person.up()
