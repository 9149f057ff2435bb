"""Remotes that want a password or an alias of ~/.ssh/config, and what doctor says of the person."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.integration.git_http import git_server
from tests.integration.git_site import Site, inside
from tests.integration.proxy_site import Authority
from tests.integration.ssh_server import MAIL, NAME, Person, agent, gateway, make_key

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker", "ssh")

PLANTED = "planted-credential-7d2e"
SOCKET = ".slipway/credentials/socket"


def stored(person: Person, url: str, password: str) -> None:
    """Let git's `store` know the credential, in the person's home."""
    (person.home / ".git-credentials").write_text(url.replace("://", f"://ada:{password}@") + "\n")
    person.configure("credential.helper", "store")
    person.give()


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with tempfile.TemporaryDirectory(prefix="slipway-web-") as directory:
        Path(directory).chmod(0o755)
        yield Authority(Path(directory) / "authority.pem")


@contextlib.contextmanager
def on_the_web(site: Site, authority: Authority) -> Iterator[str]:
    """Serve the bare repository behind TLS, to one account, as the remote ``web``."""
    certificate = authority.issue(gateway(), authority.path.parent)
    # From here on: each change of it would mean a new container.
    site.person.variables["CA_BUNDLE"] = str(authority.bundle)
    with git_server(site.bare.parent, gateway(), f"ada:{PLANTED}", certificate) as url:
        site.person.git("remote", "add", "web", f"{url}/bare.git")
        try:
            yield url
        finally:
            site.workspace.write_env()
            site.person.git("remote", "remove", "web")
            site.person.up()


@pytest.mark.needs("git-http")
def test_a_credential_of_the_host_is_lent_and_stored_nowhere(
    each_site: Site, authority: Authority
) -> None:
    site, person, root = each_site, each_site.person, each_site.workspace.root
    with on_the_web(site, authority) as url:
        stored(person, url, PLANTED)
        person.up()
        refused = site.exec("git", "fetch", "web")
        assert refused.returncode != 0
        assert "could not read Username" in refused.stdout + refused.stderr
        site.workspace.write_env(GIT_CREDENTIALS="host")
        person.up()
        pushing = "git push -q --force web HEAD:refs/heads/over-http"
        inside(site.exec, f"git commit -q --allow-empty -m Web && {pushing}")
        inside(site.exec, "git fetch -q web")
        pushed = process.run(["git", "--git-dir", str(site.bare), "rev-parse", "over-http"])
        assert inside(site.exec, "git rev-parse web/over-http") == pushed.stdout.strip()
        assert person.git("rev-parse", "HEAD") == pushed.stdout.strip()
        rows = json.loads(person.inv("net", "--json").stdout)["rows"]
        (row,) = [row for row in rows if row["name"] == "git remote web"]
        assert (row["layer"], PLANTED in row["seen"]) == ("", False), row
        for path in (root / ".slipway").rglob("*"):
            assert not path.is_file() or PLANTED.encode() not in path.read_bytes()
        assert PLANTED not in json.dumps(site.workspace.inspect())
        assert PLANTED not in inside(site.exec, "env; cat /proc/[0-9]*/environ | tr '\\0' ' '")


@pytest.mark.needs("git-http")
def test_what_was_lent_ends_with_the_container(site: Site, authority: Authority) -> None:
    with on_the_web(site, authority) as url:
        stored(site.person, url, PLANTED)
        site.workspace.write_env(GIT_CREDENTIALS="host")
        site.person.up()
        inside(site.exec, "git fetch -q web")
        asking = ["git", "credential-cache", "--socket", str(site.workspace.root / SOCKET), "get"]
        host = url.partition("://")[2]
        lent = process.run(asking, stdin=f"protocol=https\nhost={host}\n\n")
        assert PLANTED in lent.stdout
        assert site.person.inv("down").returncode == 0
        assert not (site.workspace.root / SOCKET).exists()


@pytest.mark.needs("git-http")
@pytest.mark.parametrize("known", ["", "wrong"])
def test_without_the_right_credential_git_inside_says_so(
    each_site: Site, authority: Authority, known: str
) -> None:
    site, person, root = each_site, each_site.person, each_site.workspace.root
    process.run(["git", "credential-cache", "--socket", str(root / SOCKET), "exit"])
    with on_the_web(site, authority) as url:
        if known:
            stored(person, url, known)
        else:
            person.configure("credential.helper", "!false")
        site.workspace.write_env(GIT_CREDENTIALS="host")
        notes = " ".join(person.up().split())
        assert ("know no credential for" in notes) is not bool(known)
        for command in ("fetch",) if known else ("fetch", "push"):  # a wrong one is forgotten
            refused = site.exec("git", command, "web", "main")
            assert refused.returncode != 0
            wanted = "Authentication failed for" if known else "could not read Username"
            assert wanted in refused.stdout + refused.stderr


def test_an_alias_of_the_ssh_config_works_without_its_key(each_site: Site) -> None:
    site, person = each_site, each_site.person
    config = person.ssh / "config"
    named = [f"IdentityFile {person.key}", "IdentitiesOnly yes", "LocalForward 9999 localhost:1"]
    jumped = site.server.alias("behind", "ProxyJump work")
    config.write_text(site.server.alias("work", *named) + jumped)
    other = person.home / "other_key"
    make_key(other)
    person.give()
    person.git("remote", "add", "work", f"work:{site.bare}")
    person.git("remote", "add", "behind", f"behind:{site.bare}")
    many = person.home / "many.sock"
    try:
        with agent(many, other, person.key, uid=site.workspace.uid):
            person.variables["SSH_AUTH_SOCK"] = str(many)
            person.up()
            inside(site.exec, "git commit -q --allow-empty -m Alias")
            inside(site.exec, "git push -q --force work HEAD:refs/heads/alias && git fetch -q work")
            assert inside(site.exec, "git rev-parse work/alias") == person.git("rev-parse", "HEAD")
            assert "refs/heads/alias" in inside(site.exec, "git ls-remote behind")
            asked = inside(site.exec, "ssh -G work")
            assert "localforward" not in asked
            assert str(person.key) not in asked
    finally:
        del person.variables["SSH_AUTH_SOCK"]
        config.unlink()
        for path in (other, other.with_name("other_key.pub")):
            path.unlink()
        for remote in ("work", "behind"):
            person.git("remote", "remove", remote)
        person.up()


def test_doctor_says_who_commits_and_what_the_agent_holds(site: Site) -> None:
    person = site.person
    assert site.row("identity")["seen"] == f"{NAME} <{MAIL}>"
    assert site.row("SSH agent") == {
        "name": "SSH agent", "verdict": "works", "seen": "1 key", "hint": "",
    }  # fmt: skip
    try:
        with agent(person.home / "bare.sock", uid=site.workspace.uid):
            person.variables["SSH_AUTH_SOCK"] = str(person.home / "bare.sock")
            person.up()
            found = site.row("SSH agent")
            assert (found["verdict"], found["hint"][:9]) == ("warning", "`ssh-add`")
            assert "no identities" in found["seen"]
    finally:
        del person.variables["SSH_AUTH_SOCK"]
        person.up()
