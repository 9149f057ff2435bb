"""`evaluate`: the metrics of a trained model on its own data, or on others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starter.checking import check, check_arguments, require_checkpoint, require_keys
from starter.commands import run
from starter.record import newest_checkpoint, plain_metrics, recorded

if TYPE_CHECKING:
    from omegaconf import DictConfig


def evaluate(config: DictConfig) -> float | None:
    """Measure, print and record; return the accuracy."""
    with recorded(config, "evaluate") as record:
        check(config, "evaluate")
        require_keys(config.logger)
        path = config.ckpt_path or newest_checkpoint(Path(config.paths.runs_dir))
        require_checkpoint(Path(path))
        check_arguments(config.trainer)
        from starter.measuring import measure_checkpoint  # noqa: PLC0415  torch: when all else is right

        measured = measure_checkpoint(config, Path(path))
        record.metrics = plain_metrics(measured)
        record.checkpoint = str(path)
        for name, value in record.metrics.items():
            print(f"{name}: {'no number' if value is None else f'{value:.4f}'}")
        return record.metrics.get(f"{config.split}/accuracy")


def main() -> None:
    """Run the command."""
    run("evaluate", evaluate)


if __name__ == "__main__":
    main()
