"""Pictures in folders, one for each class; drawn first where they are missing and may be."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch.utils.data import Dataset

from starter.data.encoders import PictureEncoder
from starter.data.folder import PICTURES, SPLITS
from starter.data.making import make_pictures
from starter.data.module import ClassifiedData
from starter.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starter.data.encoders import Pixels
    from starter.data.sampling import Place


class Pictures(Dataset[Any]):
    """The pictures of some files, with their labels.

    Args:
        files: Each picture's path and label.
        encoder: What reads them.
        seed: What random changes follow from, beside epoch and index.
        augment: Whether to mirror and shift them at random.
    """

    def __init__(
        self,
        files: Sequence[tuple[Path, int]],
        encoder: PictureEncoder,
        *,
        seed: int,
        augment: bool,
    ) -> None:
        self._files = files
        self._encoder = encoder
        self._seed = seed
        self._augment = augment

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, place: Place) -> tuple[Pixels, int] | DataError:
        path, label = self._files[place.index]
        try:
            pixels = self._encoder.read(path)
        except DataError as error:
            return error
        if self._augment:
            rng = np.random.default_rng([self._seed, place.epoch, place.index])
            pixels = _changed(pixels, rng)
        return pixels, label


class PictureData(ClassifiedData):
    """Pictures from ``dir/{train,val,test}/CLASS``.

    Args:
        dir: The folder.
        size: Width and height that pictures get.
        augment: Whether to mirror and shift those of training at random.
        draw: How many to draw if the folder is missing; 0 for none.
        batch_size: How many are seen at once.
        num_workers: Processes that read them; 0 for the training process itself.
        seed: What order and changes follow from.
    """

    def __init__(
        self,
        *,
        dir: str,  # noqa: A002  the key of the configuration
        size: int,
        augment: bool,
        draw: int,
        batch_size: int,
        num_workers: int,
        seed: int,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, seed=seed)
        self._dir = Path(dir)
        self._augment = augment
        self._draw = draw
        self._reader = PictureEncoder(size)
        self.encoder = self._reader

    def prepare_data(self) -> None:
        """Draw the pictures, if they are missing and may be drawn."""
        if self._draw:
            make_pictures(self._dir, count=self._draw, again=False)

    def read_splits(self) -> None:
        """Find the files of each split."""
        self.classes = _classes_in(self._dir / "train")
        if len(self.classes) < 2:
            raise DataError(
                f"{self._dir}/train holds {len(self.classes)} class.",
                hint="There must be two or more, each a folder.",
            )
        for split in SPLITS:
            files = _files_in(self._dir / split, self.classes)
            # Mixed, so that every batch has all classes; those of training are mixed each epoch.
            random.Random(0).shuffle(files)  # noqa: S311  the same order each time, no secret
            self.datasets[split] = Pictures(
                files,
                self._reader,
                seed=self.seed,
                augment=self._augment and split == "train",
            )
            self.sizes[split] = len(files)


def _classes_in(folder: Path) -> tuple[str, ...]:
    try:
        classes = tuple(sorted(each.name for each in folder.iterdir() if each.is_dir()))
    except OSError as error:
        raise DataError(
            f"{folder} cannot be read: {error.strerror}.",
            hint="data.dir must hold train/, val/ and test/, each with a folder for each class.",
        ) from error
    return classes


def _files_in(folder: Path, classes: Sequence[str]) -> list[tuple[Path, int]]:
    strange = sorted(set(_classes_in(folder)) - set(classes))
    if strange:
        raise DataError(
            f"{folder / strange[0]} is a class that train/ does not have.",
            hint=f"The classes are {', '.join(classes)}.",
        )
    found = []
    for label, name in enumerate(classes):
        paths = _pictures_in(folder / name)
        if not paths:
            raise DataError(
                f"{folder / name} holds no pictures.",
                hint=f"Put some there ({', '.join(PICTURES)}), or remove the class everywhere.",
            )
        found += [(path, label) for path in paths]
    return found


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in PICTURES)


def _changed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a picture mirrored or not, and shifted by some pixels."""
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    most = max(1, len(pixels) // 16)
    down, across = rng.integers(-most, most + 1, size=2)
    padded = np.pad(pixels, ((most, most), (most, most), (0, 0)), mode="edge")
    size = len(pixels)
    return padded[most + down : most + down + size, most + across : most + across + size]
