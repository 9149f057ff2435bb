"""Randomness that follows from the seed and the epoch, and from nothing else."""

from __future__ import annotations

import random

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer


class SeedEachEpoch(Callback):
    """Sets the random generators anew at each epoch, so that a resumed run meets the same numbers.

    Args:
        seed: The run's seed.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set the generators; each process gets numbers of its own."""
        del pl_module
        seed_everything(self._seed, trainer.current_epoch + 1, trainer.global_rank)


def seed_everything(*parts: int) -> None:
    """Set the generators of Python, numpy and torch to what follows from some numbers."""
    state = int(np.random.SeedSequence(parts).generate_state(1)[0])
    random.seed(state)
    np.random.seed(state)  # noqa: NPY002  what others' code uses is this one
    torch.manual_seed(state)
