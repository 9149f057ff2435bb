"""Every command of docs/guide/training.md is executed, with data and epochs of a test's size.

Those of `dvc` and `git` are the steps of demo/tests/test_pipeline.py. Two more have tests there
that do the same, and take a fifth of the time: they are executed by `./inv test --all`.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from desk import PROJECT, Desk
from versions import STEPS

if TYPE_CHECKING:
    from pathlib import Path

GUIDE = PROJECT.parent / "docs" / "guide" / "training.md"
_SMALL = {
    "train": ["+trainer.limit_train_batches=2", "+trainer.limit_val_batches=1"],
    "evaluate": [],
    "infer": [],
    "rerun": [],
    "sweep": [],
}
_OF_VERSIONS = ("dvc ", "git ")
_RARELY = ("hydra/launcher=ray_local", "rerun --as-recorded")


def _commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def test_every_command_of_the_guide(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    commands = [each for each in _commands() if not each.startswith(_OF_VERSIONS)]
    rare = [each for each in commands if any(words in each for words in _RARELY)]
    assert len(rare) == len(_RARELY)
    if not os.environ.get("SLIPWAY_TEST_ALL"):
        commands = [each for each in commands if each not in rare]
    assert len(commands) > 12
    searches = 0
    for command in commands:
        name, *words = shlex.split(command)
        first = sorted(desk.folder.glob("runs/cats_dogs/*"))[:1]
        words = [word.replace("RUN", str(first[0])) if first else word for word in words]
        asked = {"--help", "--cfg"} & set(words)
        if name == "rerun":
            words += ["--to", f"runs/again{len(words)}"]
        elif name == "sweep":
            pass
        elif not asked and not any("resume=" in word for word in words):
            small = [] if "loss.margn=0.3" in words else _SMALL[name]
            epochs = any("max_epochs" in word for word in words)
            words += [*desk.places(), *small]
            words += ["trainer.max_epochs=1"] if name == "train" and not epochs else []
        if name == "train" and "logger=" not in command and not asked:
            words += ["logger=csv"]
        if "hparams_search=" in command:
            searches += 1
            words += [f"hydra.sweeper.n_trials={min(searches, 2)}", "test=false"]
        ended = desk.run(name, *words)
        expected = 2 if "margn" in command else 0
        assert ended.code == expected, f"{command}\n{ended.out}{ended.err}"
        if "margn" in command:
            assert "Did you mean loss.margin?" in ended.err


def test_the_versions_of_the_guide_are_those_of_the_pipeline_s_test() -> None:
    assert [each for each in _commands() if each.startswith(_OF_VERSIONS)] == STEPS
