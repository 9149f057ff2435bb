"""Stages of a run of the tests, one after the other or beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts import process
from scripts.container.testing import _StageRun
from scripts.errors import CommandFailed
from scripts.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scripts.container.inside import RunShown


def test_what_runs_beside_a_stage_is_one_of_its_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = _StageRun(tmp_path, Settings(root=tmp_path))
    checks = ["sh", "-c", "until [ -e tested ]; do sleep 0.01; done; echo wrong; exit 3"]
    tests = ["sh", "-c", "touch tested; echo tested"]

    def here(argv: Sequence[str], run: RunShown = process.run_shown) -> int:
        return run(["env", "--chdir", str(tmp_path), *argv])

    with run.beside("checks", checks, here):
        run.stage("tests", tests, here)
    suite = run.suite()
    assert [(stage.name, stage.returncode) for stage in suite.stages] == [
        ("tests", 0), ("checks", 3),
    ]  # fmt: skip
    assert capfd.readouterr().out == "tested\nwrong\n"
    with pytest.raises(CommandFailed, match="exit code 3"):
        suite.require_passed()
