"""Making data sets, whole or not at all; nothing here loads torch."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Protocol

from starter.data import drawing
from starter.data.folder import made_folder, split_sizes
from starter.data.grammar import make_sentence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Maker(Protocol):
    """What makes a data set."""

    def __call__(self, folder: Path, *, count: int, again: bool, seed: int = 0) -> None:
        """Make it; see :func:`make_pictures`."""


def make_pictures(folder: Path, *, count: int, again: bool, seed: int = 0) -> None:
    """Draw a data set, whole or not at all.

    Args:
        folder: Where it goes.
        count: How many pictures in all splits together.
        again: Whether to replace one that is there.
        seed: What they follow from.
    """
    recipe = {"pictures": count, "seed": seed}
    with made_folder(folder, recipe, again=again) as making:
        if making is None:
            return
        index = 0
        for split, in_split in split_sizes(count).items():
            for kind in drawing.CLASSES:
                (making / split / kind).mkdir(parents=True)
            for _ in range(in_split):
                kind = drawing.CLASSES[index % len(drawing.CLASSES)]
                picture = drawing.draw_picture(kind, seed=seed, index=index)
                picture.save(making / split / kind / f"{index:05}.png", compress_level=1)
                index += 1


def make_sentences(folder: Path, *, count: int, again: bool, seed: int = 0) -> None:
    """Make a data set, whole or not at all.

    No sentence of one split stands in another.

    Args:
        folder: Where it goes.
        count: How many sentences in all splits together.
        again: Whether to replace one that is there.
        seed: What they follow from.
    """
    with made_folder(folder, {"sentences": count, "seed": seed}, again=again) as making:
        if making is None:
            return
        index = 0
        seen: set[str] = set()
        for split, in_split in split_sizes(count).items():
            rows: list[tuple[str, int]] = []
            while len(rows) < in_split:
                sentence = make_sentence(seed=seed, index=index)
                index += 1
                if sentence.text not in seen:
                    seen.add(sentence.text)
                    rows.append((sentence.text, sentence.label))
            _write_csv(making / f"{split}.csv", rows)


def _write_csv(path: Path, rows: Iterable[tuple[str, int]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["sentence", "label"])
        writer.writerows(rows)
