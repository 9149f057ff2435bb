"""What a trained network answers when asked; without Lightning, which takes seconds to load."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from starter.data.encoders import PictureEncoder, SentenceEncoder, encoder_of
from starter.data.folder import find_pictures
from starter.errors import ConfigError, DataError
from starter.failures import explained_failures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from omegaconf import DictConfig

    from starter.models.network import Network


def answer(
    network: Network, samples: Sequence[Any], *, batch_size: int, top: int
) -> Iterator[list[tuple[str, float]]]:
    """Yield the most likely classes of each sample, with their probabilities."""
    encoder = encoder_of(network.encoder)
    with torch.inference_mode(), explained_failures(batch_size):
        for start in range(0, len(samples), batch_size):
            batch = samples[start : start + batch_size]
            if isinstance(encoder, PictureEncoder):
                batch = [encoder.read(path) for path in batch]
            likely = network(encoder.encode(batch)).topk(min(top, len(network.classes)))
            for values, places in zip(likely.values.tolist(), likely.indices.tolist()):
                yield [(network.classes[place], value) for place, value in zip(places, values)]


def samples_of(config: DictConfig, network: Network, path: Path) -> tuple[list[Any], bool]:
    """Return the samples that a configuration asks about, and whether they are a batch.

    Raises:
        ConfigError: The network reads pictures and is asked about sentences, or the reverse.
        DataError: There is nothing to read.
    """
    reads_sentences = isinstance(encoder_of(network.encoder), SentenceEncoder)
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
