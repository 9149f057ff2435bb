"""What the source lacks and another place has is published, proven; nobody else is written to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from dvc.repo import Repo

from scripts.errors import SettingsError
from scripts.migration import (
    Plan,
    Report,
    Stores,
    copy_objects,
    open_stores,
    plan_migration,
    verify,
    with_healers,
)
from scripts.migration.model import LAYOUTS, Status
from tests.contract.dvc_projects import Project, key_of, make_project, md5, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.migration.model import Layout, StoredObject
    from scripts.migration.run_entry import RunEntry

A, PART = b"a of v1\n", b"a part\n"


pytestmark = pytest.mark.usefixtures("dvc_environment")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A file and a directory in hdd and in the cache; the remotes copy and third are empty."""
    project = make_project(tmp_path / "work" / "project")
    config = project.root / ".dvc" / "config"
    for name in ("copy", "third"):
        (project.root.parent / name).mkdir()
        text = f"['remote \"{name}\"']\n    url = ../../{name}\n"
        config.write_text(config.read_text() + text)
    project.write("a.txt", A)
    project.write("data/sub/part", PART)
    project.add("a.txt", "data")
    project.commit("v1")
    return project


def lose(project: Project) -> dict[str, bytes]:
    """Empty hdd; return what was there, by key."""
    lost = {}
    for path in project.hdd.rglob("*/??/*"):
        if path.is_file():
            lost[str(path.relative_to(project.hdd))] = path.read_bytes()
            path.unlink()
    assert len(lost) == 3
    return lost


def cache_of(project: Project) -> Path:
    return project.root / ".dvc" / "cache"


def spoil(project: Project, content: bytes) -> Path:
    path = cache_of(project) / key_of(md5(content))
    path.chmod(0o644)
    path.write_bytes(b"spoiled")
    return path


def opened(project: Project, heal_from: str = "") -> Stores:
    return with_healers(open_stores(project.root, "hdd", "copy"), heal_from)


def migrate(project: Project, heal_from: str = "") -> tuple[Plan, Report]:
    stores = opened(project, heal_from)
    plan = plan_migration(stores)
    return plan, verify(plan, copy_objects(plan, stores), stores)


def copied(project: Project) -> dict[str, bytes]:
    copy = project.root.parent / "copy"
    return {str(p.relative_to(copy)): p.read_bytes() for p in copy.rglob("*") if p.is_file()}


def test_what_the_source_lacks_is_healed_from_the_cache_which_nobody_writes(
    project: Project,
) -> None:
    lost = lose(project)
    before = snapshot(cache_of(project)), snapshot(project.hdd)
    plan, report = migrate(project)
    assert plan.healed_from == {"the cache": 3}
    assert (plan.counts["to_copy"], plan.counts["to_heal"]) == (3, 3)
    assert "3 objects that hdd lacks are read from the cache" in plan.notes[0]
    assert json.loads(json.dumps(plan.as_json()))["healed_from"] == {"the cache": 3}
    assert report.complete
    assert copied(project) == lost
    assert (snapshot(cache_of(project)), snapshot(project.hdd)) == before


def test_what_is_healed_can_be_pulled_by_dvc_without_cache_and_source(project: Project) -> None:
    lose(project)
    assert migrate(project)[1].complete
    clone = Project(project.root.parent / "clone")
    project.git("clone", "--quiet", str(project.root), str(clone.root))
    (clone.root / ".dvc" / "config").write_text((project.root / ".dvc" / "config").read_text())
    with Repo(str(clone.root)) as repo:
        repo.pull(remote="copy")
    assert (clone.root / "a.txt").read_bytes() == A
    assert (clone.root / "data" / "sub" / "part").read_bytes() == PART


