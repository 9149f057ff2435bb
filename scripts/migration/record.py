"""Which migrations were complete, and when: remembered in ``.slipway/migrations.json``."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from scripts.errors import SettingsError, SlipwayError
from scripts.progress import SilentProgress
from scripts.report import write_json

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.migration.opening import Stores
    from scripts.migration.outcome import Report
    from scripts.progress import Progress

_MEMORY = ".slipway/migrations.json"
DAY_S = 24 * 60 * 60


def remember_complete(
    root: Path, stores: Stores, report: Report, progress: Progress | None = None
) -> None:
    """Remember that a migration was complete just now.

    A project that is read only, or another user's, keeps nothing, which is told: what is migrated
    is no less complete.

    Args:
        root: The project's directory.
        stores: The project and its remotes.
        report: What the migration came to.
        progress: Told if it cannot be remembered.

    Raises:
        MigrationIncomplete: It was not complete.
    """
    report.require_complete()
    try:
        _remember(root, stores, report)
    except SlipwayError as error:
        (progress or SilentProgress()).say(
            f"This run is not remembered, so `dvc-prune-source` wants another: {error.message}"
        )


def _remember(root: Path, stores: Stores, report: Report) -> None:
    known = _recall(root)
    entry = {**known.get(_way(stores), {}), "ended_at_s": time.time()}
    if report.counts["copied"]:
        copied = [report.counts["copied"], report.bytes_copied, report.outcomes.copying_s]
        entry["copied"] = copied
    write_json(root / _MEMORY, {**known, _way(stores): entry})


def require_recent(root: Path, stores: Stores) -> None:
    """Do nothing if a migration between exactly these two places was complete within a day.

    Raises:
        SettingsError: None was, or the file that would say so cannot be read.
    """
    ended_at_s = _recall(root).get(_way(stores), {}).get("ended_at_s")
    if ended_at_s is None or not 0 <= time.time() - ended_at_s < DAY_S:
        source, target = stores.source.name, stores.target.name
        raise SettingsError(
            f"No migration from '{source}' to '{target}' was complete within the last day.",
            hint=f"Run `./inv dvc-migrate --from {source} --to {target}` first; it is quick when "
            "all is there.",
        )


def recall_pace(root: Path, stores: Stores) -> tuple[int, int, float] | None:
    """Return what the last complete run between the two places copied: objects, bytes, seconds.

    ``None`` if that is not known, for whatever reason: an estimate stops nobody.
    """
    try:
        copied = _recall(root).get(_way(stores), {}).get("copied")
    except SettingsError:
        return None
    return tuple(copied) if copied else None


def _way(stores: Stores) -> str:
    """Return the two places beside the names: a name can come to mean another place."""
    return " → ".join(f"{end.name} ({end.place})" for end in (stores.source, stores.target))


def _recall(root: Path) -> dict[str, Any]:
    path = root / _MEMORY
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path} cannot be read, so it is not known which migrations were complete.",
            hint="Remove it, and run the migration once more.",
        ) from error
    return content
