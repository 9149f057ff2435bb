"""What Lightning asks of a data set, the same for pictures and sentences."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import lightning

from starter.data.sampling import EpochSampler, make_loader
from starter.errors import DataError

if TYPE_CHECKING:
    from torch.utils.data import DataLoader, Dataset

    from starter.data.sampling import Encoder


class ClassifiedData(lightning.LightningDataModule, ABC):
    """Samples with labels, in three splits.

    After :meth:`setup`, ``classes`` and ``encoder`` are what a network is built for.

    Args:
        batch_size: How many samples are seen at once.
        num_workers: Processes that read them; 0 for the training process itself.
        seed: What their order follows from.
    """

    classes: tuple[str, ...]
    encoder: Encoder

    def __init__(self, *, batch_size: int, num_workers: int, seed: int) -> None:
        super().__init__()
        self._batch_size = batch_size
        self._num_workers = num_workers
        self.seed = seed
        self.datasets: dict[str, Dataset[Any]] = {}
        self.sizes: dict[str, int] = {}
        self.tested = "test"
        self.first_epoch = 0

    @abstractmethod
    def read_splits(self) -> None:
        """Find the samples; fill ``classes``, ``datasets`` and ``sizes``."""

    def setup(self, stage: str | None = None) -> None:  # noqa: ARG002  all splits are cheap to find
        """Find the samples, once."""
        if not self.datasets:
            self.read_splits()

    def loader(self, split: str, *, shuffle: bool = False) -> DataLoader[Any]:
        """Return what loads the batches of a split."""
        return make_loader(
            self.datasets[split],
            self.encoder,
            size=self.sizes[split],
            batch_size=self._batch_size,
            num_workers=self._num_workers,
            seed=self.seed,
            shuffle=shuffle,
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the batches to learn from.

        The sampler knows the first epoch from the start: where training goes on from a checkpoint,
        Lightning begins to load before it tells, and workers would load another epoch's samples.
        """
        loader = self.loader("train", shuffle=True)
        if isinstance(loader.sampler, EpochSampler):
            loader.sampler.set_epoch(self.first_epoch)
        return loader

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the batches that tell after each epoch how far it is."""
        return self.loader("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """Return the batches that are looked at once, at the end: those of ``tested``."""
        return self.loader(self.tested)

    def shown(self, inputs: Any) -> list[Any]:  # noqa: ANN401  a tensor, or several by name
        """Return the samples of a batch as a person sees them: pictures or sentences."""
        return self.encoder.decode(inputs)

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:  # noqa: ANN401, ARG002  Lightning's
        """Raise the error that stands in a batch's place.

        Raises:
            DataError: A sample of the batch cannot be read.
        """
        if isinstance(batch, DataError):
            raise batch
        return batch
