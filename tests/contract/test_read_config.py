"""Today's DVC configuration, read once and again when one of its files has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.errors import ToolError
from scripts.migration.project import read_config
from tests.contract.dvc_projects import make_project

if TYPE_CHECKING:
    from pathlib import Path


def test_a_change_of_any_file_is_seen(tmp_path: Path) -> None:
    root = make_project(tmp_path / "site").root
    assert "new" not in read_config(root)["remote"]
    with (root / ".dvc" / "config.local").open("a") as file:
        file.write("['remote \"new\"']\n    url = /somewhere\n")
    assert read_config(root)["remote"]["new"]["url"] == "/somewhere"


def test_a_file_that_cannot_be_read_any_more_is_named(tmp_path: Path) -> None:
    local = make_project(tmp_path / "site").root / ".dvc" / "config.local"
    local.write_text("[core]\n    autostage = true\n")
    read_config(local.parents[1])
    local.unlink()
    local.mkdir()
    with pytest.raises(ToolError, match=r"config\.local"):
        read_config(local.parents[1])
