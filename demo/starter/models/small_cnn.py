"""A small convolutional network for pictures, built from its configuration alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


class SmallCNN(nn.Module):
    """Four convolutions, each at half the size of the one before, then an average.

    Args:
        width: Channels of the first convolution; each next one has twice as many.
        features: How many features come out.
        dropout: The share of features that is left out at random in training.
    """

    def __init__(self, *, width: int, features: int, dropout: float) -> None:
        super().__init__()
        self.features = features
        sizes = (3, width, 2 * width, 4 * width, 8 * width)
        self.layers = nn.Sequential(
            *(_block(inner, outer) for inner, outer in zip(sizes, sizes[1:])),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(sizes[-1], features),
        )

    def architecture(self) -> dict[str, object]:
        """Return the settings that build this network again, without weights."""
        return {}

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the features of a batch of pictures (batch, 3, height, width)."""
        features: Tensor = self.layers(pictures)
        return features


def _block(inner: int, outer: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inner, outer, kernel_size=3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outer),
        nn.ReLU(),
    )
