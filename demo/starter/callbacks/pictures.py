"""Confusion matrix and sample predictions as pictures, to every logger and to the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightning.pytorch.utilities.types import STEP_OUTPUT
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor


class Pictures(Callback):
    """Draws what a network takes for what.

    Args:
        output_dir: Where the pictures go as files; loggers that show pictures get them beside.
        every_n_epochs: After how many epochs of training they are drawn; those of the test always.
        samples: How many samples are shown, from the first batch.
    """

    def __init__(self, *, output_dir: str, every_n_epochs: int, samples: int) -> None:
        self._output_dir = Path(output_dir)
        self._every = every_n_epochs
        self._samples = samples
        self._shown: tuple[Any, Tensor, Tensor] | None = None

    def on_validation_batch_end(  # noqa: PLR0917  Lightning's
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,  # noqa: ANN401  Lightning's
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first batch."""
        del pl_module, dataloader_idx
        if batch_idx == 0 and trainer.is_global_zero:
            self._keep(outputs, batch)

    def on_test_batch_end(  # noqa: PLR0917  Lightning's
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,  # noqa: ANN401  Lightning's
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first batch."""
        del pl_module, dataloader_idx
        if batch_idx == 0 and trainer.is_global_zero:
            self._keep(outputs, batch)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, after every so many epochs and after the last one."""
        epoch = trainer.current_epoch + 1
        if epoch % self._every == 0 or epoch == trainer.max_epochs:
            self._draw("val", trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw."""
        self._draw("test", trainer, pl_module)

    def _keep(self, outputs: STEP_OUTPUT, batch: Any) -> None:  # noqa: ANN401  Lightning's
        inputs, labels = batch
        count = self._samples
        shown = (
            {name: part[:count] for name, part in inputs.items()}
            if isinstance(inputs, dict)
            else inputs[:count]
        )
        self._shown = (shown, labels[:count], outputs[:count])  # type: ignore[index]

    def _draw(self, split: str, trainer: Trainer, module: LightningModule) -> None:
        """Draw what was kept of a split, and hand it on."""
        if not trainer.is_global_zero or trainer.sanity_checking or self._shown is None:
            return
        inputs, labels, probabilities = self._shown
        classes: Sequence[str] = module.classes  # type: ignore[assignment]
        matrix: Tensor = module.confusion  # type: ignore[assignment]
        titles = [
            f"{classes[int(row.argmax())]} {float(row.max()):.2f}\n(is {classes[int(label)]})"
            for row, label in zip(probabilities, labels)
        ]
        right = [bool(row.argmax() == label) for row, label in zip(probabilities, labels)]
        shown = trainer.datamodule.shown(inputs)  # type: ignore[attr-defined]
        self._hand_on(f"{split}/confusion", draw_confusion(matrix.numpy(), classes), trainer)
        self._hand_on(f"{split}/samples", draw_samples(shown, titles, right), trainer)

    def _hand_on(self, name: str, figure: Figure, trainer: Trainer) -> None:
        path = self._output_dir / f"{name.replace('/', '_')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_figure(name, figure, trainer.global_step, close=False)
            elif isinstance(logger, WandbLogger):
                # By its file: W&B then keeps these very bytes.
                logger.log_image(name, [str(path)])


def draw_confusion(matrix: NDArray[np.int64], classes: Sequence[str]) -> Figure:
    """Return a picture of how many of each class (rows) were taken for each class (columns)."""
    from matplotlib.figure import Figure  # noqa: PLC0415  a third of a second

    figure = Figure(figsize=(1.6 + 1.1 * len(classes), 1.4 + 1.0 * len(classes)), dpi=100)
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = range(len(classes))
    axes.set_xticks(places, classes)
    axes.set_yticks(places, classes)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    for row in places:
        for column in places:
            colour = "white" if shares[row, column] > 0.5 else "black"
            count = int(matrix[row, column])
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    figure.tight_layout()
    return figure


def draw_samples(
    samples: Sequence[NDArray[np.float32] | str], titles: Sequence[str], right: Sequence[bool]
) -> Figure:
    """Return a picture of samples with what they were taken for; what is wrong stands in red."""
    from matplotlib.figure import Figure  # noqa: PLC0415  as above

    colours = ["darkgreen" if each else "firebrick" for each in right]
    if isinstance(samples[0], str):
        figure = Figure(figsize=(9, 0.4 + 0.3 * len(samples)), dpi=100)
        for row, (sample, title, colour) in enumerate(zip(samples, titles, colours)):
            line = f"{str(sample)[:70]:70}  {' '.join(title.split())}"
            height = 1 - (row + 0.7) / len(samples)
            figure.text(0.02, height, line, color=colour, family="monospace", size=8)
        return figure
    columns = min(6, len(samples))
    rows = -(-len(samples) // columns)
    figure = Figure(figsize=(1.5 * columns, 1.9 * rows), dpi=100)
    for place, (sample, title, colour) in enumerate(zip(samples, titles, colours), start=1):
        axes = figure.add_subplot(rows, columns, place)
        axes.imshow(sample)
        axes.set_title(title, color=colour, size=8)
        axes.set_axis_off()
    figure.tight_layout()
    return figure
