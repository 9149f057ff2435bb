"""What is checked and tested: inside all but `quick` and `integration`, which run on the host."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nox

if TYPE_CHECKING:
    from collections.abc import Sequence

DEVCONTAINER = Path(__file__).resolve().parent / "tests" / "integration" / "devcontainer"
BROWSER = DEVCONTAINER.with_name("browser")
AZURE = DEVCONTAINER.with_name("azure")

nox.needs_version = ">=2024.4"
nox.options.sessions = ["lint", "types", "layers", "tests"]
nox.options.error_on_missing_interpreters = True

_IN_IMAGE = "none"
"""Inside, the image *is* the environment: what passes here passes in what people use."""

_PROCESSES = min(os.cpu_count() or 1, 4)
_SHARE = {"OMP_NUM_THREADS": str(max((os.cpu_count() or 1) // _PROCESSES, 1))}
"""Each process's trainings keep to its share of the cores."""
_SMALL = {"MALLOC_ARENA_MAX": "2"}
"""Else glibc keeps what threads once needed, and a large process is slow to start another."""

_TRAINS = "tests/contract/test_training_guide.py"
"""It forks from what has loaded torch, as the tests of demo/ do, which the others must not."""

_RESULTS = Path(".slipway", "test-results")
"""Where each run of pytest leaves what came of it; `./inv test` reads it."""


def _pytest(
    session: nox.Session, name: str, *arguments: str, env: dict[str, str] | None = None
) -> None:
    session.run("pytest", *arguments, "--junitxml", str(_RESULTS / f"{name}.xml"), env=env)


def _several(processes: int = _PROCESSES) -> list[str]:
    # In the order given: at the end, a file that takes long would keep one core alone.
    options = ["--dist", "loadfile", "--no-loadscope-reorder"]
    return ["--numprocesses", str(processes), *options]


def _files(*rooms: str, first: Sequence[str]) -> list[str]:
    """Return the files of tests in some rooms, those named before all others, as they take longest.

    Of a room and a file in it pytest (8.4) takes the file alone, so that all are named.
    """
    files = [path for room in rooms for path in sorted(Path(room).glob("test_*.py"))]
    order = [f"test_{name}.py" for name in first]
    files.sort(key=lambda path: order.index(path.name) if path.name in order else len(order))
    return [str(path) for path in files]


@nox.session(venv_backend=_IN_IMAGE)
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(venv_backend=_IN_IMAGE)
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    session.run("mypy")


@nox.session(venv_backend=_IN_IMAGE)
def layers(session: nox.Session) -> None:
    """Check who imports whom."""
    session.run("lint-imports")


@nox.session(venv_backend=_IN_IMAGE)
def tests(session: nox.Session) -> None:
    """Run all tests that need no engine, several files at a time."""
    if session.posargs:
        session.run("pytest", *session.posargs, env=_SHARE)
        return
    # One after the other: a process that has loaded torch takes 25 ms to start another, not 2.
    # Those that come first wait for servers a third of their time.
    files = _files("tests/faults", "tests/contract", "tests/unit", first=["damaged"])
    files.remove(_TRAINS)
    _pytest(session, "inside", *files, *_several(_PROCESSES + 1), env={**_SHARE, **_SMALL})
    files = [_TRAINS, *_files("demo/tests", first=["pipeline", "ray", "configuration", "search"])]
    _pytest(session, "demo", *files, *_several(), env=_SHARE)


def _install(session: nox.Session) -> None:
    options = ["--quiet", "--require-hashes", "--requirement", "tests/host.lock"]
    # pip compiles by itself. Nobody would later: invoke forbids it to what it starts.
    session.install(*options, env={"UV_COMPILE_BYTECODE": "1"})


@nox.session(venv_backend="uv|venv")
def quick(session: nox.Session) -> None:
    """Check style, types and layers and run the unit tests on the host: no engine, no image."""
    _install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")
    # Without what only the image holds: the project in demo/, and what it trains with.
    version = "{}.{}".format(*sys.version_info)
    lacking = ["--disable-error-code", "import-not-found", "--exclude", "benchmarks/training.py"]
    roots = ["scripts", "tasks.py", "noxfile.py", "tests", "benchmarks"]
    # `sys.version_info` is compared with 3.9, which is the image's.
    options = ["--python-version", version, "--disable-error-code", "unreachable"]
    session.run("mypy", *options, *lacking, *roots)
    _pytest(session, "quick", "tests/unit", *_several())


@nox.session(venv_backend="uv|venv")
def integration(session: nox.Session) -> None:
    """Run the host's tests against the real engine, several files at a time."""
    _install(session)
    env = {}
    if shutil.which("npm"):  # the reference dev-container CLI, what drives a browser, Azurite
        for package in (BROWSER, AZURE, DEVCONTAINER):
            session.run("npm", "ci", "--silent", "--prefix", str(package), external=True)
        program = DEVCONTAINER / "node_modules" / ".bin" / "devcontainer"
        env["SLIPWAY_TEST_DEVCONTAINER"] = str(program)
    if session.posargs:
        session.run("pytest", *session.posargs, env=env)
    else:
        # At the end they would keep one core alone. All of them wait for the engine now and then.
        longest = [
            "ray_cluster",
            "links_matrix",
            "cache",
            "links_filesystems",
            "tools",
            "leaks",
            "wrapper",
        ]
        files = _files("tests/integration", first=[*longest, "doors", "demo"])
        _pytest(session, "integration", *files, *_several(_PROCESSES + 1), env=env)
