"""What is written down about the environment agrees with itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.environment.lock import read_pins

ROOT = Path(__file__).parents[2]
PAIRS = [("environment.txt", "environment.lock"), ("host.txt", "host.lock")]
LOCKS = [lock for _, lock in PAIRS]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def names(requirements: str) -> set[str]:
    lines = (line.partition("#")[0].strip() for line in read(requirements).splitlines())
    return {re.split(r"[\s\[<>=!~;]", line)[0].lower() for line in lines if line}


@pytest.mark.parametrize(("requirements", "lock"), PAIRS)
def test_the_lock_pins_everything_that_is_asked_for(requirements: str, lock: str) -> None:
    assert names(requirements) - read_pins(read(lock)).keys() == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    pins = re.findall(r"^[^\s#].*(?:\n    --hash=.*)*", read(lock), re.MULTILINE)
    assert [pin for pin in pins if not re.search(r"--hash=sha256:[0-9a-f]{64}", pin)] == []
    assert len(pins) >= len(read_pins(read(lock)))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place(lock: str) -> None:
    assert re.findall(r".*(?:://|--index|--find-links|--trusted-host| @ ).*", read(lock)) == []


def test_the_image_has_one_version_of_each_package() -> None:
    pins = read_pins(read("environment.lock"))
    assert {name: versions for name, versions in pins.items() if len(versions) > 1} == {}


def test_the_host_and_the_image_share_what_slipway_runs_on() -> None:
    assert names("host.txt") - names("environment.txt") == set()


def test_the_dockerfile_pulls_no_frontend() -> None:
    assert re.findall(r"^#\s*syntax\s*=.*", read("Dockerfile"), re.MULTILINE | re.IGNORECASE) == []


def test_the_build_sees_only_what_it_uses() -> None:
    let_in = re.findall(r"^!(.+)$", read(".dockerignore"), re.MULTILINE)
    assert [name for name in let_in if name not in read("Dockerfile")] == []
