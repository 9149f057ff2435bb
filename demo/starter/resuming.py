"""`train resume=RUN`: the words of the command that began the run, to go on in its own folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import OmegaConf

from starter.errors import ConfigError
from starter.words import alone

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORD = "resume="
LAST = Path("checkpoints") / "last.ckpt"


def resumed(words: Sequence[str]) -> list[str]:
    """Return a command's words with ``resume=RUN`` replaced by those which began that run.

    Words beside it are added, and so stand over those of the run. A run that was ended before its
    first epoch was over begins anew. A trial of a search goes on as a run of its own.

    Raises:
        ConfigError: There is no run at that place.
    """
    runs = [word[len(_WORD) :] for word in words if word.startswith(_WORD)]
    if not runs:
        return list(words)
    run = Path(runs[-1]).resolve()
    overrides = run / ".hydra" / "overrides.yaml"
    if not overrides.is_file():
        raise ConfigError(
            f"resume={runs[-1]}: there is no run in {run}.",
            hint="Name a run's folder, the one that holds record.json and checkpoints/.",
        )
    # As they were given: `${...}` in them is for Hydra, once all is composed.
    given = OmegaConf.to_container(OmegaConf.load(overrides), resolve=False)
    began = [str(word) for word in given] if isinstance(given, list) else []
    beside = [word for word in words if not word.startswith(_WORD)]
    checkpoint = [f"ckpt_path='{run / LAST}'"] if (run / LAST).is_file() else []
    return [*alone(began), *beside, f"hydra.run.dir='{run}'", *checkpoint]
