"""What all tests share: a folder to work in, and one small run that many look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from desk import Desk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Return a desk with one small complete run, `first`, with all loggers."""
    desk = Desk(tmp_path_factory.mktemp("shared"))
    ended = desk.train("runs/first", "logger=many", "callbacks.pictures.every_n_epochs=1")
    assert ended.code == 0, ended.err
    return desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a desk of its own."""
    return Desk(tmp_path)
