"""A trained network, read back from its checkpoint: to measure it, and to ask it."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from omegaconf import DictConfig, OmegaConf

from starter import schema
from starter.building import build
from starter.data.encoders import PictureEncoder, SentenceEncoder, encoder_of
from starter.data.pictures import find_pictures
from starter.errors import ConfigError, DataError
from starter.failures import explained_failures
from starter.models.classifier import Classifier
from starter.ranges import check_ranges
from starter.training import measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starter.data.module import ClassifiedData


def load_classifier(path: Path) -> Classifier:
    """Read a network back, with its settings, classes and encoder.

    Raises:
        ConfigError: The file is no checkpoint of this project.
    """
    try:
        classifier: Classifier = Classifier.load_from_checkpoint(
            path, map_location="cpu", weights_only=True
        )
    except (RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise ConfigError(
            f"ckpt_path={path} cannot be read: {next(iter(str(error).splitlines()), error)}",
            hint="It must be a checkpoint that `train` of this project has written.",
        ) from error
    return classifier.eval()


def measure_checkpoint(config: DictConfig, path: Path) -> dict[str, Any]:
    """Return the metrics of a checkpoint on the split and data that a configuration names.

    Raises:
        DataError: The data's classes are not those of the network, or it cannot be read.
    """
    module = load_classifier(path)
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
        data.encoder = encoder_of(module.hparams["encoder"])
        data.tested = config.split
        measured = measure(config, module, data)
    return {name.replace("test/", f"{config.split}/"): value for name, value in measured.items()}


def _chosen_data(config: DictConfig, module: Classifier) -> DictConfig:
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


def answer(
    module: Classifier, samples: Sequence[Any], *, batch_size: int, top: int
) -> Iterator[list[tuple[str, float]]]:
    """Yield the most likely classes of each sample, with their probabilities."""
    encoder = encoder_of(module.hparams["encoder"])
    with torch.inference_mode(), explained_failures(batch_size):
        for start in range(0, len(samples), batch_size):
            batch = samples[start : start + batch_size]
            if isinstance(encoder, PictureEncoder):
                batch = [encoder.read(path) for path in batch]
            likely = module(encoder.encode(batch)).topk(min(top, len(module.classes)))
            for values, places in zip(likely.values.tolist(), likely.indices.tolist()):
                yield [(module.classes[place], value) for place, value in zip(places, values)]


def samples_of(config: DictConfig, module: Classifier, path: Path) -> tuple[list[Any], bool]:
    """Return the samples that a configuration asks about, and whether they are a batch.

    Raises:
        ConfigError: The network reads pictures and is asked about sentences, or the reverse.
        DataError: There is nothing to read.
    """
    reads_sentences = isinstance(encoder_of(module.hparams["encoder"]), SentenceEncoder)
    if reads_sentences == bool(config.img_path):
        what = (
            "sentences: text=... or text_path=FILE" if reads_sentences else "pictures: img_path=..."
        )
        raise ConfigError(f"ckpt_path={path} takes {what}")
    if config.text:
        return [config.text], False
    if config.text_path:
        return _lines_of(Path(config.text_path)), True
    place = Path(config.img_path)
    return (find_pictures(place), True) if place.is_dir() else ([place], False)


def write_answers(
    path: Path, samples: Sequence[Any], answers: Sequence[Sequence[tuple[str, float]]]
) -> None:
    """Write a CSV: each sample, its most likely class, and that one's probability.

    Raises:
        DataError: The file cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["sample", "class", "probability"])
            for sample, likely in zip(samples, answers):
                name, probability = likely[0]
                writer.writerow([sample, name, f"{probability:.4f}"])
    except OSError as error:
        raise DataError(f"csv_path={path} cannot be written: {error.strerror}.") from error


def _lines_of(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"text_path={path} cannot be read: {error}") from error
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise DataError(f"text_path={path} holds no sentences.")
    return found
