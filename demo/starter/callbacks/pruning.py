"""Training as a trial of a search: the metric is reported after each epoch, and may be given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning import Callback, LightningModule, Trainer

from starter.errors import ConfigError

if TYPE_CHECKING:
    from starter.search.trial import ReportedTrial


class Pruning(Callback):
    """Ends training when the search's pruner expects nothing of it; without a trial, does nothing.

    Args:
        metric: What is searched for.
        trial: The trial's number.
    """

    def __init__(self, metric: str, trial: int | None) -> None:
        self._metric = metric
        self._number = trial
        self._trial: ReportedTrial | None = None
        self.pruned = False

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the trial in its study; of several processes, the first one does."""
        del pl_module
        if self._number is not None and trainer.is_global_zero:
            from starter.search.trial import ReportedTrial  # noqa: PLC0415  Optuna: for trials only

            self._trial = ReportedTrial(self._number)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report, and ask whether to go on; after the last epoch there is nothing to be saved.

        Raises:
            ConfigError: Training does not measure the metric.
        """
        del pl_module
        if self._number is None or trainer.sanity_checking:
            return
        measured = trainer.callback_metrics
        if self._metric not in measured:
            raise ConfigError(
                f"metric={self._metric}: training measures no such thing.",
                hint=f"It measures {', '.join(sorted(measured))}.",
            )
        hopeless = False
        if self._trial is not None:
            epoch = trainer.current_epoch
            self._trial.report(epoch, float(measured[self._metric]))
            hopeless = epoch + 1 != trainer.max_epochs and self._trial.is_hopeless()
        if trainer.strategy.broadcast(hopeless):
            self.pruned = trainer.should_stop = True
