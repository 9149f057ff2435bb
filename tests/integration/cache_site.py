"""A DVC project on a file system of its own, brought up, with files that DVC tracks."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scripts import process
from tests.filesystems import MIB
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.process import Completed


@contextmanager
def workspace_at(root: Path, **env: str) -> Iterator[Workspace]:
    """Clone into ``root``, with settings, and take down what was brought up."""
    made = Workspace(root)
    made.write_env(**env)
    try:
        yield made
    finally:
        made.remove()


def track(made: Workspace, files: int = 3, size: int = 10_000) -> list[Path]:
    """Make a DVC project with a data directory of some files; return them."""
    assert made.inv("dvc-init").returncode == 0
    paths = [made.root / "data" / f"{number}.bin" for number in range(files)]
    paths[0].parent.mkdir()
    for path in paths:
        path.write_bytes(os.urandom(size))
    if made.uid is not None:
        process.run(["chown", "-R", f"{made.uid}:{made.uid}", str(paths[0].parent)])
    done = made.inv("exec", "--", "dvc", "add", "--quiet", "data")
    assert done.returncode == 0, said(done)
    return paths


def refused(done: Completed, code: int, *words: str) -> None:
    """Assert one message, one hint, the exit code, and what they name."""
    told = said(done)
    assert done.returncode == code, told
    assert done.stderr.count("ERROR ") == 1, told
    assert done.stderr.count("HINT ") == 1, told
    assert "Traceback" not in told
    for word in words:
        assert word in told


def checkout_row(made: Workspace) -> dict[str, str]:
    return next(row for row in made.json("doctor")["checks"] if row["name"] == "checkout")


def fill(path: Path) -> None:
    """Write until the disk is full to the last block."""
    with path.open("wb") as file:
        try:
            while True:
                file.write(b"\0" * MIB)
                file.flush()
        except OSError:
            while True:
                try:
                    os.write(file.fileno(), b"\0" * 512)
                except OSError:
                    return
