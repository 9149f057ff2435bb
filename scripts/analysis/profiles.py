"""Profile a command inside: run it under the recorder, judge what it left, keep the file."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from errno import EISDIR
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from scripts import process
from scripts.analysis.profiling import (
    Profile,
    Profiler,
    ProfileRequest,
    Recorded,
    command_samples,
    judge,
    plan_recording,
)
from scripts.container.bringup import find_running
from scripts.container.inside import follow_host, is_inside, run_inside
from scripts.crossing.paths import workspace_target
from scripts.errors import SlipwayError

if TYPE_CHECKING:
    from scripts.container.engine import Engine
    from scripts.settings import Settings

USUAL_DIRECTORY = ".slipway/profiles"
_RECORDINGS = ".slipway/recordings"
_STOP = """
kill -s INT -- "-$(cat "$0/group")" || exit 0
n=0
until [ -e "$0/status" ] || [ $n = 100 ]; do n=$((n + 1)); sleep 0.1; done
"""
"""Interrupts what was recorded, and gives it 10 s to end."""


def usual_path(root: Path, command: list[str], *, calls: bool) -> Path:
    """Return where a profile goes if nobody says it: named after what runs, and when."""
    scripts = [word for word in command if word.endswith(".py")]
    name = PurePath((scripts or command)[0]).stem
    moment = time.strftime("%Y%m%d-%H%M%S")
    return root / USUAL_DIRECTORY / f"{name}-{moment}{'.prof' if calls else '.svg'}"


def take_profile(request: ProfileRequest, settings: Settings, engine: Engine) -> Profile:
    """Run a command inside, on this terminal, and profile it.

    The file is put in its place when it is whole. Ctrl-C is the command's own affair: what was
    seen until it ended is in the profile.

    Args:
        request: The command, and how to look at it.
        settings: Name the workspace.
        engine: The engine that the container runs on.

    Raises:
        SettingsError: cProfile cannot look at such a command.
        ContainerError: The container does not run.
        ToolError: The command cannot be started, or the recording broke off.
        SlipwayError: The profile cannot be written.
    """
    root = settings.root
    workspace = workspace_target(root)
    _require_writable(request.path)
    (root / _RECORDINGS).mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=root / _RECORDINGS))
    try:
        argv = plan_recording(request, workspace, f"{workspace}/{_RECORDINGS}/{directory.name}")
        if is_inside():
            process.run_past_interrupt(argv)
        else:
            container = find_running(root, engine)
            follow_host(settings, container)
            run_inside(settings, container, argv, {}, run=process.run_past_interrupt)
            if (directory / "group").exists() and not (directory / "status").exists():
                # Without a terminal, Ctrl-C ends docker's end of it alone.
                inside = f"{workspace}/{_RECORDINGS}/{directory.name}"
                engine.execute(container.container_id, ["sh", "-c", _STOP, inside])
        output = directory / f"profile{request.profiler.value}"
        profile = judge(request, _observe(directory))
        if profile.path is not None:
            _place(output, profile.path)
        return profile
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _observe(directory: Path) -> Recorded:
    picture = _text(directory / f"profile{Profiler.SAMPLES.value}") or ""
    calls = directory / f"profile{Profiler.CALLS.value}"
    return Recorded(
        _text(directory / "status"),
        _text(directory / "log") or "",
        command_samples(picture),
        calls.exists() and calls.stat().st_size > 0,
    )


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else None


def _require_writable(path: Path) -> None:
    """Check where the profile goes before the command runs, which may take hours."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unwritten(path, error) from error


def _place(output: Path, path: Path) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        shutil.copyfile(output, beside)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise _unwritten(path, error) from error


def _unwritten(path: Path, error: OSError) -> SlipwayError:
    return SlipwayError(
        f"Cannot write {path}: {error.strerror or error}.",
        hint="Check that its directory is yours and has room.",
    )
