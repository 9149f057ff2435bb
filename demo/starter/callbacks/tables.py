"""Tables for plots: what each epoch measured, and what was taken for what."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from lightning import Callback, LightningModule, Trainer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor

EPOCHS, CONFUSION = "epochs.csv", "confusion.csv"


class EpochTable(Callback):
    """Writes a row for each epoch; a run that goes on goes on with its table.

    Args:
        output_dir: The folder of the table.
    """

    def __init__(self, *, output_dir: str) -> None:
        self._path = Path(output_dir) / EPOCHS

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add a row."""
        del pl_module
        if not trainer.is_global_zero:
            return
        epoch = trainer.current_epoch + 1
        measured = {
            name: f"{float(value):.6g}"
            for name, value in sorted(trainer.callback_metrics.items())
            if "/" in name
        }
        rows = [*self._rows_before(epoch), {"epoch": str(epoch), **measured}]
        _write(self._path, list(dict.fromkeys(name for row in rows for name in row)), rows)

    def _rows_before(self, epoch: int) -> list[dict[str, str]]:
        if epoch == 1 or not self._path.is_file():
            return []
        with self._path.open(encoding="utf-8", newline="") as stream:
            return [row for row in csv.DictReader(stream) if int(row["epoch"]) < epoch]


class ConfusionTable(Callback):
    """Writes a row for each sample of the test: its class, and the one that it was taken for.

    Args:
        output_dir: The folder of the table.
    """

    def __init__(self, *, output_dir: str) -> None:
        self._path = Path(output_dir) / CONFUSION

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the table."""
        if not trainer.is_global_zero:
            return
        classes: Sequence[str] = pl_module.classes  # type: ignore[assignment]
        matrix: Tensor = pl_module.confusion  # type: ignore[assignment]
        rows = [
            {"actual": actual, "predicted": predicted}
            for actual, counts in zip(classes, matrix.tolist())
            for predicted, count in zip(classes, counts)
            for _ in range(int(count))
        ]
        _write(self._path, ["actual", "predicted"], rows)


def _write(path: Path, names: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a table so that a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writing = path.with_name(f".{path.name}.writing")
    with writing.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    writing.replace(path)
