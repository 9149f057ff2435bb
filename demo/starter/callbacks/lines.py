"""One line for each epoch, for people and log files."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lightning import Callback, LightningModule, Trainer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

_log = logging.getLogger(__name__)


class EpochLines(Callback):
    """Says after each epoch how far training is."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log what was measured."""
        del pl_module
        if trainer.is_global_zero:
            number = f"{trainer.current_epoch + 1}/{trainer.max_epochs}"
            _log.info("epoch %s  %s", number, metrics_line(trainer.callback_metrics))


def metrics_line(metrics: Mapping[str, Tensor]) -> str:
    """Return what was measured as one line."""
    return "  ".join(
        f"{name} {float(value):.4f}" for name, value in sorted(metrics.items()) if "/" in name
    )
