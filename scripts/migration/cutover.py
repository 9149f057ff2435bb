"""The switch: the last step of a migration, taken only when all else is proven."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.errors import SettingsError
from scripts.migration.project import open_project

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.migration.outcome import Report


@dataclass(frozen=True)
class Switch:
    """What the switch did.

    Attributes:
        remote: The default remote now, as ``.dvc/config`` says.
        previous: The default before; ``None`` if there was none.
        overridden_by: The default that this machine's ``.dvc/config.local`` sets instead, if any.
    """

    remote: str
    previous: str | None
    overridden_by: str | None = None

    @property
    def changed(self) -> bool:
        """Whether ``.dvc/config`` was written."""
        return self.previous != self.remote


def switch_default(root: Path, report: Report) -> Switch:
    """Make the report's target the default remote in ``.dvc/config``.

    A second time changes nothing.

    Args:
        root: The DVC project's directory.
        report: The report of the migration.

    Raises:
        MigrationIncomplete: The report is not complete.
        SettingsError: The target is known to this machine only, so every clone would break.
    """
    report.require_complete()
    target = report.target
    with open_project(root) as repo:
        shared = repo.config.read("repo")
        if target not in shared.get("remote", {}):
            raise SettingsError(
                f"The remote '{target}' is not in .dvc/config, so other clones do not know it.",
                hint=f"Add it there (`dvc remote add {target} URL`), then run the same command.",
            )
        previous = shared.get("core", {}).get("remote")
        if previous != target:
            with repo.config.edit("repo") as config:
                config["core"]["remote"] = target
        local = repo.config.read("local").get("core", {}).get("remote")
    return Switch(target, previous, local if local != target else None)
