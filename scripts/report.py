"""Reports as files and numbers as text: atomic JSON; bytes, durations and counts for people."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import SlipwayError

if TYPE_CHECKING:
    from collections.abc import Mapping

_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def write_json(path: Path, content: Mapping[str, Any], *, mode: int | None = None) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the new one, never half.

    Takes and raises what :func:`write_text` does.
    """
    text = json.dumps(content, indent=2, sort_keys=False, ensure_ascii=False) + "\n"
    write_text(path, text, mode=mode)


def write_text(path: Path, text: str, *, mode: int | None = None) -> None:
    """Write ``text`` to ``path`` atomically.

    Bytes of a file name that are no text are escaped as JSON does, which reads them back.

    Args:
        path: The file; its directory is made if need be.
        text: All that it shall hold.
        mode: Its permissions; ``None`` for those that a new file would have.

    Raises:
        SlipwayError: The file cannot be written; the message names it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(
                descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="\n"
            ) as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).chmod(_usual_mode() if mode is None else mode)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SlipwayError(
            f"Cannot write {path}: {error.strerror or error}.",
            hint="Check that its directory exists, is yours and has room.",
        ) from error


def _usual_mode() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def bytes_text(size_bytes: float) -> str:
    """Return a size for people, in powers of 1000 as disks and S3 bills count: ``1.4 GB``."""
    size = float(size_bytes)
    for unit in _BYTE_UNITS:
        if abs(size) < 1000 or unit == _BYTE_UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable: the last unit always returns")


def duration_text(elapsed_s: float) -> str:
    """Return a duration for people: ``0.4 s``, ``1 min 32 s``, ``2 h 05 min``."""
    if elapsed_s < 60:
        return f"{elapsed_s:.1f} s"
    minutes, seconds = divmod(round(elapsed_s), 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def count_text(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 object``, ``20,007 objects``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
