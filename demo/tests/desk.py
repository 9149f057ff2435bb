"""A folder to work in: commands as a person runs them, with data and runs of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import pytest

from forked import Ended, run_forked

PROJECT = Path(__file__).resolve().parents[1]
TINY = ("data.draw=96", "data.batch_size=16", "model.width=4", "trainer.max_epochs=2")
"""A run of seconds, that learns nothing."""


@dataclass(frozen=True)
class Desk:
    """A folder to run commands in, with data and runs of its own."""

    folder: Path
    project: Path = PROJECT

    def start(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        """Start a command of bin/."""
        name, *arguments = words
        return subprocess.Popen(
            [sys.executable, str(self._script(name)), *arguments],
            cwd=self.folder,
            env=self._environ(environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, **environ: str) -> Ended:
        """Run a command of bin/ to its end; what it imports may be loaded already."""
        name, *arguments = words
        return run_forked(
            self._script(name), arguments, self.folder, self._environ(environ), seconds=600
        )

    def imports(self, *words: str) -> tuple[str, set[str]]:
        """Run a command of bin/ afresh; return what it printed, and the modules it imported."""
        process = self.start(*words, PYTHONPROFILEIMPORTTIME="1")
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        return out, {line.rpartition("|")[2].strip() for line in err.splitlines()}

    def _script(self, name: str) -> Path:
        return self.project / "bin" / name

    def _environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**os.environ, "HF_HUB_OFFLINE": "1", **environ}

    def places(self, run: str = "") -> list[str]:
        """Return the words that keep data and runs here."""
        words = [f"paths.data_dir={self.folder}/data", f"paths.runs_dir={self.folder}/runs"]
        return [*words, f"hydra.run.dir={self.folder / run}"] if run else words

    def train(self, run: str, *words: str, **environ: str) -> Ended:
        """Train something tiny into a folder."""
        logger = [] if any(word.startswith("logger=") for word in words) else ["logger=none"]
        return self.run("train", *TINY, *self.places(run), *logger, *words, **environ)

    def metrics(self, run: str) -> dict[str, float]:
        """Return what a run measured."""
        measured: dict[str, float] = json.loads((self.folder / run / "metrics.json").read_text())
        return measured

    def record(self, run: str) -> dict[str, Any]:
        """Return a run's record."""
        record: dict[str, Any] = json.loads((self.folder / run / "record.json").read_text())
        return record


def await_seen(
    seen: Callable[[], bool], process: subprocess.Popen[str] | None = None, *, seconds: float = 300
) -> None:
    """Wait until something has come about; a file that is asked may still be missing.

    What ``process`` has said is told if it ends before, or does not come to it.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until and (process is None or process.poll() is None):
        with suppress(FileNotFoundError):
            if seen():
                return
        time.sleep(0.02)
    said = ""
    if process is not None:
        process.kill()
        said = "".join(process.communicate())
    pytest.fail(f"it did not come to that: {said}")
