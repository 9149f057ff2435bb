"""Optimizers with their learning rate's course: up for a while, then down as a cosine.

The rate follows the step alone, so that a run which goes on from a checkpoint meets the same ones.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import optim
from torch.optim.lr_scheduler import LambdaLR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
    from torch import nn


def adamw(
    parameters: Iterable[nn.Parameter],
    *,
    steps: int,
    lr: float,
    weight_decay: float,
    warmup: float,
) -> OptimizerLRSchedulerConfig:
    """Return AdamW for ``steps`` steps, of which the share ``warmup`` rises."""
    return _scheduled(optim.AdamW(parameters, lr=lr, weight_decay=weight_decay), steps, warmup)


def sgd(
    parameters: Iterable[nn.Parameter],
    *,
    steps: int,
    lr: float,
    weight_decay: float,
    warmup: float,
    momentum: float,
) -> OptimizerLRSchedulerConfig:
    """Return SGD with momentum for ``steps`` steps, of which the share ``warmup`` rises."""
    optimizer = optim.SGD(parameters, lr=lr, weight_decay=weight_decay, momentum=momentum)
    return _scheduled(optimizer, steps, warmup)


def rate_at(step: int, *, steps: int, warmup: float) -> float:
    """Return the share of the full rate at a step: from near 0 to 1 and back to 0."""
    rising = warmup * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    done = (step - rising) / max(1.0, steps - rising)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _scheduled(optimizer: optim.Optimizer, steps: int, warmup: float) -> OptimizerLRSchedulerConfig:
    course = LambdaLR(optimizer, lambda step: rate_at(step, steps=steps, warmup=warmup))
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": course, "interval": "step"}}
