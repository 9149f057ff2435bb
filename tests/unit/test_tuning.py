"""What a test wants otherwise it passes in, as a ``Tuning`` say: it patches no constant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = [file for room in ("tests", "benchmarks") for file in (ROOT / room).rglob("*.py")]
CONSTANT = "_?[A-Z][A-Z0-9_]*"
PATCHES = re.compile(
    rf"""setattr\(\s*[\w.]+,\s*["']{CONSTANT}["']"""  # setattr(module, "NAME", ...)
    rf"""|setattr\(\s*["'][\w.]+\.{CONSTANT}["']"""  # setattr("package.module.NAME", ...)
    rf"""|^\s*[\w.]+\.{CONSTANT}\s*(?:[-+*/%|&]|//|<<|>>)?=[^=]""",  # module.NAME = ...
    re.MULTILINE,
)
"""Searched for in the text, as some tests run code that stands in strings."""


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ('monkeypatch.setattr(apply, "MANY", 1)', True),
        ('patch.setattr(\n    stores.s3,\n    "_PAGE_2",\n    3,\n)', True),
        ('monkeypatch.setattr("scripts.migration.apply.MANY", 1)', True),
        ("if few:\n    apply.MANY = 1  # of few", True),
        ("apply._MANY += 1", True),
        ("assert apply.MANY == 1", False),
        ("MANY = apply.MANY", False),
        ("copy(many=apply.MANY)", False),
        ('monkeypatch.setattr("scripts.migration.apply.Copier", Fake)', False),
        ('monkeypatch.setattr(os, "fsync", fail)', False),
    ],
)
def test_what_patches_a_constant_is_seen(text: str, is_one: bool) -> None:
    assert (PATCHES.search(text) is not None) == is_one


def test_no_test_patches_a_constant() -> None:
    found = {file: PATCHES.findall(file.read_text("utf-8")) for file in FILES}
    assert {file for file, patches in found.items() if patches} == {Path(__file__).resolve()}
