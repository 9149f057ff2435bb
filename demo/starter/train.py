"""`train`: from a configuration to a trained model and the record of how it came about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starter import schema
from starter.checking import require_checkpoint, require_keys
from starter.commands import run
from starter.record import recorded

if TYPE_CHECKING:
    from omegaconf import DictConfig


def train(config: DictConfig) -> float | None:
    """Train, and return the metric that a search is to raise."""
    with recorded(config, "train") as record:
        schema.check(config, "train")
        require_keys(config.logger)
        if config.ckpt_path:
            require_checkpoint(Path(config.ckpt_path))
        from starter.training import fit  # noqa: PLC0415  torch: only when all else is right

        result = fit(config)
        record.metrics = result.metrics
        record.checkpoint = result.checkpoint
        return result.metrics.get(str(config.metric))


def main() -> None:
    """Run the command."""
    run("train", train)


if __name__ == "__main__":
    main()
