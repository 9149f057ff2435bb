"""Networks of torchvision, with pretrained weights where they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torchvision.models import get_model

from starter.errors import ConfigError
from starter.models.loading import explain_download

if TYPE_CHECKING:
    from torch import Tensor


class TorchvisionBackbone(nn.Module):
    """A network of torchvision without its last layer.

    Args:
        name: Its name there, such as ``resnet18`` or ``convnext_tiny``.
        pretrained: Which weights to download (``DEFAULT``, ``IMAGENET1K_V1``); ``None`` for none.
    """

    def __init__(self, *, name: str, pretrained: str | None) -> None:
        super().__init__()
        with explain_download(f"model.name={name} model.pretrained={pretrained}"):
            network = get_model(name, weights=pretrained)
        self.features = _without_last_layer(network, name)
        self.network = network

    def architecture(self) -> dict[str, object]:
        """Return the settings that build this network again, without weights."""
        return {"pretrained": None}

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the features of a batch of pictures (batch, 3, height, width)."""
        features: Tensor = self.network(pictures)
        return features


def _without_last_layer(network: nn.Module, name: str) -> int:
    """Replace the layer that tells ImageNet's classes apart; return how many features it got."""
    for attribute in ("fc", "classifier", "head", "heads"):
        last = getattr(network, attribute, None)
        if isinstance(last, nn.Linear):
            setattr(network, attribute, nn.Identity())
            return last.in_features
        if isinstance(last, nn.Sequential) and isinstance(last[-1], nn.Linear):
            features = last[-1].in_features
            last[-1] = nn.Identity()
            return features
    raise ConfigError(
        f"model.name={name} ends in no layer that is known here.",
        hint="For example: resnet18, convnext_tiny, efficientnet_b0, vit_b_16",
    )
