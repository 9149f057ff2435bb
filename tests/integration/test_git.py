"""Git from inside, with the person's own identity and SSH agent, through every door."""

from __future__ import annotations

import json
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest

from scripts import process
from tests.integration.git_site import SHELL, Site, inside, site_for
from tests.integration.ssh_server import (
    MAIL,
    NAME,
    agent,
)
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker", "ssh")


@pytest.fixture(scope="module")
def site(workspace: Workspace) -> Iterator[Site]:
    with site_for(workspace) as made:
        yield made


@pytest.fixture(scope="module")
def adas_site(adas_workspace: Workspace) -> Iterator[Site]:
    with site_for(adas_workspace) as made:
        yield made


def owners_and_modes(directory: Path) -> set[tuple[int, int]]:
    found = [path.lstat() for path in directory.rglob("*") if path.is_file()]
    return {(one.st_uid, stat.S_IMODE(one.st_mode)) for one in found}


def work(site: Site, run: Callable[..., process.Completed]) -> None:
    """Commit, push, fetch and pull inside, and look at it from outside."""
    git = site.person.git
    before = owners_and_modes(site.workspace.root / ".git")
    inside(run, "date +%N >new && git add new && git commit --quiet -m Inside && git push -q")
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
    inside(run, "git fetch -q && git pull -q --ff-only")
    assert git("log", "-1", "--format=%s") == "Outside"
    assert git("status", "--porcelain") == inside(run, "git status --porcelain") == ""


def test_work_goes_both_ways_through_inv(site: Site) -> None:
    inside(site.exec, "git push -q --set-upstream origin main")
    work(site, site.exec)


@pytest.mark.needs("devcontainer")
def test_work_goes_both_ways_through_a_dev_container_tool(site: Site) -> None:
    inside(site.exec, "git push -q --set-upstream origin main")
    work(site, site.devcontainer)


def test_work_goes_both_ways_for_a_user_who_is_not_root(adas_site: Site) -> None:
    inside(adas_site.exec, "git push -q --set-upstream origin main")
    work(adas_site, adas_site.exec)


def test_the_host_is_reached_by_its_usual_name(site: Site) -> None:
    url = site.server.url(site.bare, "host.docker.internal")
    assert "refs/heads/main" in inside(
        site.exec, f"git push -q '{url}' main; git ls-remote '{url}'"
    )


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


def opened(root: Path) -> Workspace:
    """Return a workspace that is there already."""
    found = Workspace.__new__(Workspace)
    found.root, found.uid = root, None
    found.write_env()
    return found


@pytest.mark.parametrize("kind", ["worktree", "submodule"])
def test_a_repository_that_is_kept_elsewhere_works(site: Site, kind: str, tmp_path: Path) -> None:
    git, environment = site.person.git, site.person.environment
    if kind == "worktree":
        root = site.workspace.root.parent / "tree"
        git("worktree", "add", "--quiet", "-b", "tree", str(root))
    else:
        above = tmp_path / "above"
        root = above / "sub"
        git("init", "--quiet", str(above))
        adding = ["submodule", "--quiet", "add", str(site.workspace.root), "sub"]
        git("-C", str(above), "-c", "protocol.file.allow=always", *adding)
    tree = opened(root)
    try:
        assert "git directory" in tree.inv("plan", env=environment).stdout
        done = tree.inv("up", "--yes", env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        script = "git commit --quiet --allow-empty -m Elsewhere && git status --porcelain"
        done = tree.inv("exec", "--", *SHELL, script, env=environment)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert git("-C", str(root), "log", "-1", "--format=%s|%an") == f"Elsewhere|{NAME}"
    finally:
        tree.remove()
        if kind == "worktree":
            git("worktree", "remove", "--force", str(root))


def test_submodules_and_large_files_work(site: Site) -> None:
    git = site.person.git
    outside = ["-c", "protocol.file.allow=always", "submodule", "--quiet"]
    git(*outside, "add", str(site.bare), "libs/one")
    git("commit", "--quiet", "-m", "Submodule")
    site.person.up()
    assert inside(site.exec, "git submodule status") == git("submodule", "status")
    inside(site.exec, "git -C libs/one commit --quiet --allow-empty -m In && git commit -qam Moved")
    assert git("-C", "libs/one", "log", "-1", "--format=%an") == NAME
    inside(site.exec, "git lfs track '*.bin' && date >x.bin && git add . && git commit -qm Large")
    assert git("show", "HEAD:x.bin").startswith("version https://git-lfs.github.com/spec/v1")


@pytest.mark.parametrize(("key", "value"), [("autocrlf", "input"), ("fileMode", "false")])
def test_what_is_changed_is_the_same_on_both_sides(site: Site, key: str, value: str) -> None:
    site.person.configure(f"core.{key}", value)
    (site.workspace.root / "lines").write_bytes(b"one\r\ntwo\r\n")
    site.person.git("add", "lines")
    site.person.git("commit", "--quiet", "-m", "Lines")
    site.person.up()
    assert inside(site.exec, f"git config core.{key}") in (value, "true")
    for _ in range(2):
        for status in (site.person.git("status", "--short"), inside(site.exec, "git status -s")):
            assert status == ""
    site.person.git("rm", "--quiet", "lines")
    site.person.git("commit", "--quiet", "-m", "Gone")


def test_commits_are_signed_by_the_agent_with_the_public_key_alone(site: Site) -> None:
    """The image's git may be too old to sign: the host's plays its part, with its files only."""
    person, root = site.person, site.workspace.root
    for key, value in (("gpg.format", "ssh"), ("user.signingkey", str(person.key))):
        person.configure(key, value)
    person.configure("commit.gpgsign", "true")
    (person.home / "signers").write_text(f"{MAIL} {person.public_key}\n")
    try:
        person.up()
        inside(site.exec, "git commit --quiet --allow-empty -m 'Signed if git can'")
        state = root / ".slipway"
        environment = {
            "HOME": "/nonexistent",
            "GIT_CONFIG_GLOBAL": str(state / "gitconfig"),
            "SSH_AUTH_SOCK": str(state / "ssh" / "agent.sock"),
        }
        newer = ["-c", f"include.path={state}/gitconfig-2.35"]
        signers = ["-c", f"gpg.ssh.allowedSignersFile={person.home}/signers"]
        commit = ["commit", "--quiet", "--allow-empty", "-m", "Signed"]
        process.run(["git", *newer, *commit], cwd=root, env=environment)
        assert person.git(*signers, "log", "-1", "--format=%G?|%GS") == f"G|{MAIL}"
    finally:
        person.configure("commit.gpgsign", "false")


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


def test_roots_agent_serves_the_owner_of_the_workspace(adas_site: Site) -> None:
    person = adas_site.person
    by_root = opened(adas_site.workspace.root)
    with agent(person.home / "roots.sock", person.key):
        env = {**person.environment, "SSH_AUTH_SOCK": str(person.home / "roots.sock")}
        script = "id -u; ssh-add -l; git push -q origin HEAD:main; git ls-remote origin"
        done = by_root.inv("exec", "--", *SHELL, script, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[0] == str(adas_site.workspace.uid)
    assert "refs/heads/main" in done.stdout
    unreached = said(by_root.inv("plan", env={**person.environment, "SSH_AUTH_SOCK": ""}))
    assert "git remote origin needs one inside" in unreached, "root's git doubts the owner"
    person.up()
    assert "test" in inside(adas_site.exec, "ssh-add -l")
