"""Observe: every fact of the host and the engine that a plan needs. Changes nothing."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from scripts.container.directories import observe_directories
from scripts.container.model import (
    BASE_LABEL,
    DEBIAN_BASE_IMAGE,
    SERVICE,
    WANTED_LABEL,
    Observed,
)
from scripts.container.plan import (
    DEVCONTAINER,
    IMAGE_FILES,
    SERVICE_FILES,
    image_inputs,
    image_name,
    project_name,
)
from scripts.crossing.agent import observe_ssh
from scripts.crossing.git import observe_git
from scripts.crossing.gpg import observe_gpg
from scripts.crossing.identity import groups_of, observe_host_user
from scripts.crossing.network import find_ca_bundle, taken_ports, unread_bundles
from scripts.crossing.ports import candidates
from scripts.crossing.routes import observe_routes
from scripts.crossing.ssh_config import observe_ssh_hosts, ssh_hosts
from scripts.errors import ToolMissing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.container.engine import Engine
    from scripts.container.model import ContainerFacts, ImageFacts
    from scripts.settings import Settings

_MINIMUM_COMPOSE = (2, 24, 4)
"""The first compose that knows ``!override``; see its release notes."""


def observe(
    settings: Settings,
    engine: Engine,
    environ: Mapping[str, str] = os.environ,
    *,
    base_name: str = "",
) -> Observed:
    """Gather every fact that the plan needs; changes nothing.

    Args:
        settings: What is wanted.
        engine: The engine to ask.
        environ: Where certificates and proxies are looked up.
        base_name: The base image, where it was just obtained; else it is found.

    Raises:
        EngineUnavailable: No engine answers, or it refuses this user.
        ToolMissing: The engine has no compose, or one that is too old.
        SettingsError: ``CA_BUNDLE`` names no bundle.
        CacheError: The DVC cache cannot be used.
    """
    facts = engine.facts()
    _require_compose(facts.compose_version)
    root = settings.root
    container = engine.container(project_name(root), SERVICE)
    files = {name: text_of(root / name) for name in (*IMAGE_FILES, *SERVICE_FILES, DEVCONTAINER)}
    user = observe_host_user(root)

    def built_on(base: str) -> ImageFacts | None:
        return engine.image(image_name(image_inputs(settings, files, user, facts, base)))

    base_name = base_name or _base_name(settings, container, engine, built_on)
    aws_directory = Path.home() / ".aws"
    git = observe_git(root, environ)
    ground = replace(
        observe_directories(settings, facts.kernel), git=git.outside(), git_borrowed=git.borrowed
    )
    return Observed(
        engine=facts,
        user=user,
        ground=ground,
        groups=groups_of(user, (root, ground.cache, *_remote_directories(settings))),
        aws_directory=aws_directory if aws_directory.is_dir() else None,
        ca_bundle=find_ca_bundle(settings.container.ca_bundle, environ),
        unread_bundles=() if settings.container.ca_bundle else unread_bundles(environ),
        routes=observe_routes(),
        files=files,
        base_name=base_name,
        base=engine.image(base_name),
        image=built_on(base_name),
        container=container,
        git=git,
        ssh=observe_ssh(environ),
        ssh_hosts=observe_ssh_hosts(ssh_hosts(git)),
        gpg=observe_gpg(git),
        taken=taken_ports(candidates(settings.container.ports)),
    )


def text_of(path: Path) -> str:
    """Return a file's text, empty if there is no such file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _remote_directories(settings: Settings) -> list[Path]:
    named = [remote.directory for remote in settings.dvc.remotes]
    return [path for path in (*named, *settings.configured.directories.values()) if path]


def _base_name(
    settings: Settings,
    container: ContainerFacts | None,
    engine: Engine,
    built_on: Callable[[str], ImageFacts | None],
) -> str:
    """Return the base image to plan with; it may have to be obtained first.

    For one that a person chose, another stands in only if no registry was in reach when it was
    tried: an image that was built so tells, or the container by its image's labels. They also tell
    when the base was pruned since.
    """
    wanted = settings.container.base_image
    if engine.image(wanted) is not None:
        return wanted
    labels = container.labels if container is not None else {}
    if labels.get(WANTED_LABEL) == wanted:
        return labels.get(BASE_LABEL, wanted)
    for base in (wanted, DEBIAN_BASE_IMAGE):
        if built_on(base) is not None:
            return base
    if not settings.container.base_image_set and engine.image(DEBIAN_BASE_IMAGE) is not None:
        return DEBIAN_BASE_IMAGE
    return wanted


def _require_compose(version: str) -> None:
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if numbers < _MINIMUM_COMPOSE:
        wanted = ".".join(map(str, _MINIMUM_COMPOSE))
        raise ToolMissing(
            f"`docker compose` is {version}; Slipway needs {wanted} or newer.",
            hint="Update Docker; `./inv engine` does it on Debian and Ubuntu.",
        )
