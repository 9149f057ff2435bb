"""Decide, from settings and facts alone, what has to change in a project; refuse what cannot be.

The rule: settings complete a project, they do not overrule it. ``.dvc/config`` belongs to the
team, so what it says about a remote stays, and a contradiction is an error that names both sides;
``.dvc/config.local`` belongs to this machine, so there the settings go first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scripts.errors import SettingsError, SlipwayError
from scripts.project.model import Change, InitPlan, Step, StepStatus

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.project.model import ProjectFacts
    from scripts.settings import DvcSettings, RemoteSettings, Settings

CACHE_TYPE = "cache.type"


def plan_init(settings: Settings, facts: ProjectFacts) -> InitPlan:
    """Plan how the project of ``settings.root`` becomes what the settings say.

    Raises:
        SettingsError: A directory does not exist or cannot be written to, or a remote exists
            with another place. The message names the setting.
        SlipwayError: The workspace is not in a git repository.
    """
    if facts.git_root is None:
        raise SlipwayError(
            f"{settings.root} is not in a git repository, which DVC keeps its history in.",
            hint="Clone your project, or run `git init` there first.",
        )
    _require_directories(settings.dvc, facts)
    parts = (
        _plan_project(settings.root, facts),
        *_plan_cache(settings, facts),
        *(
            part
            for remote in settings.dvc.remotes
            for part in _plan_remote(remote, facts, settings.root)
        ),
        *_plan_default(settings.dvc, facts),
    )
    new_links = any(isinstance(part, Change) and part.name == CACHE_TYPE for part in parts)
    return InitPlan(parts, relink=facts.outputs if new_links else ())


def _require_directories(dvc: DvcSettings, facts: ProjectFacts) -> None:
    wanted = [("DVC_CACHE_DIR", dvc.cache_dir)]
    wanted += [(f"DVC_REMOTE_{remote.name.upper()}", remote.directory) for remote in dvc.remotes]
    for key, directory in wanted:
        if directory is not None and directory not in facts.usable_directories:
            raise SettingsError(
                f"{key}: {directory} is not a directory that you can write to.",
                hint="If it is on a disk of its own, see that the disk is mounted; "
                f"if it is to be new: `mkdir -p {directory}`.",
            )


def _plan_project(root: Path, facts: ProjectFacts) -> Change | Step:
    if facts.has_dvc:
        return Step("DVC project", str(root), StepStatus.UNCHANGED)
    below = () if facts.git_root == root else ("--subdir",)
    return Change("DVC project", str(root), ("init", *below))


def _plan_cache(settings: Settings, facts: ProjectFacts) -> list[Change | Step]:
    dvc = settings.dvc
    planned: list[Change | Step] = []
    if dvc.cache_dir is not None:
        written = _as_dvc_writes(str(dvc.cache_dir), settings.root, "DVC_CACHE_DIR")
        planned.append(
            _plan_local("cache.dir", str(dvc.cache_dir), facts.cache_dir, written=written)
        )
    if dvc.cache_shared:
        planned.append(_plan_local("cache.shared", "group", facts.cache_shared))
    if dvc.cache_type:
        before = ",".join(facts.cache_type) or None
        planned.append(_plan_local(CACHE_TYPE, ",".join(dvc.cache_type), before))
    return planned


def _plan_local(
    option: str, wanted: str, present: str | None, *, written: str = ""
) -> Change | Step:
    if present == wanted:
        return Step(option, wanted, StepStatus.UNCHANGED)
    detail = wanted if present is None else f"{wanted} (was {present})"
    return Change(option, detail, ("config", "--local", option, written or wanted))


def _as_dvc_writes(path: str, root: Path, key: str) -> str:
    """Return a path so that DVC can write it down: its configuration is ASCII.

    DVC empties the file before it finds that it cannot write a letter beyond ASCII, so such a path
    is never given to it. Relative to the workspace it is often free of them.

    Raises:
        SettingsError: It is not.
    """
    if path.isascii():
        return path
    relative = os.path.relpath(path, root)
    if relative.isascii():
        return relative
    raise SettingsError(
        f"{key} is {path}: DVC cannot write letters beyond ASCII into its configuration.",
        hint="Give the directory another name, or keep it in the workspace.",
    )


def _plan_remote(remote: RemoteSettings, facts: ProjectFacts, root: Path) -> list[Change | Step]:
    present = facts.remotes.get(remote.name)
    for option, wanted in {"url": remote.url, **remote.options}.items():
        found = (present or {}).get(option, wanted)
        if found != wanted:
            raise _contradiction(remote.name, option, found, wanted)
    planned: list[Change | Step] = []
    name = f"remote {remote.name}"
    if present is None:
        place = remote.url
        if remote.directory is not None:
            place = _as_dvc_writes(place, root, f"DVC_REMOTE_{remote.name.upper()}")
        add = ("remote", "add", remote.name, place)
        planned.append(Change(name, remote.url, add))
    else:
        planned.append(Step(name, remote.url, StepStatus.UNCHANGED))
    for option, wanted in remote.options.items():
        if option not in (present or {}):
            modify = ("remote", "modify", remote.name, option, wanted)
            planned.append(Change(f"{name} {option}", wanted, modify))
    return planned


def _contradiction(remote: str, option: str, found: str, wanted: str) -> SettingsError:
    suffix = {"url": "", "endpointurl": "_ENDPOINT_URL"}.get(option, f"_{option.upper()}")
    return SettingsError(
        f"DVC_REMOTE_{remote.upper()}{suffix} is {wanted}, but the project's remote '{remote}' "
        f"has {option} {found}.",
        hint=f"Change the setting, or, if the data is at the new place, the project: "
        f"`dvc remote modify {remote} {option} {wanted}`.",
    )


def _plan_default(dvc: DvcSettings, facts: ProjectFacts) -> list[Change | Step]:
    wanted, present = dvc.default_remote, facts.default_remote
    if wanted is None:
        return []
    if present is None:
        return [Change("default remote", wanted, ("remote", "default", wanted))]
    if present == wanted:
        return [Step("default remote", wanted, StepStatus.UNCHANGED)]
    # After a migration has switched the default, running this again must not switch it back.
    detail = f"{present} (settings say {wanted}; `dvc remote default {wanted}` changes it)"
    return [Step("default remote", detail, StepStatus.KEPT)]
