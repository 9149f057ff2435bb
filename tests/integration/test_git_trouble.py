"""What goes wrong with a repository and its person: each is said once, with one thing to do."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Callable

import pytest

from scripts import process
from tests.integration.git_site import Site, inside
from tests.integration.git_trouble import require_told

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker", "ssh")


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
    pushed_site: Site, *, trouble: Trouble, row: str, seen: str, layer: str | None, told: str
) -> None:
    with trouble(pushed_site):
        require_told(pushed_site, row=row, seen=seen, layer=layer, told=told)
    inside(pushed_site.exec, "git fetch -q")


def test_somebody_whom_git_does_not_know_is_told_so(pushed_site: Site) -> None:
    settings = pushed_site.person.home / ".gitconfig"
    text = settings.read_text()
    settings.unlink()
    try:
        pushed_site.person.up()
        found = pushed_site.person.row("identity")
        assert (found["verdict"], found["seen"]) == ("warning", "git does not know who you are")
        assert "user.email" in found["hint"]
    finally:
        settings.write_text(text)
