"""What git does inside, by each way in: a test for each property, on two workspaces in all.

Whoever works there has everything at once: settings of every level, an agent of SSH with two keys,
an alias of ~/.ssh/config, a key to sign with, and a credential for a server on the web.
"""

from __future__ import annotations

import contextlib
import json
import re
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from scripts import process
from tests.integration.conftest import DOORS
from tests.integration.git_http import PLANTED, web_remote
from tests.integration.git_site import SHELL, Site, inside, site_for
from tests.integration.proxy_site import Authority
from tests.integration.signer import Signer
from tests.integration.ssh_server import MAIL, NAME, Person, agent, make_key
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker", "ssh", "gpg", "git-http")


class Equipped(NamedTuple):
    """A person who has all of it."""

    site: Site
    person: Person
    signer: Signer


def has_settings(site: Site) -> None:
    person = site.person
    (person.home / "of work").write_text("[alias]\n\tfrom-work = !git config user.name\n")
    person.configure("alias.short", "log -1 --format=%s")
    person.configure("core.abbrev", "12")
    person.configure("core.excludesFile", "/srv/elsewhere/ignored")
    person.configure(f"includeIf.gitdir:{site.workspace.root}/.path", str(person.home / "of work"))


def has_aliases(site: Site) -> None:
    """Name the server in ~/.ssh/config, once directly and once through itself."""
    person = site.person
    named = [f"IdentityFile {person.key}", "IdentitiesOnly yes", "LocalForward 9999 localhost:1"]
    jumped = site.server.alias("behind", "ProxyJump work")
    (person.ssh / "config").write_text(site.server.alias("work", *named) + jumped)
    for name in ("work", "behind"):
        person.git("remote", "add", name, f"{name}:{site.bare}")


@contextlib.contextmanager
def equipped_in(workspace: Workspace) -> Iterator[Equipped]:
    signers: list[Signer] = []
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-web-")))
        place.chmod(0o755)

        def equip(site: Site) -> None:
            person = site.person
            has_settings(site)
            has_aliases(site)
            stack.enter_context(web_remote(site, Authority(place / "authority.pem")))
            person.store_credential(site.person.git("remote", "get-url", "web"), PLANTED)
            workspace.write_env(GIT_CREDENTIALS="host")
            make_key(person.home / "other_key")
            person.give()
            many = person.home / "many.sock"
            keys = (person.home / "other_key", person.key)
            stack.enter_context(agent(many, *keys, uid=workspace.uid))
            person.variables["SSH_AUTH_SOCK"] = str(many)
            signers.append(stack.enter_context(Signer(person).ending()))

        site = stack.enter_context(site_for(workspace, equip))
        yield Equipped(site, site.person, *signers)


@pytest.fixture(scope="module")
def equipped(workspace: Workspace) -> Iterator[Equipped]:
    with equipped_in(workspace) as made:
        yield made


@pytest.fixture(scope="module")
def adas(adas_workspace: Workspace) -> Iterator[Equipped]:
    with equipped_in(adas_workspace) as made:
        yield made


@pytest.fixture(params=DOORS)
def each(request: pytest.FixtureRequest) -> Iterator[Equipped]:
    """Each of the doors in turn."""
    who, door = request.param
    made: Equipped = request.getfixturevalue("equipped" if who == "root" else "adas")
    with made.person.going_through(door):
        yield made


def owners_and_modes(directory: Path) -> set[tuple[int, int]]:
    found = [path.lstat() for path in directory.rglob("*") if path.is_file()]
    return {(one.st_uid, stat.S_IMODE(one.st_mode)) for one in found}


def test_work_goes_both_ways(each: Equipped) -> None:
    """Commit, push, fetch and pull inside, and look at it from outside."""
    site, git = each.site, each.person.git
    inside(site.exec, "git push -q --force --set-upstream origin main")
    before = owners_and_modes(site.workspace.root / ".git")
    inside(site.exec, "date +%N >new && git add new && git commit --quiet -m Inside && git push -q")
    assert git("log", "-1", "--format=%an|%ae|%cn|%ce") == "|".join((NAME, MAIL) * 2)
    pushed = process.run(["git", "--git-dir", str(site.bare), "rev-parse", "main"])
    assert git("rev-parse", "HEAD") == pushed.stdout.strip()
    assert (site.workspace.root / ".slipway" / "hooked").exists()
    owner = site.workspace.uid or 0
    assert {uid for uid, _ in owners_and_modes(site.workspace.root / ".git")} == {owner}
    assert owners_and_modes(site.workspace.root / ".git") <= before | {(owner, 0o444)}
    with tempfile.TemporaryDirectory() as elsewhere:
        process.run(["git", "clone", "--quiet", str(site.bare), elsewhere])
        who = ["-c", "user.name=B", "-c", "user.email=b@example.com"]
        commit = ["commit", "--quiet", "--allow-empty", "-m", "Outside"]
        process.run(["git", *who, *commit], cwd=Path(elsewhere))
        process.run(["git", "push", "--quiet"], cwd=Path(elsewhere))
    inside(site.exec, "git fetch -q && git pull -q --ff-only")
    assert git("log", "-1", "--format=%s") == "Outside"
    assert git("status", "--porcelain") == inside(site.exec, "git status --porcelain") == ""


