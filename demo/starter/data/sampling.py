"""In which order samples are seen: derived from the seed and the epoch alone.

Nothing is remembered from one epoch to the next, so that a run which goes on from a checkpoint sees
what an unbroken one would have seen, with any number of workers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import distributed
from torch.utils.data import DataLoader, Dataset, Sampler

from starter.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor


@dataclass(frozen=True)
class Place:
    """One sample, as it is to be seen in one epoch."""

    index: int
    epoch: int


class EpochSampler(Sampler[Place]):
    """Names the samples of an epoch; of several processes, each gets its share.

    Lightning tells it the epoch through :meth:`set_epoch`.

    Args:
        size: How many samples there are.
        seed: What the order follows from, beside the epoch.
        shuffle: Whether to mix them; each process then gets equally many, some of them twice.
    """

    def __init__(self, size: int, *, seed: int, shuffle: bool) -> None:
        self._size = size
        self._seed = seed
        self._shuffle = shuffle
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that the next iteration is for."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[Place]:
        rank, processes = _process()
        order = np.arange(self._size)
        if self._shuffle:
            order = np.random.default_rng([self._seed, self._epoch]).permutation(self._size)
            order = np.resize(order, len(self) * processes)
        return (Place(int(index), self._epoch) for index in order[rank::processes])

    def __len__(self) -> int:
        rank, processes = _process()
        if self._shuffle:
            return math.ceil(self._size / processes)
        return len(range(rank, self._size, processes))


class Encoder(Protocol):
    """What makes tensors of samples; see :mod:`starter.data.encoders`."""

    def encode(self, samples: Sequence[Any]) -> Any:  # noqa: ANN401  a tensor, or several by name
        """Return a batch."""

    def decode(self, inputs: Any) -> list[Any]:  # noqa: ANN401  as above
        """Return the samples of a batch as a person sees them."""

    def describe(self) -> dict[str, Any]:
        """Return what a checkpoint holds of it."""


class Collate:
    """Makes a batch of samples and labels.

    A sample that cannot be read arrives as the error that says so, and so does its batch: an
    exception would lose its hint on the way out of a worker.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def __call__(
        self, pairs: Sequence[tuple[Any, int] | DataError]
    ) -> tuple[Any, Tensor] | DataError:
        """Return a batch, or the error in its place."""
        good = []
        for pair in pairs:
            if isinstance(pair, DataError):
                return pair
            good.append(pair)
        samples, labels = zip(*good)
        return self._encoder.encode(samples), torch.tensor(labels)


def make_loader(
    dataset: Dataset[Any],
    encoder: Encoder,
    *,
    size: int,
    batch_size: int,
    num_workers: int,
    seed: int,
    shuffle: bool,
) -> DataLoader[Any]:
    """Return what loads the batches of a data set."""
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=EpochSampler(size, seed=seed, shuffle=shuffle),
        num_workers=num_workers,
        collate_fn=Collate(encoder),
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def _process() -> tuple[int, int]:
    """Return this process's number and how many there are."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
