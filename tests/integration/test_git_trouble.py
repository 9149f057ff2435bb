"""What goes wrong with a repository and its person: each is said once, with one thing to do."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Callable

import pytest

from scripts import process
from tests.integration.git_site import Site, inside, site_for
from tests.integration.git_trouble import require_told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.workspace import Workspace

pytestmark = pytest.mark.needs("docker", "ssh")


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


Trouble = Callable[[Site], "contextlib.AbstractContextManager[None]"]


@pytest.mark.parametrize(
    ("trouble", "row", "seen", "layer", "told"),
    [
        (detached, "git", "no branch", "", ""),
        (no_repository, "git", "the workspace is no git repository", None, "not a git repository"),
        (another_owner, "git", "main", "", ""),
    ],
)
def test_each_trouble_is_said_once_within_ten_seconds(
    site: Site, *, trouble: Trouble, row: str, seen: str, layer: str | None, told: str
) -> None:
    with trouble(site):
        require_told(site, row=row, seen=seen, layer=layer, told=told)
    inside(site.exec, "git fetch -q")


def test_somebody_whom_git_does_not_know_is_told_so(site: Site) -> None:
    settings = site.person.home / ".gitconfig"
    text = settings.read_text()
    settings.unlink()
    try:
        site.person.up()
        found = site.person.row("identity")
        assert (found["verdict"], found["seen"]) == ("warning", "git does not know who you are")
        assert "user.email" in found["hint"]
    finally:
        settings.write_text(text)
