"""Which texts of DVC files are our own: remembered in ``.slipway/layout.json``, by digest."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from scripts.report import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MEMORY = ".slipway/layout.json"


def remember_texts(root: Path, texts: Mapping[Path, str]) -> None:
    """Remember what is about to be written."""
    written = {str(path.relative_to(root)): _digest(text.encode()) for path, text in texts.items()}
    write_json(root / _MEMORY, {**_recall(root), **written})


def is_own_text(root: Path, path: str) -> bool:
    """Return whether the file at ``path``, from the project's directory, holds what we wrote."""
    try:
        return _recall(root).get(path) == _digest((root / path).read_bytes())
    except OSError:
        return False


def _recall(root: Path) -> dict[str, str]:
    try:
        content: dict[str, str] = json.loads((root / _MEMORY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # then every change is taken for a person's
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
