"""What the contract tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.dvc_projects import use_own_identity

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def dvc_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this machine's git and what DVC remembers of other projects out of a test."""
    use_own_identity(monkeypatch, tmp_path / "site")