def test_spoiled_bytes_of_the_cache_heal_nothing_and_stay_as_they_are(project: Project) -> None:
    lose(project)
    spoiled = spoil(project, A)
    _, report = migrate(project)
    (missing,) = report.not_intact
    assert (missing.item.key, missing.status) == (key_of(md5(A)), Status.MISSING)
    assert missing.reason == "it is not in the source, nor in the cache"
    assert {(place.path, place.revision.split(" ")[0]) for place in missing.references} == {
        ("a.txt", "workspace"),
        ("a.txt", "main"),
    }
    assert spoiled.read_bytes() == b"spoiled"


def test_another_remote_heals_what_the_cache_cannot(project: Project) -> None:
    lost = lose(project)
    spoil(project, A)
    third = project.root.parent / "third" / key_of(md5(A))
    third.parent.mkdir(parents=True)
    third.write_bytes(A)
    plan, report = migrate(project, "third")
    assert plan.healed_from == {"the cache": 2, "third": 1}
    assert report.complete
    assert copied(project) == lost


def test_a_list_in_the_cache_names_files_that_are_nowhere(project: Project) -> None:
    lose(project)
    (cache_of(project) / key_of(md5(PART))).unlink()
    _, report = migrate(project)
    lost = {outcome.item.oid: outcome for outcome in report.not_intact}
    assert lost[md5(PART)].references[0].path == "data/sub/part"
    (listing,) = [outcome for outcome in lost.values() if outcome.item.is_directory]
    assert listing.reason.startswith("not published: 1 of its files")
    assert set(copied(project)) == {key_of(md5(A))}


def test_a_damaged_object_of_the_source_is_named_not_healed(project: Project) -> None:
    project.damage(key_of(md5(A)), b"other bytes")
    plan, report = migrate(project)
    assert plan.healed_from == {}
    (corrupt,) = report.not_intact
    assert (corrupt.item.key, corrupt.status) == (key_of(md5(A)), Status.CORRUPT)


def test_bytes_that_spoil_after_the_plan_are_not_published(project: Project) -> None:
    lose(project)
    stores = opened(project)
    plan = plan_migration(stores)
    spoil(project, A)
    report = verify(plan, copy_objects(plan, stores), stores)
    assert [outcome.status for outcome in report.not_intact] == [Status.CORRUPT]
    assert "the cache" in report.not_intact[0].reason
    assert key_of(md5(A)) not in copied(project)


class Untouched:
    """A place into which nobody may look."""

    name = place = "untouched"
    location = None

    def list_objects(self) -> Iterator[StoredObject]:
        raise AssertionError("it was listed")

    def list_few(self, looked_for: int) -> None:
        raise AssertionError(f"it was listed for {looked_for} objects")

    def layouts(self) -> frozenset[Layout]:
        raise AssertionError("it was listed")

    def list_shard(
        self, shard: int, layouts: frozenset[Layout] = LAYOUTS
    ) -> Iterator[StoredObject]:
        raise AssertionError(f"shard {shard} of {len(layouts)} layouts was listed")

    def read(self, item: StoredObject) -> Iterator[bytes]:
        raise AssertionError(f"{item.key} was read")

    def list_runs(self) -> Iterator[RunEntry]:
        raise AssertionError("its run-cache was listed")

    def list_top(self) -> Iterator[str]:
        raise AssertionError("its names were listed")


def test_nothing_is_looked_into_while_the_source_is_whole(project: Project) -> None:
    stores = open_stores(project.root, "hdd", "copy")
    watched = Stores(stores.root, stores.source, stores.target, (Untouched(),))
    assert plan_migration(watched).can_complete
    lose(project)
    with pytest.raises(AssertionError, match=r"was (listed|read)"):
        plan_migration(watched)


def test_an_unknown_remote_to_heal_from_is_named(project: Project) -> None:
    with pytest.raises(SettingsError, match="no DVC remote 'nope'"):
        opened(project, "nope")


def test_a_project_without_a_cache_is_migrated_all_the_same(project: Project) -> None:
    with Repo(str(project.root)) as repo:
        assert repo.cache.local_cache_dir == str(cache_of(project))
    cache_of(project).rename(project.root.parent / "elsewhere")
    assert opened(project).healers == ()
    assert migrate(project)[1].complete
