"""What is known of each sample before a model sees it, as a table; nothing here loads torch."""

from __future__ import annotations

import csv
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from starter.data.folder import PICTURES, SPLITS
from starter.data.grammar import CLASSES
from starter.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd

    Row = dict[str, Any]


def table_of_pictures(folder: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return a row for each picture of ``folder/SPLIT/CLASS``, and the classes that train/ has.

    Raises:
        DataError: A split is not there.
    """
    places = []
    classes: tuple[str, ...] = ()
    for split in SPLITS:
        try:
            folders = sorted(each for each in (folder / split).iterdir() if each.is_dir())
        except OSError as error:
            raise DataError(
                f"{folder / split} cannot be read: {error.strerror}.",
                hint="data.dir must hold train/, val/ and test/, with a folder for each class.",
            ) from error
        if split == "train":
            classes = tuple(each.name for each in folders)
        for each in folders:
            paths = [path for path in each.glob("*") if path.suffix.lower() in PICTURES]
            places += [(split, each.name, path) for path in sorted(paths)]
    with ThreadPoolExecutor() as readers:  # what reads and decodes lets other threads go on
        seen = readers.map(look_at, (path for _, _, path in places))
        rows = [
            {"sample": str(path), "split": split, "label": label, **found}
            for (split, label, path), found in zip(places, seen)
        ]
    return _framed(rows, ("error", "side", "longer", "contrast", "content")), classes


def look_at(path: Path) -> Row:
    """Return what a picture is like, or in ``error`` why it cannot be read.

    ``content`` stands for its pixels: a copy in another format has the same.
    """
    try:
        with Image.open(path) as picture:
            pixels = picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        told = next(iter(str(error).splitlines()), type(error).__name__)
        return {"error": told, "side": None, "longer": None, "contrast": None, "content": ""}
    grey = np.asarray(pixels.convert("L"))
    digest = hashlib.sha256(f"{pixels.size}".encode() + pixels.tobytes())
    return {
        "error": "",
        "side": min(pixels.size),
        "longer": max(pixels.size),
        "contrast": int(grey.max()) - int(grey.min()),
        "content": digest.hexdigest(),
    }


def table_of_sentences(folder: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return a row for each sentence of ``folder/SPLIT.csv``, and the labels that may stand there.

    Raises:
        DataError: A file is not there, is no CSV, or lacks a column.
    """
    rows: list[Row] = []
    for split in SPLITS:
        file = folder / f"{split}.csv"
        try:
            with file.open(encoding="utf-8", newline="") as stream:
                reader = csv.DictReader(stream, restval="")
                names = list(reader.fieldnames or ())
                missing = [name for name in ("sentence", "label") if name not in names]
                if missing:
                    raise DataError(
                        f"{file} has no column `{missing[0]}`.", hint=f"It has: {', '.join(names)}."
                    )
                rows += [
                    _sentence(file, split, number, row) for number, row in enumerate(reader, 1)
                ]
        except FileNotFoundError as error:
            raise DataError(f"{file} does not exist.", hint="data.dir must hold it.") from error
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{file} cannot be read as CSV: {error}") from error
    return _framed(rows, ("words", "content")), tuple(str(each) for each in range(len(CLASSES)))


def _sentence(file: Path, split: str, number: int, row: dict[str, str]) -> Row:
    words = row["sentence"].split()
    return {
        "sample": f"{file}, row {number}",
        "split": split,
        "label": row["label"].strip(),
        "words": len(words),
        "content": " ".join(words).lower(),
    }


def _framed(rows: Iterable[Row], columns: Iterable[str]) -> pd.DataFrame:
    """Return rows as a table, with the samples of the same content that stand where none may.

    ``elsewhere`` is one of another split, ``otherwise`` one with another label; empty if there is
    none.
    """
    import pandas as pd  # noqa: PLC0415  a third of a second, not for `--help`

    table = pd.DataFrame(list(rows), columns=["sample", "split", "label", *columns])
    for column, by in (("elsewhere", "split"), ("otherwise", "label")):
        table[column] = _twins(table, by)
    return table


def _twins(table: pd.DataFrame, by: str) -> list[str]:
    """Return for each sample one of the same content that differs from it in a column."""
    first: dict[str, dict[str, str]] = {}
    for row in table.itertuples(index=False):
        if row.content:
            first.setdefault(row.content, {}).setdefault(getattr(row, by), row.sample)
    return [
        next(
            (
                sample
                for value, sample in first.get(row.content, {}).items()
                if value != getattr(row, by)
            ),
            "",
        )
        for row in table.itertuples(index=False)
    ]
