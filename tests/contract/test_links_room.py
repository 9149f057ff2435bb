"""Where DVC remembers what it hashed: full, not to be written, not there yet."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from scripts.errors import CacheError, ToolError
from scripts.links import project as linked
from scripts.links.room import require_room
from scripts.migration import project as migrated
from tests.contract.dvc_projects import make_project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("dvc_environment")


def test_there_is_room_where_nothing_is_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "a" / "b"))
    require_room()
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_for_dvc_to_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "file" / "dvc"))
    require_room()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_is_told_before_dvc_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Real disks are in integration/test_cache_trouble.py; DVC itself would work on here."""
    root = make_project(tmp_path / "work" / "project").root

    def refuse(*_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("os.posix_fallocate", refuse)
    with pytest.raises(CacheError, match=r"is full|is at your quota") as told, \
            linked.open_project(root):  # fmt: skip
        pass
    assert told.value.hint
    with pytest.raises(ToolError, match=os.strerror(code)), migrated.open_project(root):
        pass
    with migrated.open_project(root, visiting=True):  # where nothing is remembered
        pass
