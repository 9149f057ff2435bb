"""What goes wrong with SSH and its agent: each is said once, with one thing to do."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from typing import TYPE_CHECKING, Callable

import pytest

from tests.integration.git_site import Site, inside
from tests.integration.git_trouble import LIMIT_S, require_told
from tests.integration.ssh_server import agent, make_key
from tests.workspace import said

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker", "ssh")


@contextlib.contextmanager
def another_host_key(site: Site) -> Iterator[None]:
    key = site.bare.parent / "other_key"
    site.person.know(site.server.known_hosts(make_key(key)))
    try:
        yield
    finally:
        key.unlink()
        site.person.know(site.server.known_hosts())
        site.person.up()  # which is what lets it cross


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
        (another_host_key, "SSH agent", "1 key", "host key", "HOST IDENTIFICATION HAS CHANGED"),
        (unknown_name, "SSH agent", "1 key", "name", "Could not resolve hostname"),
        (hanging_agent, "SSH agent", "Error connecting to agent", "auth", "Permission denied"),
    ],
)
def test_each_trouble_is_said_once_within_ten_seconds(
    pushed_site: Site, *, trouble: Trouble, row: str, seen: str, layer: str | None, told: str
) -> None:
    with trouble(pushed_site):
        started = time.monotonic()
        planned = said(pushed_site.person.inv("plan", "--json"))
        assert time.monotonic() - started < LIMIT_S
        assert ("does not answer within 3 s" in planned) is (trouble is hanging_agent), planned
        require_told(pushed_site, row=row, seen=seen, layer=layer, told=told)
    inside(pushed_site.exec, "git fetch -q")


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
