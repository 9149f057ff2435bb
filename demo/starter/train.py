"""`train`: from a configuration to a trained model and the record of how it came about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starter.checking import check, check_arguments, require_checkpoint, require_keys
from starter.commands import run
from starter.errors import TrainingError
from starter.record import PRUNED, recorded, value_of

if TYPE_CHECKING:
    from omegaconf import DictConfig


def train(config: DictConfig) -> float | None:
    """Train, and return the metric that a search is to raise; nothing of a trial that it gave up.

    Raises:
        TrainingError: A trial of a search has measured no number.
    """
    with recorded(config, "train") as record:
        check(config, "train")
        require_keys(config.logger)
        if config.ckpt_path:
            require_checkpoint(Path(config.ckpt_path))
        check_arguments(config.trainer)
        from starter.training import fit  # noqa: PLC0415  torch: only when all else is right

        result = fit(config)
        record.metrics = result.metrics
        record.checkpoint = result.checkpoint
        if result.pruned:
            record.status = PRUNED
            return None
        value = value_of(result.metrics, str(config.metric))
        if value is None and config.trial is not None:
            raise TrainingError(f"{config.metric} is no number, which a search could not compare.")
        return value


def main() -> None:
    """Run the command."""
    run("train", train)


if __name__ == "__main__":
    main()
