"""Running every test: inside through nox, then on the host against the real engine."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from scripts import process
from scripts.container.bringup import connect, find_running
from scripts.container.inside import is_inside, run_inside
from scripts.container.services import (
    DEMO_ACCESS_KEY,
    DEMO_ENDPOINT,
    DEMO_SECRET_KEY,
    start_object_store,
)
from scripts.errors import CommandFailed, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.progress import Progress

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


def run_all(root: Path, progress: Progress) -> None:
    """Run the checks and tests inside, then the integration tests here.

    Raises:
        CommandFailed: Some of them failed; what they printed stands above.
    """
    settings, engine = connect(root)
    start_object_store(settings, engine, progress)
    store = {
        "SLIPWAY_TEST_S3_ENDPOINT": DEMO_ENDPOINT,
        "SLIPWAY_TEST_S3_ACCESS_KEY": DEMO_ACCESS_KEY,
        "SLIPWAY_TEST_S3_SECRET_KEY": DEMO_SECRET_KEY,
    }
    required = {name.strip() for name in os.environ.get("REQUIRE", "").split(",")}
    inside = {**store, "REQUIRE": ",".join(sorted(required & _INSIDE_TOOLS))}
    sessions = ["lint", "types", "layers", "tests"]
    command = ["nox", "--session", *sessions]
    returncode = run_inside(settings, find_running(root, engine), command, inside)
    if returncode != 0:
        raise CommandFailed(command, returncode, hint="Inside: `./inv shell`, then `nox`.")
    outside = {
        **store,
        "SLIPWAY_TEST_S3_ENDPOINT": f"http://127.0.0.1:{settings.container.object_store_port}",
    }
    command = [sys.executable, "-m", "nox", "--session", "integration"]
    returncode = process.run_shown(command, cwd=root, env=outside)
    if returncode != 0:
        raise CommandFailed(command, returncode)
