"""Git from inside, with the person's own identity and SSH agent, through every door."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.integration.git_site import SHELL, Site, inside
from tests.integration.ssh_server import (
    MAIL,
    NAME,
    agent,
)
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker", "ssh")


def owners_and_modes(directory: Path) -> set[tuple[int, int]]:
    found = [path.lstat() for path in directory.rglob("*") if path.is_file()]
    return {(one.st_uid, stat.S_IMODE(one.st_mode)) for one in found}


def test_work_goes_both_ways(each_site: Site) -> None:
    """Commit, push, fetch and pull inside, and look at it from outside."""
    site, git = each_site, each_site.person.git
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


def test_aliases_and_settings_cross_from_every_level_and_include(each_site: Site) -> None:
    site, person = each_site, each_site.person
    settings = person.home / ".gitconfig"
    usual = settings.read_text()
    (person.home / "of work").write_text("[alias]\n\tfrom-work = !git config user.name\n")
    person.configure("alias.short", "log -1 --format=%s")
    person.configure("core.abbrev", "12")
    person.configure("core.excludesFile", "/srv/elsewhere/ignored")
    person.configure(f"includeIf.gitdir:{site.workspace.root}/.path", str(person.home / "of work"))
    try:
        person.give()
        planned = said(person.inv("plan"))
        assert "core.excludesfile (/srv/elsewhere/ignored is not there)" in planned
        person.up()
        assert inside(site.exec, "git short") == person.git("short")
        assert inside(site.exec, "git from-work") == NAME
        assert len(inside(site.exec, "git rev-parse --short HEAD")) == 12
        assert inside(site.exec, "git config core.excludesFile || echo none") == "none"
        inside(site.exec, "git config --global alias.mine status")
        assert "alias.mine" not in settings.read_text(), "what is set inside stays inside"
    finally:
        inside(site.exec, "git config --global --unset alias.mine || true")
        settings.write_text(usual)
        person.up()


def test_the_host_is_reached_by_its_usual_name(each_site: Site) -> None:
    url = each_site.server.url(each_site.bare, "host.docker.internal")
    script = f"git push -q --force '{url}' main && git ls-remote '{url}'"
    assert "refs/heads/main" in inside(each_site.exec, script)


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


def opened(root: Path, uid: int | None = None) -> Workspace:
    """Return a workspace that is there already."""
    found = Workspace.__new__(Workspace)
    found.root, found.uid = root, uid
    found.write_env()
    return found


@contextlib.contextmanager
def kept_elsewhere(site: Site, kind: str) -> Iterator[Path]:
    """Make a checkout of the workspace's repository whose .git is a file that leads elsewhere."""
    git, own = site.person.git, site.workspace.root
    place = site.person.home / "kept elsewhere"
    root = place / "sub" if kind == "submodule" else place
    try:
        if kind == "worktree":
            git("worktree", "add", "--quiet", "-B", "tree", str(root))
        elif kind == "submodule":
            git("init", "--quiet", str(place))
            adding = ["submodule", "--quiet", "add", str(own), "sub"]
            git("-C", str(place), "-c", "protocol.file.allow=always", *adding)
        else:
            apart = ["--separate-git-dir", str(site.person.home / "apart.git")]
            git("clone", "--quiet", *apart, str(own), str(root))
        assert (root / ".git").is_file()
        if site.workspace.uid is not None:  # whose ./inv would make one anew
            (root / ".venv").mkdir()
            for path in (own / ".venv").iterdir():
                (root / ".venv" / path.name).symlink_to(path)
        yield root
    finally:
        for path in (place, site.person.home / "apart.git"):
            shutil.rmtree(path, ignore_errors=True)
        git("worktree", "prune")


@pytest.mark.parametrize("kind", ["worktree", "submodule", "separate git directory"])
def test_a_repository_that_is_kept_elsewhere_works(each_site: Site, kind: str) -> None:
    site = each_site
    with kept_elsewhere(site, kind) as root:
        person = site.person.elsewhere(opened(root, site.workspace.uid))
        try:
            assert "git directory" in person.inv("plan").stdout
            person.up()
            pushing = (
                f"git push -q --force '{site.server.url(site.bare)}' HEAD:refs/heads/elsewhere"
            )
            script = (
                f"git commit -q --allow-empty -m Elsewhere && {pushing} && git status --porcelain"
            )
            assert inside(person.exec, script) == ""
            assert person.git("log", "-1", "--format=%s|%an") == f"Elsewhere|{NAME}"
            pushed = process.run(["git", "--git-dir", str(site.bare), "rev-parse", "elsewhere"])
            assert person.git("rev-parse", "HEAD") == pushed.stdout.strip()
        finally:
            person.workspace.remove()


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


def test_submodules_work(each_site: Site) -> None:
    """One is fetched inside, committed to on both sides, and pushed inside."""
    site, git = each_site, each_site.person.git
    inside(site.exec, "git push -q --force origin main")
    url = site.server.url(site.bare)
    inside(site.exec, f"git submodule --quiet add '{url}' libs/one && git commit -qm Submodule")
    try:
        site.person.up()  # which tells git inside to trust it
        assert inside(site.exec, "git submodule status") == git("submodule", "status")
        git("-C", "libs/one", "commit", "--quiet", "--allow-empty", "-m", "Out")
        inside(site.exec, "git -C libs/one commit -q --allow-empty -m In && git commit -qam Moved")
        assert git("-C", "libs/one", "log", "-2", "--format=%s|%an") == f"In|{NAME}\nOut|{NAME}"
        inside(site.exec, "git -C libs/one push -q origin HEAD:refs/heads/one")
        pushed = process.run(["git", "--git-dir", str(site.bare), "rev-parse", "one"])
        assert git("rev-parse", "HEAD:libs/one") == pushed.stdout.strip()
        inside(site.exec, "git submodule --quiet deinit --force libs/one")
        inside(site.exec, "git submodule --quiet update --init")
        assert git("-C", "libs/one", "log", "-1", "--format=%s") == "In"
        assert inside(site.exec, "git status --porcelain") == git("status", "--porcelain") == ""
    finally:
        git("rm", "--quiet", "--force", "libs/one")
        git("commit", "--quiet", "--message", "Without")
        shutil.rmtree(site.workspace.root / ".git" / "modules")
        process.run(["git", "--git-dir", str(site.bare), "branch", "-D", "one"])
        site.person.up()


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
