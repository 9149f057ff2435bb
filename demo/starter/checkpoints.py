"""Checkpoints: written whole or not at all, and asked how far they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

if TYPE_CHECKING:
    from collections.abc import Mapping
METRICS = "metrics"
"""The key of a checkpoint under which the last epoch's metrics are."""


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place and moves it there, so that a kill leaves the old one.

    Lightning's own way writes to the system's temporary folder, from where moving may be copying.
    """

    def save_checkpoint(
        self,
        checkpoint: Mapping[str, Any],
        path: str | os.PathLike[str],
        storage_options: Any | None = None,  # noqa: ANN401  Lightning's
    ) -> None:
        """Save a checkpoint."""
        del storage_options
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        writing = place.with_name(f".{place.name}.writing")
        with writing.open("wb") as file:
            torch.save(dict(checkpoint), file)
            file.flush()
            os.fsync(file.fileno())
        writing.replace(place)


def epochs_done(path: Path) -> int:
    """Return how many epochs of training a checkpoint has behind it."""
    return int(_held(path)["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"])


def metrics_measured(path: Path) -> dict[str, float]:
    """Return what had been measured when a checkpoint of ours was written; nothing of others'."""
    return dict(_held(path).get(METRICS, {}))


def _held(path: Path) -> dict[str, Any]:
    held: dict[str, Any] = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    return held
