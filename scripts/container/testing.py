"""Running tests through nox: what needs no engine, or all, inside and then on the host."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Callable

from scripts import process
from scripts.container.bringup import connect, find_running
from scripts.container.inside import is_inside, run_inside
from scripts.container.services import (
    DEMO_ACCESS_KEY,
    DEMO_ENDPOINT,
    DEMO_SECRET_KEY,
    start_object_store,
)
from scripts.container.suite import RESULTS, Stage, Suite, read_cases
from scripts.errors import SettingsError
from scripts.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from scripts.container.inside import RunShown
    from scripts.progress import Progress
    from scripts.settings import Settings

_INSIDE_TOOLS = frozenset({"s3"})
"""What of REQUIRE can be had inside; the rest is for the host's tests."""


def require_outside() -> None:
    """End with an error inside, where no engine can be reached.

    Raises:
        SettingsError: This process runs in the container.
    """
    if is_inside():
        raise SettingsError(
            "`inv test` tests the container from outside.", hint="Inside, run `nox` instead."
        )


def run_quick(root: Path) -> Suite:
    """Run what needs no engine: style, types, layers and unit tests, in an environment of nox."""
    run = _StageRun(root, read_settings(root))
    run.outside("quick", "quick")
    return run.suite()


def run_all(root: Path, progress: Progress, *, everything: bool = False) -> Suite:
    """Run the checks and tests inside, then the integration tests here.

    Args:
        root: The workspace, whose container runs.
        progress: Told of the object store's start.
        everything: Whether what is rarely needed runs too.
    """
    settings, engine = connect(root)
    start_object_store(settings, engine, progress)
    store = {
        "SLIPWAY_TEST_S3_ENDPOINT": DEMO_ENDPOINT,
        "SLIPWAY_TEST_S3_ACCESS_KEY": DEMO_ACCESS_KEY,
        "SLIPWAY_TEST_S3_SECRET_KEY": DEMO_SECRET_KEY,
        "SLIPWAY_TEST_ALL": "1" if everything else "",
    }
    required = {name.strip() for name in os.environ.get("REQUIRE", "").split(",")}
    inside = {**store, "REQUIRE": ",".join(sorted(required & _INSIDE_TOOLS))}
    port = settings.container.object_store_port
    outside = {**store, "SLIPWAY_TEST_S3_ENDPOINT": f"http://127.0.0.1:{port}"}
    container = find_running(root, engine)
    run = _StageRun(root, settings)

    def enter(command: Sequence[str], run: RunShown = process.run_shown) -> int:
        return run_inside(settings, container, command, inside, run=run)

    # Types alone would keep one core for a minute, and leave all others idle.
    with run.beside("checks inside", ["nox", "--session", "lint", "types", "layers"], enter):
        run.stage("tests inside", ["nox", "--session", "tests"], enter, results=("inside", "demo"))
    run.outside("tests on the host", "integration", outside)
    return run.suite()


class _StageRun:
    """Runs one stage after the other, also where one has failed, and keeps what came of each."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self._root = root
        self._settings = settings
        self._stages: list[Stage] = []

    def stage(
        self,
        name: str,
        command: list[str],
        run: Callable[[Sequence[str]], int],
        results: Sequence[str] = (),
    ) -> None:
        """Run a command as a stage; ``results`` are the names of the files that its tests leave."""
        files = [self._root / RESULTS / f"{result}.xml" for result in results]
        for file in files:
            file.unlink(missing_ok=True)
        started_s = time.monotonic()
        returncode = run(command)
        elapsed_s = time.monotonic() - started_s
        cases = tuple(case for file in files for case in read_cases(file))
        self._stages.append(Stage(name, command, elapsed_s, returncode, cases))

    @contextmanager
    def beside(
        self, name: str, command: list[str], run: Callable[[Sequence[str], RunShown], int]
    ) -> Iterator[None]:
        """Run a command as a stage beside those of the block; what it prints comes after theirs."""
        printed: list[str] = []

        def aside(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
            done = process.run(argv, env=env, check=False)
            printed.extend((done.stdout, done.stderr))
            return done.returncode

        def timed() -> tuple[float, int]:
            started_s = time.monotonic()
            returncode = run(command, aside)
            return time.monotonic() - started_s, returncode

        with ThreadPoolExecutor(1) as thread:
            ended = thread.submit(timed)
            yield
        self._stages.append(Stage(name, command, *ended.result()))
        sys.stdout.write("".join(printed))

    def outside(
        self, name: str, session: str, env: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Run a session of nox on the host, whose results have its name."""
        command = [sys.executable, "-m", "nox", "--session", session]
        values = {**self._settings.network.indexes.for_commands(), **env}

        def enter(command: Sequence[str]) -> int:
            return process.run_shown(command, cwd=self._root, env=values)

        self.stage(name, command, enter, results=(session,))

    def suite(self) -> Suite:
        """Return what came of all."""
        return Suite(tuple(self._stages))
