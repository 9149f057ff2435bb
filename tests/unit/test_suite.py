"""What a run of the tests came to, from pytest's JUnit files to the lines at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.console.suite import suite_view
from scripts.container.suite import Case, Stage, Suite, read_cases
from scripts.errors import CommandFailed

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest">
<testcase classname="tests.unit.test_a" name="test_right" time="0.5" />
<testcase classname="tests.unit.test_a" name="test_wrong[1-a]" time="2.0">
<failure message="AssertionError: 1 is not 2&#10;assert 1 == 2">...</failure></testcase>
<testcase classname="tests.unit.test_b" name="test_setup" time="0.1">
<error message="failed on setup">...</error></testcase>
<testcase classname="tests.unit.test_b" name="test_left_out" time="0.0">
<skipped type="pytest.skip" message="no engine">...</skipped></testcase>
</testsuite></testsuites>
"""
WRONG = Case("tests/unit/test_a.py::test_wrong[1-a]", 2.0, "failed", "AssertionError: 1 is not 2")


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    (tmp_path / "quick.xml").write_text(WRITTEN, encoding="utf-8")
    cases = read_cases(tmp_path / "quick.xml")
    return Suite(
        (
            Stage("quick", ["nox", "-s", "quick"], 75.0, 1, cases),
            Stage("up", ["up"], 3.0, 0),
        )
    )


def test_each_test_is_read_with_its_time_and_why_it_failed(suite: Suite) -> None:
    outcomes = [case.outcome for case in suite.stages[0].cases]
    assert outcomes == ["passed", "failed", "failed", "skipped"]
    assert suite.failed[0] == WRONG
    assert suite.slowest(2) == [WRONG, suite.stages[0].cases[0]]


def test_a_file_that_pytest_did_not_come_to_write_holds_no_test(tmp_path: Path) -> None:
    assert read_cases(tmp_path / "none.xml") == ()


def test_the_end_tells_failures_the_slowest_and_each_stage(suite: Suite) -> None:
    lines = [line.strip() for line in str(suite_view(suite)).splitlines()]
    assert "1 min 15 s  quick: FAILED (1); 2 failed, 1 passed, 1 skipped" in lines
    assert "3.0 s  up: passed; no tests" in lines
    assert lines[-5:] == [
        "2 failed:",
        WRONG.name,
        WRONG.reason,
        "tests/unit/test_b.py::test_setup",
        "failed on setup",
    ]


def test_a_stage_that_failed_is_an_error_whatever_its_tests_say() -> None:
    Suite((Stage("up", ["up"], 1.0, 0),)).require_passed()
    with pytest.raises(CommandFailed, match="nox"):
        Suite((Stage("checks inside", ["nox"], 1.0, 1),)).require_passed()
