"""`make-data`: makes the demo's data anew, cats and dogs or sentences."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from starter import schema
from starter.commands import PROJECT, exit_on_error, register
from starter.errors import ConfigError, DataError

if TYPE_CHECKING:
    from starter.data.making import Maker

_COUNTS = {"cats_dogs": 1600, "sentences": 8000}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="make-data", description=__doc__.split(": ")[1])
    parser.add_argument("what", nargs="?", choices=sorted(_COUNTS))
    parser.add_argument("--count", type=int, help="how many; as `train` wants them, if not given")
    parser.add_argument("--seed", type=int, default=0, help="another one makes others")
    parser.add_argument("--dir", type=Path, help="where to; data/WHAT, if not given")
    parser.add_argument(
        "--config", type=Path, help="instead of all these: a file of `compose`; makes what it reads"
    )
    given = parser.parse_args()
    if (given.what is None) == (given.config is None):
        parser.error("say what to make, or --config FILE")
    with exit_on_error():
        if given.config:
            make, folder, count = _read_from(given.config)
        else:
            make = _makers()[given.what]
            folder = given.dir or PROJECT / "data" / given.what
            count = given.count or _COUNTS[given.what]
        make(folder, count=count, again=True, seed=given.seed)
        print(f"{count} samples in {folder}")


def _makers() -> dict[str, Maker]:
    from starter.data.making import make_pictures, make_sentences  # noqa: PLC0415  not for --help

    return {"cats_dogs": make_pictures, "sentences": make_sentences}


def _read_from(path: Path) -> tuple[Maker, Path, int]:
    """Return what makes the data that a configuration reads, where to, and how many.

    Raises:
        ConfigError: The file is none that `compose` wrote.
        DataError: Nothing is made for such a configuration.
    """
    register()
    try:
        config = DictConfig(OmegaConf.load(path))
        data = schema.typed("data", DictConfig(OmegaConf.to_container(config.data, resolve=True)))
    except (OSError, AttributeError, ValueError, YAMLError, OmegaConfBaseException) as error:
        told = " ".join(str(error).split())
        raise ConfigError(
            f"{path} is no configuration: {told}.", hint="`compose PARAMS FILE` writes one."
        ) from error
    for key, what in (("draw", "cats_dogs"), ("make", "sentences")):
        if data.get(key):
            return _makers()[what], Path(data.dir), int(data[key])
    raise DataError(
        f"{data.dir}: such data is not made here.",
        hint="`dvc add` your own data, and take the stage `make` out of dvc.yaml.",
    )


if __name__ == "__main__":
    main()
