"""What answers: a backbone and a loss, with all that it needs, and without what trains it."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from omegaconf import OmegaConf
from torch import nn

from starter.building import build
from starter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

ARGUMENTS = "hyper_parameters"
"""The key of Lightning's checkpoints under which the arguments of the module are."""


class Network(nn.Module):
    """A backbone and a loss, which owns the classes.

    Args:
        settings: The configuration's `model`, `loss`, and what these refer to.
        classes: The names of the classes.
        encoder: How samples become tensors; see :mod:`starter.data.encoders`.
    """

    def __init__(
        self, settings: Mapping[str, Any], classes: Sequence[str], encoder: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self.settings = OmegaConf.create(dict(settings))
        self.classes = tuple(classes)
        self.encoder = dict(encoder)
        self.backbone: nn.Module = build(self.settings.model)
        self.loss: nn.Module = build(
            self.settings.loss, features=self.backbone.features, classes=len(self.classes)
        )

    def forward(self, inputs: Any) -> Tensor:  # noqa: ANN401  a tensor, or several by name
        """Return the probability of each class for each sample of a batch."""
        probabilities: Tensor = self.loss.logits(self.backbone(inputs)).softmax(dim=-1)  # type: ignore[operator]
        return probabilities


_Kind = TypeVar("_Kind", bound=Network)


def load_network(path: Path, kind: type[_Kind]) -> _Kind:
    """Read a trained network back from a checkpoint, with its settings, classes and encoder.

    Args:
        path: The checkpoint.
        kind: ``Network`` to ask it; what can be trained and measured takes seconds more to load.

    Raises:
        ConfigError: The file is no checkpoint of this project.
    """
    try:
        held = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        network = kind(**held[ARGUMENTS])
        network.load_state_dict(held["state_dict"])
    except (IndexError, KeyError, RuntimeError, TypeError, pickle.UnpicklingError) as error:
        raise ConfigError(
            f"ckpt_path={path} cannot be read: {next(iter(str(error).splitlines()), error)}",
            hint="It must be a checkpoint that `train` of this project has written.",
        ) from error
    return network.eval()
