"""Pin what the images and the host install: lists of requirements become locks, through uv.

Each is resolved in an empty directory of their own, so that a lock depends on its input alone
and names nothing of this machine.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from scripts.errors import SlipwayError, ToolMissing
from scripts.process import Completed, run
from scripts.progress import SilentProgress
from scripts.report import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.progress import Progress

_IMAGE_MARKERS = (
    "python_full_version < '3.10'",
    "implementation_name == 'cpython'",
    "platform_python_implementation == 'CPython'",
    "sys_platform == 'linux'",
)
"""What is true in every image: CPython 3.9 on Linux. The processor is left open."""

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True)
class _Lock:
    """A lock: the file that a person writes, and the Pythons and machines that it is for."""

    source: str
    target: str
    python: str
    markers: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    as_in_image: tuple[str, ...] = ()
    """Packages that are to be of the versions which the first lock pins."""


LOCKS = (
    # 3.9.2 is Debian 11's; some packages rule out 3.9.0 and 3.9.1.
    _Lock("environment.txt", "environment.lock", "3.9.2", _IMAGE_MARKERS),
    _Lock("host.txt", "host.lock", "3.9"),
    _Lock(
        "tests/host.txt",
        "tests/host.lock",
        "3.9",
        includes=("host.txt",),
        # What one side finds right is right on the other.
        as_in_image=("ruff", "mypy", "import-linter"),
    ),
    _Lock(
        "services/object-store/requirements.txt",
        "services/object-store/requirements.lock",
        "3.9.2",
        _IMAGE_MARKERS,
    ),
)


@dataclass(frozen=True)
class LockChange:
    """One package that a new lock pins differently; a version is empty where there is none.

    A lock for several Pythons may pin a package more than once: its versions are then listed
    with commas.
    """

    lock: str
    package: str
    before: str
    after: str


class Run(Protocol):
    """How uv is started: :func:`scripts.process.run`, or a test's fake."""

    def __call__(self, argv: Sequence[str], *, cwd: Path) -> Completed:
        """Run a program to its end."""


def lock_environment(
    root: Path,
    *,
    upgrade: bool = False,
    progress: Progress | None = None,
    uv: str | None = None,
    run: Run = run,
) -> tuple[LockChange, ...]:
    """Pin every list of requirements of the workspace ``root`` with hashes.

    No lock is written unless all of them can be resolved.

    Args:
        root: The workspace.
        upgrade: Whether to move every package to its newest version. Without it, only what the
            inputs ask for moves.
        progress: Where to tell what is being done.
        uv: The uv to use; by default the one beside this Python, or on PATH.
        run: How it is started.

    Returns:
        What the locks pin differently, by lock and package.

    Raises:
        ToolMissing: uv is not installed.
        CommandFailed: uv cannot resolve an input; the message ends with uv's own reasons.
        SlipwayError: An input is missing, or a lock cannot be written.
    """
    progress = progress or SilentProgress()
    uv = uv or _find_uv()
    texts: dict[_Lock, str] = {}
    for lock in LOCKS:
        progress.say(f"Resolving {lock.source}")
        pins = read_pins(texts.get(LOCKS[0], ""))
        settings = _uv_settings(lock, pins)
        texts[lock] = _resolve(lock, root, uv, run, settings, upgrade=upgrade)
    changes: list[LockChange] = []
    for lock, text in texts.items():
        path = root / lock.target
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if text != before:
            write_text(path, text)
        changes += _compare(lock.target, before, text)
    return tuple(changes)


def read_pins(text: str) -> dict[str, tuple[str, ...]]:
    """Return the versions that a lock pins, by package."""
    pins: dict[str, tuple[str, ...]] = {}
    for match in _PIN.finditer(text):
        name = match["name"]
        pins[name] = (*pins.get(name, ()), match["version"])
    return pins


def _resolve(lock: _Lock, root: Path, uv: str, run: Run, settings: str, *, upgrade: bool) -> str:
    if not (root / lock.source).is_file():
        raise SlipwayError(
            f"There is no {lock.source} in {root}.",
            hint=f"Restore it (`git checkout -- {lock.source}`).",
        )
    with tempfile.TemporaryDirectory(prefix="slipway-lock-") as name:
        directory = Path(name)
        (directory / lock.source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / lock.source, directory / lock.source)
        for included in lock.includes:
            shutil.copyfile(root / included, directory / included)
        if (root / lock.target).is_file():  # uv keeps the versions that it finds here
            shutil.copyfile(root / lock.target, directory / lock.target)
        write_text(directory / "pyproject.toml", settings)
        run(
            [
                uv, "pip", "compile", lock.source, "--output-file", lock.target,
                "--universal", "--python-version", lock.python, "--generate-hashes",
                "--no-emit-index-url", "--no-emit-find-links", "--no-header",
                *(["--upgrade"] if upgrade else []),
            ],
            cwd=directory,
        )  # fmt: skip
        resolved = (directory / lock.target).read_text(encoding="utf-8")
    return (
        f"# Made of {lock.source} by `./inv lock`; do not edit.\n"
        f"{_without_markers(resolved, lock.markers)}"
    )


def _uv_settings(lock: _Lock, pins: Mapping[str, tuple[str, ...]]) -> str:
    """Return a pyproject.toml: uv reads a resolution's environments nowhere else."""
    environments = f'environments = ["{" and ".join(lock.markers)}"]\n' if lock.markers else ""
    same = [f"{name}=={pins[name][0]}" for name in lock.as_in_image if name in pins]
    constraints = f"constraint-dependencies = {json.dumps(same)}\n" if same else ""
    return f"[tool.uv]\n{environments}{constraints}"


def _without_markers(text: str, markers: tuple[str, ...]) -> str:
    """Leave out what holds wherever this lock is used; uv repeats it on every line."""
    for marker in markers:
        text = text.replace(f"{marker} and ", "").replace(f" and {marker}", "")
        text = text.replace(f" ; {marker} \\\n", " \\\n")
    return text


def _compare(lock: str, before: str, after: str) -> list[LockChange]:
    old, new = read_pins(before), read_pins(after)
    return [
        LockChange(lock, name, ", ".join(old.get(name, ())), ", ".join(new.get(name, ())))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _find_uv() -> str:
    beside = Path(sys.executable).parent
    found = shutil.which("uv", path=str(beside)) or shutil.which("uv")
    if found is None:
        raise ToolMissing(
            "uv, which makes the locks, is not installed.",
            hint="Run `./inv lock`: ./inv installs host.lock, which holds uv.",
        )
    return found
