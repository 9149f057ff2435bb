"""A network as Lightning trains and measures it: for pictures and sentences alike."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import lightning
import torch
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassMatthewsCorrCoef,
)

from starter.building import build
from starter.checkpoints import METRICS
from starter.errors import TrainingError
from starter.models.network import ARGUMENTS, Network

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
    from torch import Tensor

    Batch = tuple[Any, Tensor]


class Classifier(Network, lightning.LightningModule):
    """A network that is trained and measured.

    A checkpoint holds all the arguments, so that it can be read back without anything else.

    Args:
        settings: The configuration's `model`, `loss`, `optimizer` and what these refer to.
        classes: The names of the classes.
        encoder: How samples become tensors; see :mod:`starter.data.encoders`.
    """

    def __init__(
        self, settings: Mapping[str, Any], classes: Sequence[str], encoder: Mapping[str, Any]
    ) -> None:
        super().__init__(settings, classes, encoder)
        self.save_hyperparameters()
        # Those of validation and test take turns, so that one set of measures serves both.
        self.measures = _measures(len(self.classes))
        self.confusion = torch.zeros(len(self.classes), len(self.classes))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch.

        Raises:
            TrainingError: It is no finite number.
        """
        inputs, labels = batch
        loss: Tensor = self.loss(self.backbone(inputs), labels)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"The loss is {loss.item()} at batch {batch_idx + 1} of epoch "
                f"{self.current_epoch + 1}.",
                hint=f"Lower optimizer.lr (now {self.settings.optimizer.lr:g}), or add "
                "+trainer.gradient_clip_val=1. `train resume=RUN` goes on from the last epoch.",
            )
        self.log("train/loss", loss, on_epoch=True, on_step=False, batch_size=len(labels))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Measure a batch of the validation data; return its probabilities."""
        del batch_idx
        return self._measure("val", batch)

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Measure a batch of the test data; return its probabilities."""
        del batch_idx
        return self._measure("test", batch)

    def on_train_epoch_end(self) -> None:
        """Log the learning rate."""
        self.log("train/lr", self.trainer.optimizers[0].param_groups[0]["lr"])

    def on_validation_epoch_end(self) -> None:
        """Log what was measured."""
        self._log_measures("val")

    def on_test_epoch_end(self) -> None:
        """Log what was measured."""
        self._log_measures("test")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note how to build the network without downloading anything, and what was measured."""
        kept = copy.deepcopy(dict(checkpoint[ARGUMENTS]))
        kept["settings"]["model"].update(self.backbone.architecture())  # type: ignore[operator]
        checkpoint[ARGUMENTS] = kept
        measured = self.trainer.callback_metrics.items()
        checkpoint[METRICS] = {name: float(value) for name, value in measured}

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return the optimizer and its learning rate's course."""
        make = build(self.settings.optimizer)
        optimization: OptimizerLRSchedulerConfig = make(
            self.parameters(), steps=int(self.trainer.estimated_stepping_batches)
        )
        return optimization

    def _measure(self, split: str, batch: Batch) -> Tensor:
        inputs, labels = batch
        features = self.backbone(inputs)
        loss = self.loss(features, labels)
        probabilities: Tensor = self.loss.logits(features).softmax(dim=-1)  # type: ignore[operator]
        self.measures.update(probabilities, labels)
        self.log(f"{split}/loss", loss, batch_size=len(labels), sync_dist=True)
        return probabilities

    def _log_measures(self, split: str) -> None:
        measured = self.measures.compute()
        self.confusion = measured.pop("confusion").cpu()
        # Some measure in integers when nothing is right or all is.
        self.log_dict({f"{split}/{name}": value.float() for name, value in measured.items()})
        self.measures.reset()


def _measures(classes: int) -> MetricCollection:
    return MetricCollection(
        {
            "accuracy": MulticlassAccuracy(classes, average="micro"),
            "f1": MulticlassF1Score(classes),
            "matthews": MulticlassMatthewsCorrCoef(classes),
            "confusion": MulticlassConfusionMatrix(classes),
        },
        compute_groups=False,
    )
