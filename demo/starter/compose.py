"""`compose`: writes the whole configuration that some params amount to, checked."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import OmegaConf

from starter.checking import check
from starter.commands import QUIET, run
from starter.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="compose", description=__doc__.split(": ")[1])
    parser.add_argument("params", type=Path, help="what is chosen and changed, as params.yaml")
    parser.add_argument("to", type=Path, help="the file to write, as `train --cfg job` prints it")
    given = parser.parse_args()

    def write(config: DictConfig) -> None:
        check(config, "train")
        try:
            given.to.parent.mkdir(parents=True, exist_ok=True)
            # As written: a place that is given by its name holds on every machine.
            given.to.write_text(OmegaConf.to_yaml(config, resolve=False), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{given.to} cannot be written: {error.strerror}.") from error

    sys.argv[1:] = [f"params={given.params}", *QUIET]
    run("train", write)


if __name__ == "__main__":
    main()
