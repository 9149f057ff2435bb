"""Every link type on every file system and place of the cache, seen from both sides of the wall."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from scripts import process
from scripts.links.extents import share_extents
from scripts.links.model import LINK_TYPES
from tests.filesystems import KINDS, MIB, mounted
from tests.rare import rarely
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.process import Completed

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("links")]

PLACES = ("in tree", "shared, same file system", "shared, another file system")
FILES = {"a.bin": 70_000, "b.bin": 5_000, "deep/c.bin": 300_000}


@pytest.fixture(scope="module")
def filesystems() -> Iterator[dict[str, Path]]:
    with ExitStack() as stack:
        yield {kind: stack.enter_context(mounted(kind, size_bytes=768 * MIB)) for kind in KINDS}


class Project(Workspace):
    """A workspace with a DVC project and data, its cache at a place of its own."""

    def __init__(self, root: Path, cache: Path | None) -> None:
        super().__init__(root)
        self.cache = cache or root / ".dvc" / "cache"
        if cache is not None:
            cache.mkdir(parents=True)
            self.write_env(DVC_CACHE_DIR=str(cache))
        self.up()
        assert self.inv("dvc-init").returncode == 0
        for name, size in FILES.items():
            path = root / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(size))
        self.dvc_inside("add", "--quiet", "data")
        self.up()

    def dvc_inside(self, *arguments: str) -> Completed:
        done = self.inv("exec", "--", "dvc", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def dvc_outside(self, *arguments: str) -> Completed:
        done = self.run([sys.executable, "-m", "dvc", *arguments])
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def files(self) -> list[Path]:
        return [self.root / "data" / name for name in FILES]

    def object_of(self, path: Path) -> Path:
        listed = json.loads(self.object(self.out_hash()).read_text())
        relative = str(path.relative_to(self.root / "data"))
        return self.object(next(item["md5"] for item in listed if item["relpath"] == relative))

    def out_hash(self) -> str:
        text = (self.root / "data.dvc").read_text()
        return next(line.split()[-1] for line in text.splitlines() if "md5:" in line)

    def object(self, oid: str) -> Path:
        return self.cache / "files" / "md5" / oid[:2] / oid[2:]

    def state_outside(self, path: Path) -> str:
        """Return what a file is, as inodes, extents and link targets tell here."""
        target = self.object_of(path)
        if path.is_symlink():
            return "symlink" if path.resolve() == target.resolve() else "foreign"
        if path.samefile(target):
            return "hardlink"
        return "reflink" if share_extents(path, target) else "copy"

    def states_inside(self) -> set[str]:
        """Return what the files are, as inodes, extents and link targets tell inside."""
        code = (
            "import os, sys\n"
            "from scripts.links.extents import share_extents\n"
            "for path, target in zip(sys.argv[1::2], sys.argv[2::2]):\n"
            "    link, same = os.path.islink(path), os.path.samefile(path, target)\n"
            "    print('symlink' if link and same else 'foreign' if link else 'hardlink' if same\n"
            "          else 'reflink' if share_extents(path, target) else 'copy')\n"
        )
        pairs = [str(item) for path in self.files() for item in (path, self.object_of(path))]
        done = self.inv("exec", "--", "python", "-c", code, *pairs)
        assert done.returncode == 0, done.stderr
        return set(done.stdout.split())

    def assert_clean_on_both_sides(self) -> None:
        assert "up to date" in self.dvc_inside("status").stdout
        assert "up to date" in self.dvc_outside("status").stdout


CASES = [
    (kind, place) if kinds == places else rarely((kind, place))
    for kinds, kind in enumerate(KINDS)
    for places, place in enumerate(PLACES)
]
"""Each file system and each place once, and with --all one with each other."""


@pytest.fixture(scope="module", params=CASES, ids=str)
def project(
    request: pytest.FixtureRequest, filesystems: dict[str, Path]
) -> Iterator[tuple[str, str, Project]]:
    kind, place = request.param
    number = PLACES.index(place)
    home = filesystems[kind] / f"team {number}"
    elsewhere = filesystems[KINDS[(KINDS.index(kind) + 1) % len(KINDS)]]
    cache = {
        "in tree": None,
        "shared, same file system": home / "cache",
        "shared, another file system": elsewhere / f"cache of {kind}",
    }[place]
    made = Project(home / "project", cache)
    yield kind, place, made
    made.remove()
    process.run(["rm", "-rf", str(home), *([str(cache)] if cache else [])])


def can_work(kind: str, place: str, link_type: str) -> bool:
    if link_type in ("symlink", "copy"):
        return True
    if place == "shared, another file system":
        return False
    return link_type == "hardlink" or kind in ("btrfs", "xfs")


@pytest.mark.parametrize("link_type", LINK_TYPES)
def test_a_link_type_is_what_it_says_on_both_sides(
    project: tuple[str, str, Project], link_type: str
) -> None:
    kind, place, made = project
    before = [made.state_outside(path) for path in made.files()]
    done = made.inv("cache", "--use", link_type, "--yes")
    if not can_work(kind, place, link_type):
        assert done.returncode == 7, said(done)
        assert link_type in said(done)
        assert "HINT" in said(done)
        assert [made.state_outside(path) for path in made.files()] == before
        made.assert_clean_on_both_sides()
        return
    assert done.returncode == 0, said(done)
    wanted = {link_type}
    assert {made.state_outside(path) for path in made.files()} == wanted
    assert made.states_inside() == wanted
    made.assert_clean_on_both_sides()

    # DVC itself, inside: no file is left for it to find. Its copies are reflinks where it can.
    if link_type == "copy" and can_work(kind, place, "reflink"):
        wanted = {"reflink"}
    process.run(["rm", "-rf", str(made.root / "data")])
    made.dvc_inside("checkout", "--quiet")
    assert {made.state_outside(path) for path in made.files()} == wanted
    made.assert_clean_on_both_sides()

    # And DVC outside, over what the one inside made.
    made.dvc_outside("checkout", "--quiet", "--relink")
    assert {made.state_outside(path) for path in made.files()} == wanted
    assert made.states_inside() == wanted
    made.assert_clean_on_both_sides()
