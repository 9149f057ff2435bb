"""What runs left unfinished in a target: looked for before every copy, and once after each."""

from __future__ import annotations

import os
from contextlib import suppress
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
    about to be copied, it is done only if the run before this one copied something. Where that
    cannot be remembered (the project is read only, or its ``.dvc/tmp`` is somebody else's), it is
    always done: slow, and never a reason not to migrate.

    Args:
        stores: The project and its remotes.
        progress: Told how much it was.
        is_copying: Whether this run is about to write there.

    Raises:
        StoreError: The target refuses it.
    """
    mark = _mark(stores)
    cleaned = stores.target.clean(thorough=is_copying or _may_be_there(mark))
    if cleaned:
        told = count_text(cleaned, "unfinished object")
        progress.say(f"{stores.target.name}: {told} of an earlier run removed")
    if mark is not None:
        _set(mark, is_there=is_copying)


def _mark(stores: Stores) -> Path | None:
    """Return the file that is there while the target may hold something unfinished."""
    if not (stores.root / ".dvc").is_dir():
        return None
    place = blake2b(stores.target.place.encode(), digest_size=8).hexdigest()
    return stores.root / ".dvc" / "tmp" / "slipway" / f"wrote-{place}"


def _may_be_there(mark: Path | None) -> bool:
    """Return whether the mark is there, or would be if it could have been made."""
    if mark is None:
        return True
    try:
        mark.stat()
    except FileNotFoundError:
        above = next(directory for directory in mark.parents if directory.is_dir())
        return not os.access(above, os.W_OK | os.X_OK)
    except OSError:
        return True
    return True


def _set(mark: Path, *, is_there: bool) -> None:
    """Make the mark or remove it, as far as this is allowed; see :func:`_may_be_there`."""
    with suppress(OSError):
        if is_there:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
        else:
            mark.unlink(missing_ok=True)
