"""What a run of the tests came to, stage by stage, read from the JUnit files that pytest leaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from scripts.errors import CommandFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS = Path(".slipway") / "test-results"
"""Where pytest leaves them, from the workspace: `noxfile.py` names the files by the stage."""


@dataclass(frozen=True)
class Case:
    """A test that ran: ``reason`` is the first line of why it failed or was skipped."""

    name: str
    elapsed_s: float
    outcome: str = "passed"
    reason: str = ""


@dataclass(frozen=True)
class Stage:
    """A step of the whole: the command, how long it took, its exit code and its tests."""

    name: str
    command: Sequence[str]
    elapsed_s: float
    returncode: int
    cases: tuple[Case, ...] = ()


@dataclass(frozen=True)
class Suite:
    """All stages that ran."""

    stages: tuple[Stage, ...]

    @property
    def failed(self) -> list[Case]:
        """Return the tests that failed, in their order."""
        return [case for stage in self.stages for case in stage.cases if case.outcome == "failed"]

    def slowest(self, most: int) -> list[Case]:
        """Return the tests that took longest, the longest first."""
        cases = [case for stage in self.stages for case in stage.cases]
        return sorted(cases, key=lambda case: case.elapsed_s, reverse=True)[:most]

    def require_passed(self) -> None:
        """Raise for the first stage that failed.

        Raises:
            CommandFailed: One did; what it printed stands above.
        """
        for stage in self.stages:
            if stage.returncode != 0:
                raise CommandFailed(stage.command, stage.returncode)


def read_cases(path: Path) -> tuple[Case, ...]:
    """Return the tests of one JUnit file; none if it was not written: pytest never got that far."""
    if not path.is_file():
        return ()
    tests = ET.parse(path).getroot().iter("testcase")  # noqa: S314  our own pytest wrote it
    return tuple(map(_case, tests))


def _case(test: ET.Element) -> Case:
    name = f"{test.get('classname', '').replace('.', '/')}.py::{test.get('name', '')}"
    elapsed_s = float(test.get("time", "0"))
    for tag, outcome in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        found = test.find(tag)
        if found is not None:
            lines = (found.get("message") or found.text or "").strip().splitlines()
            return Case(name, elapsed_s, outcome, lines[0] if lines else "")
    return Case(name, elapsed_s)
