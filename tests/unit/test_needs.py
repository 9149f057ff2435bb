"""What a test needs and lacks may not hide: all that skips goes through tests/needs.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import needs

ROOT = Path(__file__).resolve().parents[2]
SKIPS = re.compile(r"pytest\.(skip|importorskip|exit)\(|mark\.(skip|skipif|xfail)\b")
PASSED_OVER = {Path(needs.__file__), Path(__file__).resolve()}


def test_nothing_else_skips() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for directory in ("tests", "demo/tests")
        for path in (ROOT / directory).rglob("*.py")
        if path not in PASSED_OVER and "node_modules" not in path.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if SKIPS.search(line)
    ]
    assert found == []


def test_what_is_required_and_lacks_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUIRE", "docker, pythons")
    with pytest.raises(pytest.fail.Exception, match="REQUIRE lists pythons, but there is none"):
        needs.miss("pythons", "there is none")
    with pytest.raises(pytest.skip.Exception, match="no sshd"):
        needs.miss("ssh", "no sshd")


def test_what_ci_requires_is_all_that_tests_can_need() -> None:
    (line,) = re.findall(r"^export REQUIRE=(\S+)", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert set(line.split(",")) == {*needs.MISSING, "pythons"}
