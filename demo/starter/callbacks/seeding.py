"""Randomness that follows from the seed and the place in training, and from nothing else."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer


class SeedEachBatch(Callback):
    """Sets the random generators anew at each batch, so that a resumed run meets the same numbers.

    Once an epoch would not do: what begins an epoch draws from the generators too, and other things
    begin the first epoch after a resumption.

    Args:
        seed: The run's seed.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,  # noqa: ANN401  Lightning's
        batch_idx: int,
    ) -> None:
        """Set the generators; each process gets numbers of its own."""
        del pl_module, batch
        seed_everything(self._seed, trainer.current_epoch + 1, batch_idx, trainer.global_rank)


def seed_everything(*parts: int) -> None:
    """Set the generators of Python, numpy and torch to what follows from some numbers."""
    state = int(np.random.SeedSequence(parts).generate_state(1)[0])
    random.seed(state)
    np.random.seed(state)  # noqa: NPY002  what others' code uses is this one
    torch.manual_seed(state)
