"""Folders of made data: whole or not there, with a note of what they were made from."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starter.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SPLITS = ("train", "val", "test")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
RECIPE = "recipe.json"


def split_sizes(count: int) -> dict[str, int]:
    """Return how many of all samples each split gets: an eighth for val and test each."""
    eighth = max(2, count // 8)
    return {"train": count - 2 * eighth, "val": eighth, "test": eighth}


def find_pictures(folder: Path) -> list[Path]:
    """Return the pictures below a folder, in order.

    Raises:
        DataError: There are none.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    if not paths:
        raise DataError(f"{folder} holds no pictures.", hint=f"Looked for {', '.join(PICTURES)}.")
    return paths


@contextmanager
def made_folder(folder: Path, recipe: Mapping[str, Any], *, again: bool) -> Iterator[Path | None]:
    """Lend a folder to fill, which gets its name when the block ends without an exception.

    Args:
        folder: The name.
        recipe: What the data follow from.
        again: Whether to replace a folder that is there. Otherwise it must be of the same recipe.

    Yields:
        The folder to fill; ``None`` where nothing is to be done.

    Raises:
        DataError: There is a folder of another recipe, or one that was not made here.
    """
    if folder.exists() and not again:
        _require_same(folder, recipe)
        yield None
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        making.chmod(0o755)
        yield making
        (making / RECIPE).write_text(json.dumps(recipe, indent=2) + "\n", encoding="utf-8")
        if again and folder.exists():
            shutil.rmtree(folder)
        try:
            os.rename(making, folder)  # noqa: PTH104  Path.rename is the same, with a return value
        except OSError:
            # Another process was quicker; what it made is as good.
            _require_same(folder, recipe)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _require_same(folder: Path, recipe: Mapping[str, Any]) -> None:
    try:
        found = json.loads((folder / RECIPE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder} exists, and was not made here: it has no readable {RECIPE}.",
            hint="Name another data.dir. Data of your own is taken as it is: pictures with "
            "data=folder, sentences with data.make=0.",
        ) from error
    if found != dict(recipe):
        raise DataError(
            f"{folder} was made from {found}, not from {dict(recipe)}.",
            hint="`make-data` makes it anew (see --count and --seed); or name another data.dir.",
        )