def test_aliases_and_settings_cross_from_every_level_and_include(each: Equipped) -> None:
    person, run = each.person, each.site.exec
    planned = said(person.inv("plan"))
    assert "core.excludesfile (/srv/elsewhere/ignored is not there)" in planned
    assert inside(run, "git short") == person.git("short")
    assert inside(run, "git from-work") == NAME
    assert len(inside(run, "git rev-parse --short HEAD")) == 12
    assert inside(run, "git config core.excludesFile || echo none") == "none"
    try:
        inside(run, "git config --global alias.mine status")
        settings = (person.home / ".gitconfig").read_text()
        assert "alias.mine" not in settings, "what is set inside stays inside"
    finally:
        inside(run, "git config --global --unset alias.mine")


def test_the_host_is_reached_by_its_usual_name(each: Equipped) -> None:
    url = each.site.server.url(each.site.bare, "host.docker.internal")
    script = f"git push -q --force '{url}' main && git ls-remote '{url}'"
    assert "refs/heads/main" in inside(each.site.exec, script)


def test_an_alias_of_the_ssh_config_works_without_its_key(each: Equipped) -> None:
    person, run = each.person, each.site.exec
    inside(run, "git commit -q --allow-empty -m Alias")
    inside(run, "git push -q --force work HEAD:refs/heads/alias && git fetch -q work")
    assert inside(run, "git rev-parse work/alias") == person.git("rev-parse", "HEAD")
    assert "refs/heads/alias" in inside(run, "git ls-remote behind")
    asked = inside(run, "ssh -G work")
    assert "localforward" not in asked
    assert str(person.key) not in asked


def test_a_credential_of_the_host_is_lent_and_stored_nowhere(each: Equipped) -> None:
    site, person = each.site, each.person
    pushing = "git push -q --force web HEAD:refs/heads/over-http"
    inside(site.exec, f"git commit -q --allow-empty -m Web && {pushing}")
    inside(site.exec, "git fetch -q web")
    pushed = process.run(["git", "--git-dir", str(site.bare), "rev-parse", "over-http"])
    assert inside(site.exec, "git rev-parse web/over-http") == pushed.stdout.strip()
    assert person.git("rev-parse", "HEAD") == pushed.stdout.strip()
    rows = json.loads(person.inv("net", "--json").stdout)["rows"]
    (row,) = [row for row in rows if row["name"] == "git remote web"]
    assert (row["layer"], PLANTED in row["seen"]) == ("", False), row
    for path in (site.workspace.root / ".slipway").rglob("*"):
        assert not path.is_file() or PLANTED.encode() not in path.read_bytes()
    assert PLANTED not in json.dumps(site.workspace.inspect())
    assert PLANTED not in inside(site.exec, "env; cat /proc/[0-9]*/environ | tr '\\0' ' '")


def test_the_hosts_gpg_agent_signs_commits_and_tags(each: Equipped) -> None:
    signer, run = each.signer, each.site.exec
    commit = "git commit --quiet --allow-empty -m"
    inside(run, f"{commit} 'By itself'; {commit} Asked -S; git tag -s -f -m Tag inside")
    assert each.person.row("identity")["seen"] == (
        f"{NAME} <{MAIL}>, signs with the OpenPGP key {signer.key}"
    )
    signer.require_signed("HEAD", "HEAD^")
    signer.run("git", "verify-tag", "inside")


def test_roots_agent_serves_the_owner_of_the_workspace(adas: Equipped) -> None:
    person = adas.person
    by_root = Workspace.opened(adas.site.workspace.root)
    with agent(person.home / "roots.sock", person.key):
        env = {**person.environment, "SSH_AUTH_SOCK": str(person.home / "roots.sock")}
        script = "id -u; ssh-add -l; git push -q origin HEAD:main; git ls-remote origin"
        done = by_root.inv("exec", "--", *SHELL, script, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[0] == str(adas.site.workspace.uid)
    assert "refs/heads/main" in done.stdout
    planned = by_root.inv("plan", env={**person.environment, "SSH_AUTH_SOCK": ""})
    (named,) = re.findall(r"git remote ([\w, ]+) needs one inside", said(planned))
    assert set(named.split(", ")) == {"origin", "work", "behind"}, "root's git doubts the owner"
    person.up()
    assert "test" in inside(adas.site.exec, "ssh-add -l")
