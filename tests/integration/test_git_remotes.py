"""Remotes that want a password, lent or not, and what doctor says of the person."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from scripts import process
from tests.integration.git_http import PLANTED, web_remote
from tests.integration.git_site import Site, inside
from tests.integration.proxy_site import Authority
from tests.integration.ssh_server import MAIL, NAME, agent

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker", "ssh")

SOCKET = ".slipway/credentials/socket"


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with tempfile.TemporaryDirectory(prefix="slipway-web-") as directory:
        Path(directory).chmod(0o755)
        yield Authority(Path(directory) / "authority.pem")


class OnTheWeb(NamedTuple):
    """Somebody's site with the remote ``web``, and that remote's server."""

    site: Site
    url: str


@pytest.fixture
def web(each_site: Site, authority: Authority) -> Iterator[OnTheWeb]:
    with web_remote(each_site, authority) as url:
        yield OnTheWeb(each_site, url)
    each_site.workspace.write_env()
    each_site.person.git("remote", "remove", "web")


def refused(site: Site, command: str, what: str) -> None:
    done = site.exec("git", command, "web", "main")
    assert done.returncode != 0
    assert what in done.stdout + done.stderr


@pytest.mark.needs("git-http")
def test_a_credential_is_lent_where_that_is_asked_for_until_the_container_ends(
    web: OnTheWeb,
) -> None:
    site, person = web.site, web.site.person
    person.store_credential(web.url, PLANTED)
    person.up()
    refused(site, "fetch", "could not read Username")
    site.workspace.write_env(GIT_CREDENTIALS="host")
    person.up()
    inside(site.exec, "git push -q --force web main && git fetch -q web")
    asking = ["git", "credential-cache", "--socket", str(site.workspace.root / SOCKET), "get"]
    host = web.url.partition("://")[2]
    lent = process.run(asking, stdin=f"protocol=https\nhost={host}\n\n")
    assert PLANTED in lent.stdout
    assert person.inv("down").returncode == 0
    assert not (site.workspace.root / SOCKET).exists()


@pytest.mark.needs("git-http")
@pytest.mark.parametrize("known", ["", "wrong"])
def test_without_the_right_credential_git_inside_says_so(web: OnTheWeb, known: str) -> None:
    site, person = web.site, web.site.person
    socket = site.workspace.root / SOCKET
    process.run(["git", "credential-cache", "--socket", str(socket), "exit"])
    if known:
        person.store_credential(web.url, known)
    else:
        person.configure("credential.helper", "!false")
    site.workspace.write_env(GIT_CREDENTIALS="host")
    notes = " ".join(person.up().split())
    assert ("know no credential for" in notes) is not bool(known)
    wanted = "Authentication failed for" if known else "could not read Username"
    for command in ("fetch",) if known else ("fetch", "push"):  # a wrong one is forgotten
        refused(site, command, wanted)


def test_doctor_says_who_commits_and_what_the_agent_holds(site: Site) -> None:
    person = site.person
    assert person.row("identity")["seen"] == f"{NAME} <{MAIL}>"
    assert person.row("SSH agent") == {
        "name": "SSH agent", "verdict": "works", "seen": "1 key", "hint": "",
    }  # fmt: skip
    try:
        with agent(person.home / "bare.sock", uid=site.workspace.uid):
            person.variables["SSH_AUTH_SOCK"] = str(person.home / "bare.sock")
            person.up()
            found = person.row("SSH agent")
            assert (found["verdict"], found["hint"][:9]) == ("warning", "`ssh-add`")
            assert "no identities" in found["seen"]
    finally:
        del person.variables["SSH_AUTH_SOCK"]
