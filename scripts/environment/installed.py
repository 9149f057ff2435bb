"""What is installed, read from the metadata of each distribution."""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING

from scripts.environment.requirements import Distribution, normalized

if TYPE_CHECKING:
    from collections.abc import Iterable

_REQUIRES = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)")
_EXTRA = re.compile(r"""extra\s*==\s*["'](?P<extra>[^"']+)["']""")


def observe_installed() -> tuple[Distribution, ...]:
    """Return every distribution that this Python can import from.

    ``importlib.metadata.packages_distributions`` is new in Python 3.10, and reads what is not
    declared in ``top_level.txt`` (as most wheels of today) off ``RECORD`` only since 3.11.
    """
    found: dict[str, Distribution] = {}
    for distribution in metadata.distributions():
        name = normalized(distribution.metadata["Name"])
        if name not in found:  # the first on the path is what Python imports
            found[name] = _described(name, distribution)
    return tuple(found.values())


def _described(name: str, distribution: metadata.Distribution) -> Distribution:
    points = distribution.entry_points
    scripts = [point.name for point in points if point.group in ("console_scripts", "gui_scripts")]
    files = [file.parts for file in distribution.files or ()]
    # Programs that are no Python, as ruff: RECORD knows them as ../../../bin/ruff.
    programs = [
        parts[-1] for parts in files if parts[0] == ".." and parts[-2] in ("bin", "Scripts")
    ]
    groups = {point.group for point in points} - {"console_scripts", "gui_scripts"}
    return Distribution(
        name=name,
        imports=tuple(sorted(_declared(distribution) or _inferred(files))),
        commands=tuple(sorted({*scripts, *programs})),
        groups=tuple(sorted(groups)),
        requires=tuple(_required(distribution.requires or ())),
    )


def _declared(distribution: metadata.Distribution) -> set[str]:
    names = (distribution.read_text("top_level.txt") or "").split()
    return {name for name in names if name.isidentifier()}  # also paths, and mypyc's own files


def _inferred(files: list[tuple[str, ...]]) -> set[str]:
    """Return the importable names at the top of what was installed."""
    names = {parts[0] if len(parts) > 1 else _module(parts[0]) for parts in files}
    return {name for name in names if name.isidentifier() and name != "__pycache__"}


def _module(file_name: str) -> str:
    """Return a module's name: ``six.py``, ``_cffi_backend.cpython-39-x86_64-linux-gnu.so``."""
    stem, _, suffix = file_name.partition(".")
    return stem if suffix == "py" or suffix.endswith(("so", "pyd")) else ""


def _required(lines: Iterable[str]) -> list[tuple[str, str]]:
    required = []
    for line in lines:
        match = _REQUIRES.match(line)
        extra = _EXTRA.search(line)
        if match is not None:
            required.append(
                (normalized(match["name"]), normalized(extra["extra"]) if extra else "")
            )
    return required
