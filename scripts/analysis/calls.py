"""Runs a script, a module or a Python program and counts every call in it; inside, on its own.

``python calls.py OUTPUT script|module|program TARGET ARGUMENTS ...``. As ``python -m cProfile``,
but the exit code stays what it was, also after an error and Ctrl-C, and ``__main__`` is a real
module, which whatever is pickled needs.
"""

from __future__ import annotations

import runpy
import shutil
import sys
from pathlib import Path


def _script_of(program: str) -> str:
    """Return the file of a console script, which must be Python."""
    path = shutil.which(program)
    if path is None:
        sys.exit(f"{program}: no such program")
    with Path(path).open("rb") as stream:
        first = stream.readline()
    if not (first.startswith(b"#!") and b"python" in first):
        sys.exit(f"{program} is no Python program ({path}): its calls cannot be counted.")
    return path


def main() -> None:
    """Run what is asked for."""
    output, kind, target, *arguments = sys.argv[1:]
    # As `python SCRIPT` and `python -m MODULE` find what lies beside them.
    path = _script_of(target) if kind == "program" else target
    sys.path[0] = str(Path.cwd()) if kind == "module" else str(Path(path).resolve().parent)
    sys.argv = [path, *arguments]
    import cProfile  # noqa: PLC0415  now that what lies beside this file cannot be taken for it

    profile = cProfile.Profile()
    try:
        if kind == "module":
            profile.runcall(runpy.run_module, target, run_name="__main__", alter_sys=True)
        else:
            profile.runcall(runpy.run_path, path, run_name="__main__")
    finally:
        profile.dump_stats(output)


if __name__ == "__main__":
    main()
