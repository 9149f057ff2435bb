from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from scripts.errors import CacheError
from scripts.links import registry
from scripts.links.registry import forget, register, registered

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    directory = tmp_path / "cache"
    directory.mkdir()
    return directory


def entries(cache: Path) -> list[Path]:
    return sorted((cache / registry.PROJECTS).iterdir())


def test_each_project_is_there_once_and_can_be_forgotten(cache: Path, tmp_path: Path) -> None:
    assert registered(cache) == ()
    roots = [tmp_path / 'a "b":c ü', tmp_path / "other" / 'a "b":c ü']
    for root in roots:
        register(cache, root, ("reflink", "copy"))
    register(cache, roots[0], ("reflink", "copy"))
    found = registered(cache)
    assert {project.root for project in found} == set(roots)
    assert found[0].link_types == ("reflink", "copy")
    assert datetime.fromisoformat(found[0].written_at).utcoffset() == timedelta(0)
    forget(cache, roots[0])
    assert [project.root for project in registered(cache)] == [roots[1]]
    with pytest.raises(CacheError, match="is registered") as caught:
        forget(cache, roots[0])
    assert str(roots[1]) in caught.value.hint


def test_only_something_new_is_written(cache: Path, tmp_path: Path) -> None:
    register(cache, tmp_path, ())
    (file,) = entries(cache)
    first = file.stat().st_ino
    register(cache, tmp_path, ())
    assert file.stat().st_ino == first
    register(cache, tmp_path, ("hardlink",))
    assert file.stat().st_ino != first
    content = json.loads(file.read_text())
    old = datetime.now(timezone.utc) - timedelta(days=2)
    file.write_text(json.dumps({**content, "written_at": old.isoformat()}))
    register(cache, tmp_path, ("hardlink",))
    assert registered(cache)[0].written_at != old.isoformat()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"root": "relative", "link_types": [], "written_at": "", "user": ""}']
)
def test_a_damaged_entry_is_named_and_mended_by_its_own_project(
    cache: Path, tmp_path: Path, text: str
) -> None:
    register(cache, tmp_path, ())
    (file,) = entries(cache)
    file.write_text(text)
    with pytest.raises(CacheError, match="damaged") as caught:
        registered(cache)
    assert str(file) in caught.value.message
    register(cache, tmp_path, ())
    assert len(registered(cache)) == 1


def test_the_group_of_a_shared_cache_may_write(cache: Path, tmp_path: Path) -> None:
    cache.chmod(0o2770)
    before = os.umask(0o077)
    try:
        register(cache, tmp_path, ())
    finally:
        os.umask(before)
    (file,) = entries(cache)
    assert file.stat().st_mode & 0o7777 == 0o664
    assert file.parent.stat().st_mode & 0o7777 == 0o2775
    assert cache.stat().st_mode & 0o7777 == 0o2770


def test_what_is_being_written_is_no_entry(cache: Path, tmp_path: Path) -> None:
    register(cache, tmp_path, ())
    (cache / registry.PROJECTS / ".half.json.x1").write_text("{")
    (cache / registry.PROJECTS / ".half.json").write_text("{")
    assert len(registered(cache)) == 1


def test_a_cache_that_cannot_be_written_is_named(cache: Path, tmp_path: Path) -> None:
    (cache / ".slipway").write_text("in the way")
    with pytest.raises(CacheError, match="The DVC cache"):
        register(cache, tmp_path, ())
