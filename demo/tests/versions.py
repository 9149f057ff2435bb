"""A repository with the project in it, and what a person does there to get three versions."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from desk import PROJECT
from forked import Ended

if TYPE_CHECKING:
    from pathlib import Path

TINY = {
    "choose": {"data": "cats_dogs", "loss": "cross_entropy", "logger": "none"},
    "data": {"draw": 64, "batch_size": 16},
    "model": {"width": 4},
    "trainer": {"max_epochs": 1, "enable_progress_bar": False},
    "callbacks": {"pictures": {"samples": 2}},
    "test": False,
}
STEPS = """
dvc repro
git add --all
git commit --message 'First version'
git tag v1
dvc exp run -S data.draw=2400
git add --all
git commit --message 'More pictures'
git tag v2
dvc exp run --queue -S choose.loss=focal,arcface train
dvc exp run --run-all
dvc exp show --only-changed
dvc exp apply NAME
dvc repro
git commit --all --message 'Focal loss'
git tag v3
dvc metrics diff v1 v2
dvc params diff v2 v3
dvc plots diff v1 v3
git checkout v1
dvc checkout
""".strip().splitlines()
"""As the guide has them; NAME is an experiment's, and 2400 pictures are fewer here."""


@dataclass(frozen=True)
class Repository:
    """A git repository in which the project is a folder, as in the workspace."""

    project: Path

    def run(self, *words: str) -> Ended:
        home = str(self.project.parent.parent / "home")
        who = {f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER")
               for what in ("NAME", "EMAIL")}  # fmt: skip
        ended = subprocess.run(
            words, cwd=self.project, capture_output=True, text=True, check=False, timeout=600,
            env={**os.environ, **who, "HOME": home, "GIT_CONFIG_NOSYSTEM": "1",
                 "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": f"{home}/dvc"},
        )  # fmt: skip
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def git(self, *words: str) -> str:
        ended = self.run("git", *words)
        assert ended.code == 0, ended.err
        return ended.out

    def dvc(self, *words: str, code: int = 0) -> str:
        ended = self.run(sys.executable, "-m", "dvc", *words)
        assert ended.code == code, f"dvc {' '.join(words)}\n{ended.out}{ended.err}"
        return ended.out + ended.err

    def step(self, line: str, name: str = "") -> str:
        """Do one of STEPS; return what was printed."""
        words = [word.replace("2400", "80").replace("NAME", name) for word in shlex.split(line)]
        return self.dvc(*words[1:]) if words[0] == "dvc" else self.git(*words[1:])

    def change(self, section: str, **values: object) -> None:
        path = self.project / "params.yaml"
        params = yaml.safe_load(path.read_text())
        params.setdefault(section, {}).update(values)
        path.write_text(yaml.safe_dump(params))

    def hashes(self, *places: str) -> dict[str, str]:
        return {
            str(path.relative_to(self.project)): hashlib.sha256(path.read_bytes()).hexdigest()
            for place in places
            for path in sorted((self.project / place).rglob("*"))
            if path.is_file()
        }

    def json(self, path: str) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.project / path).read_text())
        return read


def make_repository(folder: Path) -> Repository:
    """Return a repository whose project is as it is here, with nothing run yet, and tiny params."""
    repository = Repository(folder / "work" / "project")

    def left_out(folder: str, names: list[str]) -> set[str]:
        grown = {"data", "runs", "pipeline", "tests", "dvc.lock"} if folder == str(PROJECT) else ()
        return {"__pycache__", "config.local", "tmp", "cache", *grown}.intersection(names)

    shutil.copytree(PROJECT, repository.project, ignore=left_out)
    (repository.project / "params.yaml").write_text(yaml.safe_dump(TINY))
    # As in the workspace: git writes the ends of lines anew, under which DVC's hashes must hold.
    (repository.project.parent / ".gitattributes").write_text("* text=auto eol=lf\n")
    repository.git("init", "--quiet", "--initial-branch=main", "..")
    if not (repository.project / ".dvc").is_dir():  # where the workspace's DVC project has it
        repository.dvc("init", "--subdir")
    repository.dvc("config", "--local", "core.check_update", "false")
    return repository
