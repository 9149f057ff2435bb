"""The switch: the last step of a migration, taken only when all else is proven; and its way back.

What it changed is remembered in ``.slipway/switch.json``: names, and a digest instead of values, as
those of ``.dvc/config.local`` may be secrets.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.errors import SettingsError
from scripts.migration.project import open_project
from scripts.report import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scripts.migration.outcome import Report

SHARED, LOCAL = "repo", "local"
"""DVC's names of ``.dvc/config`` and ``.dvc/config.local``; the second goes before the first."""
FILES = {SHARED: ".dvc/config", LOCAL: ".dvc/config.local"}
_MEMORY = ".slipway/switch.json"


@dataclass(frozen=True)
class Switch:
    """What the switch, or its way back, did to one configuration file.

    Attributes:
        remote: The default remote now, as that file says; ``None`` if it names none.
        previous: The default before; ``None`` if there was none.
        overridden_by: The default that this machine's ``.dvc/config.local`` sets instead, if any.
        level: Which file: ``SHARED`` or ``LOCAL``.
    """

    remote: str | None
    previous: str | None
    overridden_by: str | None = None
    level: str = SHARED

    @property
    def changed(self) -> bool:
        """Whether the default was changed."""
        return self.previous != self.remote

    @property
    def is_shared(self) -> bool:
        """Whether it is in the file that a commit carries."""
        return self.level == SHARED

    @property
    def file(self) -> str:
        """The configuration file, relative to the project."""
        return FILES[self.level]


def switch_default(root: Path, report: Report, *, local: bool = False) -> Switch:
    """Make the report's target the default remote.

    In ``.dvc/config`` for everybody, at this commit and those that follow; or, with ``local``, in
    ``.dvc/config.local`` for this machine at every commit: old commits carry a ``.dvc/config`` that
    does not know the target, so its settings go there too. A second time changes nothing.

    Args:
        root: The DVC project's directory.
        report: The report of the migration.
        local: Whether only this machine is to be switched.

    Raises:
        MigrationIncomplete: The report is not complete.
        SettingsError: The target is known to this machine only, so every clone would break.
    """
    report.require_complete()
    target = report.target
    level = LOCAL if local else SHARED
    with open_project(root) as repo:
        shared, own = repo.config.read(SHARED), repo.config.read(level)
        settings = shared.get("remote", {}).get(target)
        if settings is None and not local:
            raise SettingsError(
                f"The remote '{target}' is not in .dvc/config, so other clones do not know it.",
                hint=f"Add it there (`dvc remote add {target} URL`), then run the same command.",
            )
        previous = _default(own)
        known = own.get("remote", {}).get(target, {})
        added = {key: value for key, value in (settings or {}).items() if key not in known}
        if previous != target or added:
            _remember(root, level, target, previous, added)
            with repo.config.edit(level) as config:
                config["core"]["remote"] = target
                config["remote"].setdefault(target, {}).update(added)
        override = _default(repo.config.read(LOCAL))
    return Switch(target, previous, override if override not in (None, target) else None, level)


def switch_defaults(root: Path, report: Report, *, shared: bool, local: bool) -> tuple[Switch, ...]:
    """Switch the files that are asked for, the shared one first; see :func:`switch_default`."""
    asked = ((shared, False), (local, True))
    return tuple(switch_default(root, report, local=own) for wanted, own in asked if wanted)


def require_switched(root: Path, source: str) -> None:
    """Do nothing unless ``source`` is still the default remote of this machine.

    Raises:
        SettingsError: It is, so `dvc pull` would go on looking there.
    """
    with open_project(root) as repo:
        default = repo.config["core"].get("remote")
    if default == source.lower():
        raise SettingsError(
            f"'{source}' is still the default remote, so `dvc pull` would look there in vain.",
            hint="Switch first: `./inv dvc-migrate ... --switch`, or `dvc remote default NAME`.",
        )


def undo_switch(root: Path) -> tuple[Switch, ...]:
    """Put back what the switches changed, in each file that one changed.

    Args:
        root: The DVC project's directory.

    Raises:
        SettingsError: Nothing was switched here, or the configuration was changed since; then
            nothing is put back.
    """
    memory = _recall(root)
    if not memory:
        raise SettingsError(
            "There is no switch to undo here.",
            hint="`dvc remote default NAME` sets the default remote.",
        )
    with open_project(root) as repo:
        for level, entry in memory.items():
            now = _digest(repo.config.read(level), entry["remote"], entry["added"])
            if now != entry["digest"]:
                raise SettingsError(
                    f"{FILES[level]} was changed since the switch to '{entry['remote']}', so "
                    "nothing is put back.",
                    hint=f"Before, its default was {entry['previous'] or 'not set'}: "
                    "`dvc remote default` sets it.",
                )
        undone = tuple(_put_back(repo, level, entry) for level, entry in memory.items())
    (root / _MEMORY).unlink()
    return undone


def _put_back(repo: Any, level: str, entry: Mapping[str, Any]) -> Switch:  # noqa: ANN401
    with repo.config.edit(level) as config:
        if entry["previous"] is None:
            del config["core"]["remote"]
        else:
            config["core"]["remote"] = entry["previous"]
        settings = config["remote"].get(entry["remote"], {})
        for key in entry["added"]:
            del settings[key]
        if entry["added"] and not settings:
            del config["remote"][entry["remote"]]
    return Switch(entry["previous"], entry["remote"], level=level)


def _default(config: Mapping[str, Any]) -> str | None:
    name: str | None = config.get("core", {}).get("remote")
    return name


def _remember(
    root: Path, level: str, target: str, previous: str | None, added: Mapping[str, Any]
) -> None:
    """Write down what is about to be changed; a switch that then fails has nothing to undo."""
    will_be = {"core": {"remote": target}, "remote": {target: added}}
    entry = {
        "remote": target,
        "previous": previous,
        "added": sorted(added),
        "digest": _digest(will_be, target, sorted(added)),
    }
    write_json(root / _MEMORY, {**_recall(root), level: entry})


def _recall(root: Path) -> dict[str, Any]:
    path = root / _MEMORY
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path} cannot be read, so it is not known what was switched.",
            hint="Remove it; `dvc remote default NAME` sets the default remote.",
        ) from error
    return content


def _digest(config: Mapping[str, Any], remote: str, keys: list[str]) -> str:
    settings = config.get("remote", {}).get(remote, {})
    told = [_default(config), [[key, str(settings.get(key))] for key in keys]]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
