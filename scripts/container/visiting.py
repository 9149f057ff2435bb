"""Visiting: run a task where the other projects of the DVC cache can be read too.

The running container sees its own project. Where others that share the cache lie elsewhere, a
container of its own is started for this one task, with them mounted read-only at their own paths.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from scripts import process
from scripts.container.bringup import connect, find_running
from scripts.container.compose import compose_command
from scripts.container.inside import (
    follow_proxies,
    hand_over,
    hand_over_task,
    is_inside,
    task_command,
    values_inside,
)
from scripts.container.model import SERVICE
from scripts.crossing.git import git_environment
from scripts.crossing.paths import workspace_target
from scripts.crossing.proxies import with_relays
from scripts.report import write_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from scripts.container.engine import Engine
    from scripts.container.model import ContainerFacts
    from scripts.settings import Settings

OVERLAY = ".slipway/gc.yml"
_GIT_HOME = ".slipway/gc"
"""Where git looks for ``git/config`` while others are visited: XDG_CONFIG_HOME in git-config(1)."""
_ALL_THERE = 'for path; do test -e "$path" || exit 1; done'


def hand_over_visiting(root: Path, task: str, *, alone: bool = False) -> None:
    """Run the task inside, with the cache's other projects in sight; return if it is inside.

    Args:
        root: The workspace, whose container runs.
        task: The task's name on the command line; it and all behind it is repeated inside.
        alone: Whether the task needs no other project.

    Raises:
        ContainerError: The container does not run.
        CacheError: Another project is not there, or its entry in the registry is damaged.
    """
    if alone or is_inside():
        hand_over_task(root, task)
        return
    settings, engine = connect(root)
    container = find_running(root, engine)
    others = _others(settings)
    places = [place for other in others for place in _places(other)]
    workspace = workspace_target(root)
    write_text(root / _GIT_HOME / "git" / "config", render_trust([Path(workspace), *places]))
    trusted = {"XDG_CONFIG_HOME": f"{workspace}/{_GIT_HOME}"}
    if _sees(engine, container, others, places):
        hand_over(root, task_command(root, task), trusted)
    _visit(settings, container, places, trusted, task_command(root, task))


def render_visit(places: Iterable[Path], trusted: Mapping[str, str]) -> str:
    """Return the text of the overlay that mounts ``places`` read-only; pure.

    It is JSON, which is YAML too, so that no path can break it.
    """
    volumes = [
        {
            "type": "bind",
            "source": str(place),
            "target": str(place),
            "read_only": True,
            "bind": {"create_host_path": False},
        }
        for place in outermost(places)
    ]
    content = {"services": {SERVICE: {"environment": dict(trusted), "volumes": volumes}}}
    # Compose reads $NAME as a variable even inside quotes; $$ is a plain dollar sign.
    return json.dumps(content, indent=1).replace("$", "$$") + "\n"


def outermost(places: Iterable[Path]) -> list[Path]:
    """Return the places that lie in none of the others; pure."""
    kept: list[Path] = []
    for place in sorted(set(places)):
        if not any(other in place.parents for other in kept):
            kept.append(place)
    return kept


def render_trust(places: Iterable[Path]) -> str:
    """Return a git configuration that trusts exactly ``places``; pure.

    A colleague's project belongs to the colleague, which git would refuse otherwise. It is a file,
    as git before 2.38 and DVC's libgit2 take no such word from variables.
    """
    lines = ["[safe]"]
    for place in dict.fromkeys(places):
        quoted = str(place).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines.append(f'\tdirectory = "{quoted}"')
    return "\n".join(lines) + "\n"


def _others(settings: Settings) -> tuple[Path, ...]:
    from scripts.links.registry import other_projects  # noqa: PLC0415  not on Windows

    return other_projects(settings.root, settings.cache_directory) if os.name == "posix" else ()


def _places(other: Path) -> list[Path]:
    """Return all that is read of a project: it may be part of a repository, or a worktree."""
    question = ["rev-parse", "--path-format=absolute", "--show-toplevel", "--git-common-dir"]
    answer = process.run(["git", *question], cwd=other, env=git_environment("*"), check=False)
    found = answer.stdout.splitlines() if answer.returncode == 0 else []
    return [other, *(Path(line) for line in found)]


def _sees(
    engine: Engine, container: ContainerFacts, others: Collection[Path], places: Collection[Path]
) -> bool:
    if not others:
        return True
    wanted = [str(other / ".dvc") for other in others] + [str(place) for place in places]
    command = ["sh", "-c", _ALL_THERE, "sh", *wanted]
    return engine.execute(container.container_id, command).returncode == 0


def _visit(
    settings: Settings,
    container: ContainerFacts,
    places: Sequence[Path],
    trusted: Mapping[str, str],
    argv: Sequence[str],
) -> NoReturn:
    """Start a container for one command, with ``places`` in sight, and hand the terminal over."""
    root = settings.root
    write_text(root / OVERLAY, render_visit(places, trusted))
    values = values_inside(settings, container, os.environ)
    relayed = follow_proxies(settings, container)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    arguments = [
        "--file", str(root / OVERLAY), "--progress", "quiet",
        "run", "--rm", "--no-deps", *([] if terminal else ["--no-TTY"]),
        *(word for name in sorted(values) for word in ("--env", name)),
        "--workdir", workspace_target(root), SERVICE,
        *with_relays(argv, relayed),
    ]  # fmt: skip
    process.become(compose_command(root, arguments), env=values)
