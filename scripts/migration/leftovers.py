"""What runs left unfinished in a target: looked for before every copy, and once after each."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from scripts.report import count_text

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.migration.opening import Stores
    from scripts.progress import Progress


def remove_leftovers(stores: Stores, progress: Progress, *, is_copying: bool) -> None:
    """Remove what runs left unfinished in the target, and tell it.

    Looking thoroughly takes longer than all else of a run with nothing to do. So where nothing is
    about to be copied, it is done only if the run before this one copied something.

    Args:
        stores: The project and its remotes.
        progress: Told how much it was.
        is_copying: Whether this run is about to write there.

    Raises:
        StoreError: The target refuses it.
    """
    mark = _mark(stores)
    is_thorough = is_copying or mark is None or mark.exists()
    cleaned = stores.target.clean(thorough=is_thorough)
    if cleaned:
        told = count_text(cleaned, "unfinished object")
        progress.say(f"{stores.target.name}: {told} of an earlier run removed")
    if mark is not None and is_copying:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    elif mark is not None:
        mark.unlink(missing_ok=True)


def _mark(stores: Stores) -> Path | None:
    """Return the file that is there while the target may hold something unfinished."""
    if not (stores.root / ".dvc").is_dir():
        return None
    place = blake2b(stores.target.place.encode(), digest_size=8).hexdigest()
    return stores.root / ".dvc" / "tmp" / "slipway" / f"wrote-{place}"
