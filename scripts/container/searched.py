"""What was searched before and is clean, so that the same content is not read for the same secrets.

An image and a layer are named by the hash of all that they hold. The record is the person's own
(their cache directory, for nobody else to read) and not in the workspace: code inside the container
could forge it there, or guess from its fingerprint at secrets that it was not given.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.report import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.container.needles import Needles


@dataclass(frozen=True)
class Searched:
    """Digests of images and layers that hold none of the needles with this fingerprint."""

    salt: str
    fingerprint: str
    clean: frozenset[str] = frozenset()


def record_path(project: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the record of a workspace is kept."""
    cache = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "slipway" / f"searched-{project}.json"


def read_record(path: Path, needles: Needles) -> Searched:
    """Return what is clean of these needles: nothing, if the record is of others or unreadable."""
    known = _read(path)
    if known and needles.fingerprint(bytes.fromhex(known.salt)) == known.fingerprint:
        return known
    salt = os.urandom(16)
    return Searched(salt.hex(), needles.fingerprint(salt))


def _read(path: Path) -> Searched | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        bytes.fromhex(content["salt"])
        return Searched(content["salt"], content["fingerprint"], frozenset(content["clean"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(path: Path, known: Searched) -> None:
    """Write it, for its owner alone.

    Raises:
        SlipwayError: It cannot be written.
    """
    content = {
        "salt": known.salt,
        "fingerprint": known.fingerprint,
        "clean": sorted(known.clean),
    }
    write_json(path, content, mode=0o600)
