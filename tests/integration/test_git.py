"""Git from inside: the agent of SSH, and what a repository and its settings may be like."""

from __future__ import annotations

import hashlib
import json
import shutil
import time

import pytest

from tests.integration.git_site import Site, inside
from tests.integration.ssh_server import NAME, agent
from tests.workspace import said

pytestmark = pytest.mark.needs("docker", "ssh")


def test_libgit2_reads_the_same(site: Site) -> None:
    script = "import pygit2; print(pygit2.Repository('.').config['user.name'])"
    assert inside(site.exec, f'python -c "{script}"') == NAME


def test_no_private_key_is_inside_or_in_what_the_engine_shows(site: Site) -> None:
    secret = site.person.key.read_text().splitlines()[2]
    places = "/etc /home /root /run /tmp /var /opt/environment/bin /workspace/"
    assert inside(site.exec, f"grep -rlsF '{secret}' {places} || true") == ""
    shown = json.dumps(site.workspace.inspect())
    assert secret not in shown
    assert str(site.person.ssh) not in shown
    state = site.workspace.root / ".slipway"
    for path in state.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()


def test_an_up_with_nothing_to_do_stays_one_when_the_agent_changes(site: Site) -> None:
    other = site.person.home / "other.sock"
    before = site.workspace.container_id()
    with agent(other, site.person.key, uid=site.workspace.uid):
        env = {**site.person.environment, "SSH_AUTH_SOCK": str(other)}
        done = site.workspace.inv("up", "--yes", env=env)
        assert "Nothing to do" in done.stdout, done.stdout + done.stderr
        assert "test" in inside(site.exec, "ssh-add -l")
    site.person.up()
    assert site.workspace.container_id() == before
    assert "test" in inside(site.exec, "ssh-add -l")


def test_a_git_dir_of_the_shell_stays_outside_and_is_named(each_site: Site) -> None:
    """Its repository's remotes are not the workspace's, so that nothing is asked for them."""
    site, person = each_site, each_site.person
    other = person.home / "other"
    person.git("init", "--quiet", str(other))
    person.git("-C", str(other), "remote", "add", "far", "ssh://git@no-such-host.invalid/x.git")
    before = person.git("rev-parse", "HEAD")
    try:
        person.variables["GIT_DIR"] = str(other / ".git")
        planned = said(person.inv("plan"))
        assert f"GIT_DIR is {other}/.git, which stays outside" in planned
        person.up()
        script = (
            "git remote; git commit -q --allow-empty -m Here; git rev-parse --show-toplevel HEAD^"
        )
        assert inside(site.exec, script).split() == ["origin", str(site.workspace.root), before]
        rows = json.loads(person.inv("net", "--json").stdout)["rows"]
        assert [row["name"] for row in rows if row["name"].startswith("git remote")] == [
            "git remote origin"
        ]
    finally:
        person.variables.clear()
        shutil.rmtree(other)
    assert "GIT_DIR" not in person.inv("plan").stdout


def test_large_files_are_kept_apart_by_git_lfs(each_site: Site) -> None:
    """The image's own git-lfs sends them with a push and gets them with a clone."""
    site, git = each_site, each_site.person.git
    large = f"file://{site.workspace.root}/.slipway/large.git"
    try:
        inside(
            site.exec,
            "git lfs track --filename 'large.bin' && head -c 100000 /dev/urandom >large.bin",
        )
        inside(site.exec, "git add . && git commit -qm Large && git lfs install --local >/dev/null")
        content = (site.workspace.root / "large.bin").read_bytes()
        pointer = git("show", "HEAD:large.bin")
        assert pointer.startswith("version https://git-lfs.github.com/spec/v1")
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" in pointer
        inside(site.exec, f"git init -q --bare .slipway/large.git && git push -q {large} main")
        inside(site.exec, f"git clone -q --branch main {large} .slipway/cloned")
        assert (site.workspace.root / ".slipway" / "cloned" / "large.bin").read_bytes() == content
        assert inside(site.exec, "git status --porcelain") == git("status", "--porcelain") == ""
    finally:
        for name in ("large.git", "cloned"):
            shutil.rmtree(site.workspace.root / ".slipway" / name, ignore_errors=True)
        inside(
            site.exec,
            "git lfs uninstall --local >/dev/null && git rm -q -f large.bin .gitattributes",
        )
        inside(site.exec, "git commit -qm 'Without large files'")


def test_what_is_changed_is_the_same_on_both_sides(site: Site) -> None:
    settings = {"autocrlf": "input", "fileMode": "false"}
    for key, value in settings.items():
        site.person.configure(f"core.{key}", value)
    (site.workspace.root / "lines").write_bytes(b"one\r\ntwo\r\n")
    site.person.git("add", "lines")
    site.person.git("commit", "--quiet", "-m", "Lines")
    site.person.up()
    for key, value in settings.items():
        assert inside(site.exec, f"git config core.{key}") in (value, "true")
    for _ in range(2):
        for status in (site.person.git("status", "--short"), inside(site.exec, "git status -s")):
            assert status == ""
    site.person.git("rm", "--quiet", "lines")
    site.person.git("commit", "--quiet", "-m", "Gone")


def test_the_relay_ends_when_there_is_no_use_for_it(site: Site) -> None:
    relay = site.workspace.root / ".slipway" / "ssh" / "agent.sock"
    other = site.person.home / "short.sock"
    env = {**site.person.environment, "SSH_AUTH_SOCK": str(other)}
    with agent(other, site.person.key):
        assert site.workspace.inv("exec", "--", "ssh-add", "-l", env=env).returncode == 0
    other.unlink(missing_ok=True)
    end = time.monotonic() + 10
    while relay.exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    site.person.up()
    assert relay.exists()
