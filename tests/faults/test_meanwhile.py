"""Others who are at work in the same places at the same time."""

from __future__ import annotations

import random
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from scripts.migration.model import StoredObject
from scripts.migration.stores.disk import DiskStore
from tests.contract.dvc_projects import key_of, md5
from tests.faults.migrating import Running
from tests.rare import rarely

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.sites import Site
    from tests.faults.tally import Tally

pytestmark = [pytest.mark.needs("s3"), pytest.mark.light]


@pytest.mark.parametrize(
    ("way", "processes"),
    [(("hdd", "s3"), False), (("hdd", "ssd"), False), (("hdd", "ssd"), True)],
)
@pytest.mark.parametrize("seed", [1, rarely(2)])
def test_two_migrations_at_once(
    site: Site, tally: Tally, way: tuple[str, str], processes: bool, seed: int
) -> None:
    with tally.fault("two migrations at once"):
        with site.watched(way[1]):
            first = Running(site.wish(*way, processes=processes))
            threading.Event().wait(random.Random(seed).uniform(0, 0.3))
            second = Running(site.wish(*way, processes=processes))
            endings = [first.ended(), second.ended()]
        for ending in endings:
            assert ending is not None
            assert ending.complete, ending
        site.require_survived(*way, clone=seed == 1)


def test_cleaning_while_others_write(tmp_path: Path) -> None:
    """What one migration cleans up is never what another is just writing."""
    contents = [f"{number}\n".encode() for number in range(300)]
    target = DiskStore("ssd", tmp_path / "ssd", may_be_new=True)
    ends = threading.Event()

    def clean() -> None:
        while not ends.is_set():
            DiskStore("ssd", tmp_path / "ssd").clean()  # as another run does
            target.clean()  # takes its own directory away as well if nothing is in it

    cleaners = [threading.Thread(target=clean) for _ in range(2)]
    for cleaner in cleaners:
        cleaner.start()
    try:
        for content in contents:
            item = StoredObject(md5(content), size_bytes=len(content))
            target.publish(item, [content])
    finally:
        ends.set()
        for cleaner in cleaners:
            cleaner.join()
    assert {item.md5 for item in target.list_objects()} == {md5(content) for content in contents}


@pytest.mark.parametrize("target", ["s3", "ssd"])
def test_a_push_to_the_source(site: Site, tally: Tally, target: str) -> None:
    project = site.project
    project.dvc("pull", "--quiet", "--remote", "hdd")
    for number in range(20):
        project.write(f"pushed/{number}.txt", f"pushed meanwhile, {number}\n")
    project.dvc("add", "--quiet", "pushed")
    before = site.hdd.md5s()
    with tally.fault("`dvc push` to the source meanwhile"):
        running = Running(site.wish("hdd", target))
        project.dvc("push", "--quiet", "--remote", "hdd")
        ending = running.ended()
        assert ending is not None
        assert ending.exit_code in {0, 6}, ending
        after = site.hdd.md5s()
        assert before.items() < after.items()
        again = site.migrate("hdd", target)
        assert again.complete, again
        assert site.place(target).md5s() == after == site.hdd.md5s()


@pytest.mark.parametrize("target", ["s3", "ssd"])
def test_a_collection_at_the_source(site: Site, tally: Tally, target: str) -> None:
    project = site.project
    project.git("stash", "clear")  # of which `dvc gc` knows nothing
    for listing in project.hdd.rglob("*.dir"):  # nor of what the lists name that are not here
        cached = project.root / ".dvc" / "cache" / listing.relative_to(project.hdd)
        cached.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(listing, cached)
    for number in range(20):
        content = f"what no revision needs any more, {number}\n".encode()
        project.store(key_of(md5(content)), content)
    with tally.fault("`dvc gc` at the source meanwhile"):
        with site.watched(target):
            running = Running(site.wish("hdd", target))
            collected = project.dvc(
                "gc", "--force", "--cloud", "--remote", "hdd", "--workspace", "--all-commits",
                check=False,
            )  # fmt: skip
            ending = running.ended()
        assert collected.returncode == 0, collected
        assert ending is not None
        assert ending.complete, ending
        kept = site.hdd.md5s()
        assert len(kept) < len(site.truth)
        again = site.migrate("hdd", target)
        assert again.complete, again
        assert kept == site.hdd.md5s()
        assert kept.items() <= site.place(target).md5s().items() <= site.truth.items()
