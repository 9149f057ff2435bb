"""A command forked from a process that has loaded Lightning once: it starts in no time."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Mapping, Sequence

os.environ["HF_HUB_OFFLINE"] = "1"  # asked as it is loaded
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["lightning", "datasets"])


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str


def run_forked(
    script: Path, arguments: Sequence[str], folder: Path, environ: Mapping[str, str], seconds: float
) -> Ended:
    """Run a Python script to its end, as a process of its own.

    Args:
        script: A file that is run as `__main__`.
        arguments: The words after its name.
        folder: Where it runs.
        environ: All of its environment.
        seconds: How long it may take.

    Raises:
        TimeoutError: It took longer, and was killed.
    """
    with TemporaryDirectory() as told:
        words, said = (str(script), *arguments), (f"{told}/out", f"{told}/err")
        process = _SERVER.Process(target=_become, args=(words, folder, dict(environ), *said))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(script)
        return Ended(process.exitcode, *(Path(file).read_text(encoding="utf-8") for file in said))


def _become(
    words: Sequence[str], folder: Path, environ: Mapping[str, str], out: str, err: str
) -> None:
    """Be what `python WORDS...` would be, in the process that was forked for it."""
    multiprocessing.set_start_method(None, force=True)  # for its own children, the usual one
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    for number, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    sys.argv = list(words)
    sys.path[0] = str(Path(words[0]).parent)
    try:
        runpy.run_path(words[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # multiprocessing ends a process without
