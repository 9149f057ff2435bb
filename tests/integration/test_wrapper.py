"""./inv on machines that lack things, and on each Python that this machine has."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.needs import miss
from tests.rare import rarely
from tests.workspace import REPOSITORY, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOOLS = (
    "sh", "dirname", "cmp", "mkdir", "cp", "rm", "cat", "ls", "mv", "chmod", "apt-get", "printf",
)  # fmt: skip
PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    root = tmp_path / "a clone"
    root.mkdir()
    for name in ("inv", "host.lock", "tasks.py"):
        shutil.copy2(REPOSITORY / name, root)
    shutil.copytree(REPOSITORY / "scripts", root / "scripts")
    return root


@pytest.fixture(scope="module", autouse=True)
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the first of these clones fetches, the others link."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        yield cache / "slipway"


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A directory for PATH with what every system has, but neither git nor Python."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        if found:
            (directory / name).symlink_to(found)
    return directory


def add(tools: Path, name: str, script: str) -> None:
    (tools / name).write_text(f"#!/bin/sh\n{script}\n")
    (tools / name).chmod(0o755)


def inv(
    clone: Path, *arguments: str, path: Path | None = None, env: dict[str, str] | None = None
) -> process.Completed:
    given = {**({"PATH": str(path)} if path else {}), **(env or {})}
    return process.run([str(clone / "inv"), *arguments], cwd=clone.parent, env=given, check=False)


def interpreter(version: str) -> str | None:
    """Return a Python of this version; pyenv's stand-ins need to be told which they stand for."""
    found = shutil.which(f"python{version}")
    if found is None:
        return None
    program = "import sys, venv, ensurepip; print(sys.executable)"
    started = process.run([found, "-c", program], env={"PYENV_VERSION": version}, check=False)
    return started.stdout.strip() if started.returncode == 0 else None


def test_the_first_call_makes_the_environment_and_the_second_uses_it(clone: Path) -> None:
    first = inv(clone, "--list")
    assert first.returncode == 0, said(first)
    assert "Making .venv" in first.stderr
    assert "dvc-migrate" in first.stdout
    second = inv(clone, "--list")
    assert second.stderr == ""
    assert second.stdout == first.stdout


@pytest.mark.parametrize("version", [PYTHONS[0], *map(rarely, PYTHONS[1:-1]), PYTHONS[-1]])
def test_it_works_with_every_python(clone: Path, tools: Path, version: str) -> None:
    found = interpreter(version)
    if found is None:
        miss("pythons", f"this machine has no Python {version}")
    add(tools, "python3", f'exec {found} "$@"')
    add(tools, "git", "exit 0")
    done = inv(clone, "--list", path=tools)
    assert done.returncode == 0, said(done)
    assert f"Python {version}" in done.stderr


UNREACHABLE = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_RETRIES": "0",
    "PIP_FIND_LINKS": "",  # this machine may have a place of its own
}


def test_a_second_clone_needs_no_network(clone: Path) -> None:
    assert inv(clone, "--list").returncode == 0
    shutil.rmtree(clone / ".venv")
    again = inv(clone, "--list", env=UNREACHABLE)
    assert again.returncode == 0, said(again)
    assert not (clone / ".venv" / "bin" / "pip").exists(), "linked by uv"


def test_two_calls_at_once_both_find_an_environment(clone: Path) -> None:
    assert inv(clone, "--list").returncode == 0
    shutil.rmtree(clone / ".venv")
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: inv(clone, "--list"), range(2)))
    assert [done.returncode for done in both] == [0, 0], [said(done) for done in both]


def test_what_was_kept_and_is_damaged_is_fetched_again(clone: Path, kept: Path) -> None:
    assert inv(clone, "--list").returncode == 0
    for directory in kept.iterdir():
        next(directory.glob("rich-*.whl")).write_bytes(b"damaged")
    shutil.rmtree(clone / ".venv")
    refused = inv(clone, "--list", env={"UV_NO_CACHE": "1", **UNREACHABLE})
    assert refused.returncode == 3, "hashes are checked"
    assert inv(clone, "--list").returncode == 0


def test_without_a_place_to_keep_it_each_clone_fetches(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert inv(clone, "--list", env={"XDG_CACHE_HOME": str(tmp_path / "file")}).returncode == 0
    assert not list((clone / ".venv").glob("fetched*"))


def test_without_git_it_says_what_to_install(clone: Path, tools: Path) -> None:
    done = inv(clone, "--list", path=tools)
    assert done.returncode == 3
    assert "git is not installed" in done.stderr
    assert "apt-get install git" in done.stderr or not shutil.which("apt-get")
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "No Python 3.9 or newer is installed"),
        ("echo 3.8", "only 3.8"),
        ("echo 3.11; exit 1", "without its venv module"),
    ],
)
def test_without_a_usable_python_it_says_what_to_install(
    clone: Path, tools: Path, script: str | None, message: str
) -> None:
    add(tools, "git", "exit 0")
    if script:
        add(tools, "python3", script)
    done = inv(clone, "--list", path=tools)
    assert done.returncode == 3
    assert message in done.stderr
    assert "HINT" in done.stderr
    assert not (clone / ".venv").exists()


def test_an_environment_that_is_somebody_elses_is_left_alone(clone: Path) -> None:
    (clone / ".venv").mkdir()
    (clone / ".venv" / "theirs").touch()
    done = inv(clone, "--list")
    assert done.returncode == 3
    assert "Slipway did not make it" in done.stderr
    assert [file.name for file in (clone / ".venv").iterdir()] == ["theirs"]


def test_an_environment_half_made_is_made_whole(clone: Path) -> None:
    (clone / ".venv").mkdir()
    (clone / ".venv" / "slipway").touch()
    assert inv(clone, "--list").returncode == 0


def test_a_requirement_that_cannot_be_installed_is_said_and_tried_again(clone: Path) -> None:
    lock = (clone / "host.lock").read_text()
    (clone / "host.lock").write_text("slipway-no-such-package==1 --hash=sha256:" + "0" * 64 + "\n")
    done = inv(clone, "--list")
    assert done.returncode == 3
    assert "host.lock cannot be installed" in done.stderr
    (clone / "host.lock").write_text(lock)
    assert inv(clone, "--list").returncode == 0


def test_inside_the_image_is_used_and_no_environment_is_made(clone: Path, tools: Path) -> None:
    add(tools, "python", 'echo "$@"')
    env = {"PATH": str(tools), "SLIPWAY_CONTAINER": "1"}
    done = process.run([str(clone / "inv"), "-l"], env={**os.environ, **env})
    assert done.stdout == f"-m invoke --search-root {clone} -l\n"
    assert not (clone / ".venv").exists()
