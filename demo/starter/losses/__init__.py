"""Losses. Each owns the weights of the classes: what is learnt of them belongs to how it is judged.

A loss takes the features that a backbone finds and the labels, and returns one number;
:meth:`Loss.logits` are its scores for prediction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


class Loss(nn.Module, ABC):
    """Base of all losses: a linear layer from features to classes.

    Args:
        features: How many features a backbone finds.
        classes: How many classes there are.
    """

    def __init__(self, *, features: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.linear = nn.Linear(features, classes)

    def logits(self, features: Tensor) -> Tensor:
        """Return a score for each class; their softmax are the probabilities."""
        scores: Tensor = self.linear(features)
        return scores

    @abstractmethod
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss over a batch."""


class CrossEntropy(Loss):
    """The negative logarithm of the right class's probability."""

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss over a batch."""
        return functional.cross_entropy(self.logits(features), labels)


class Focal(Loss):
    """Cross-entropy in which easy examples count less: times (1 - p) to the power of ``gamma``."""

    def __init__(self, *, features: int, classes: int, gamma: float) -> None:
        super().__init__(features=features, classes=classes)
        self.gamma = gamma

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss over a batch."""
        log_p = -functional.cross_entropy(self.logits(features), labels, reduction="none")
        weights = torch.pow(1 - log_p.exp(), self.gamma)
        return -(weights * log_p).mean()


class ArcFace(Loss):
    """Cross-entropy of angles, in which the right class's angle is made harder by ``margin``.

    Features and class weights lie on a sphere of radius ``scale``.
    """

    def __init__(self, *, features: int, classes: int, margin: float, scale: float) -> None:
        super().__init__(features=features, classes=classes)
        self.linear = nn.Linear(features, classes, bias=False)
        self.margin = margin
        self.scale = scale

    def logits(self, features: Tensor) -> Tensor:
        """Return the scaled cosine of the angle to each class."""
        cosines = self._cosines(features)
        return cosines * self.scale

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss over a batch."""
        cosines = self._cosines(features)
        # acos has an infinite slope at 1, which a perfect example would reach.
        angles = torch.acos(cosines.clamp(-1 + 1e-6, 1 - 1e-6))
        right = functional.one_hot(labels, self.classes).bool()
        harder = torch.where(right, torch.cos(angles + self.margin), cosines)
        return functional.cross_entropy(self.scale * harder, labels)

    def _cosines(self, features: Tensor) -> Tensor:
        directions = functional.normalize(self.linear.weight)
        cosines: Tensor = functional.linear(functional.normalize(features), directions)
        return cosines


class SoftLabels(Loss):
    """Cross-entropy against a distribution over the classes for each example.

    Labels may be such distributions (rows that add up to 1: several annotators, a teacher network)
    or classes, which become distributions by giving ``smoothing`` to all classes alike.
    """

    def __init__(self, *, features: int, classes: int, smoothing: float) -> None:
        super().__init__(features=features, classes=classes)
        self.smoothing = smoothing

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss over a batch."""
        soft = labels if labels.is_floating_point() else self.soften(labels)
        return functional.cross_entropy(self.logits(features), soft)

    def soften(self, labels: Tensor) -> Tensor:
        """Return a distribution for each class label."""
        sharp = functional.one_hot(labels, self.classes).float()
        return sharp * (1 - self.smoothing) + self.smoothing / self.classes
