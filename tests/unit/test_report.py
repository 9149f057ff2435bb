from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from scripts.errors import CommandFailed, SlipwayError
from scripts.report import bytes_text, count_text, duration_text, write_json, write_text

if TYPE_CHECKING:
    from pathlib import Path


def test_a_report_replaces_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "report.json"
    write_json(target, {"complete": False})
    write_json(target, {"complete": True})
    assert json.loads(target.read_text()) == {"complete": True}
    assert [file.name for file in target.parent.iterdir()] == ["report.json"], (
        "no temporary file stays behind"
    )


def test_a_report_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "file", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_report_that_cannot_be_written_names_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SlipwayError, match=r"report\.json"):
        write_json(tmp_path / "file" / "report.json", {})


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1400, "1.4 kB"), (1_400_000_000, "1.4 GB"), (5e18, "5000.0 PB")],
)
def test_sizes_read_as_bills_do(size_bytes: float, text: str) -> None:
    assert bytes_text(size_bytes) == text


def test_durations_and_counts_read_as_people_say_them() -> None:
    assert [duration_text(s) for s in (0.44, 92, 7500)] == ["0.4 s", "1 min 32 s", "2 h 05 min"]
    assert [count_text(n, "object") for n in (1, 20007)] == ["1 object", "20,007 objects"]


def test_a_failed_command_shows_its_last_lines_only() -> None:
    error = CommandFailed(["git", "status"], 128, "\n".join(f"line {n}" for n in range(100)))
    assert "`git status` ended with exit code 128." in error.message
    assert "line 99" in error.message
    assert "line 50" not in error.message


@pytest.mark.parametrize("code", [-7, 135])
def test_a_command_that_sigbus_ended_has_a_hint(code: int) -> None:
    assert "is a disk full" in CommandFailed(["dvc", "add"], code).hint
    assert CommandFailed(["dvc", "add"], code, hint="its own").hint == "its own"
