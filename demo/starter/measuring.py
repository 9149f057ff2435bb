"""A trained network on the data of a split, measured as training measures it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from starter import schema
from starter.building import build
from starter.data.encoders import encoder_of
from starter.errors import DataError
from starter.failures import explained_failures
from starter.models.classifier import Classifier
from starter.models.network import load_network
from starter.ranges import check_ranges
from starter.training import measure

if TYPE_CHECKING:
    from pathlib import Path

    from starter.data.module import ClassifiedData
    from starter.models.network import Network


def measure_checkpoint(config: DictConfig, path: Path) -> dict[str, Any]:
    """Return the metrics of a checkpoint on the split and data that a configuration names.

    Raises:
        DataError: The data's classes are not those of the network, or it cannot be read.
    """
    module = load_network(path, Classifier)
    chosen = _chosen_data(config, module)
    with explained_failures(chosen.batch_size):
        data: ClassifiedData = build(chosen)
        data.prepare_data()
        data.setup()
        if data.classes != module.classes:
            raise DataError(
                f"The data has the classes {', '.join(data.classes)}; "
                f"{path} was trained on {', '.join(module.classes)}."
            )
        data.encoder = encoder_of(module.encoder)
        data.tested = config.split
        measured = measure(config, module, data)
    return {name.replace("test/", f"{config.split}/"): value for name, value in measured.items()}


def _chosen_data(config: DictConfig, module: Network) -> DictConfig:
    """Return the configuration of the data: the checkpoint's, under what was chosen now."""
    # By their values: `output_dir` refers to a place that Hydra names, and only in its own tree.
    paths = OmegaConf.to_container(config.paths, resolve=True)
    own = OmegaConf.merge(module.settings, {"paths": paths})
    chosen = config.data or {}
    if "_target_" in chosen:
        return DictConfig(OmegaConf.to_container(chosen, resolve=True))
    resolved = OmegaConf.to_container(own.data, resolve=True)
    data = schema.typed("data", DictConfig(resolved))
    data = DictConfig(OmegaConf.merge(data, chosen))
    check_ranges(DictConfig({"data": data}))
    return data
