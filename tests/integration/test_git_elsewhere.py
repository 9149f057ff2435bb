"""A workspace whose .git is a file that leads elsewhere, and one that holds submodules."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.integration.git_site import Site, inside
from tests.integration.ssh_server import NAME
from tests.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.needs("docker", "ssh")


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
        person = site.person.elsewhere(Workspace.opened(root, site.workspace.uid))
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
