"""Heart 1 from end to end: observe the host and the engine, plan, apply. The proof is doctor's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scripts.container import image
from scripts.container.engines.docker import DockerEngine
from scripts.container.enrolment import enrol, require_shared
from scripts.container.model import (
    SERVICE,
    Action,
    Status,
)
from scripts.container.observe import observe, text_of
from scripts.container.overlay import OVERLAY
from scripts.container.plan import (
    plan_container,
    project_name,
)
from scripts.container.preflight import Preflight, require_index
from scripts.crossing.agent import forward_agent, stop_forwarding
from scripts.crossing.credentials import forget_credentials, lend_credentials
from scripts.crossing.gpg import forward_gpg, stop_gpg
from scripts.crossing.network import require_free
from scripts.crossing.paths import check_sources
from scripts.crossing.proxies import export_proxies, forward_proxies, stop_proxies
from scripts.errors import ContainerError, SlipwayError
from scripts.report import write_text
from scripts.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scripts.container.engine import Engine
    from scripts.container.model import ContainerFacts, ContainerPlan
    from scripts.progress import Progress
    from scripts.settings.values import Port


def connect(root: Path) -> tuple[Settings, Engine]:
    """Return the settings of a workspace and the engine of this machine, not asked anything yet.

    What runs on the host from here on (apt, git, docker) finds the proxies of the settings.

    Raises:
        SettingsError: The settings are not valid.
    """
    settings = read_settings(root)
    export_proxies(settings.network, os.environ)
    return settings, DockerEngine()


def make_plan(
    settings: Settings,
    engine: Engine,
    environ: Mapping[str, str] = os.environ,
    *,
    base_name: str = "",
) -> ContainerPlan:
    """Observe and plan; changes nothing. Takes and raises what :func:`observe` does."""
    return plan_container(settings, observe(settings, engine, environ, base_name=base_name))


def write_plan(
    plan: ContainerPlan, settings: Settings, engine: Engine, progress: Progress
) -> ContainerPlan:
    """Write ``.slipway/compose.yml``, the base image being there; return the plan it comes from.

    This is what VS Code and ``docker compose`` need before they read their files. Obtaining the
    base may change its name, so the plan is made again after it.
    """
    check_sources(plan.mounts)
    require_shared(settings, plan)
    if plan.needs(Action.OBTAIN_BASE):
        obtained = image.obtain_base(
            plan.base_name,
            chosen=settings.container.base_image_set,
            engine=engine,
            root=plan.root,
            progress=progress,
        )
        plan = make_plan(settings, engine, base_name=obtained)
    if plan.needs(Action.BUILD):
        image.require_python(plan.base_name, engine)
    if text_of(plan.root / OVERLAY) != plan.overlay:
        write_text(plan.root / OVERLAY, plan.overlay)
    for name, text in plan.files.items():
        if text_of(plan.root / name) != text:
            write_text(plan.root / name, text, mode=0o644)
    forward_agent(plan.root, plan.agent)
    forward_gpg(plan.root, plan.gpg)
    forward_proxies(plan.root, plan.relayed, anew=True)
    for trouble in lend_credentials(plan.root, plan.lent):
        progress.say(trouble)
    enrol(settings)
    return plan


def prepare_for_editor(
    plan: ContainerPlan, settings: Settings, engine: Engine, progress: Progress
) -> ContainerPlan:
    """Do what an editor cannot do before it brings the container up by itself; return the plan.

    It builds with compose too, which knows a package index of ``.env`` or of the environment, but
    none that only a file of pip's names: that build is done here.
    """
    plan = write_plan(plan, settings, engine, progress)
    if plan.needs(Action.BUILD) and settings.network.indexes.by_file:
        image.build_image(engine, settings, progress)
    return plan


def apply_plan(
    plan: ContainerPlan,
    settings: Settings,
    engine: Engine,
    progress: Progress,
    *,
    preflight: Preflight = require_index,
) -> tuple[ContainerPlan, ContainerFacts]:
    """Do what the plan says. A container that runs goes on running until its successor can start.

    Args:
        plan: What to do.
        settings: Where the plan comes from.
        engine: The engine to do it with.
        progress: Told what happens.
        preflight: Refuses a build that cannot succeed.

    Returns:
        The plan as it was carried out (the base's name may have changed) and the container.

    Raises:
        SlipwayError: A step failed; a container that ran before runs again, as it was.
    """
    before = engine.container(plan.project, SERVICE)
    overlay_before = text_of(plan.root / OVERLAY)
    try:
        plan = write_plan(plan, settings, engine, progress)
        if plan.steps:
            require_free(plan.ports, held=ports_of(before), key="PORTS")
        if plan.needs(Action.BUILD):
            unreached = preflight(settings.network, plan.ca_bundle, progress)
            image.build_image(engine, settings, progress, unreached=unreached)
        if plan.steps:
            if before is not None and before.running:
                _rehearse(plan, engine, progress)
            with progress.phase("starting the container"):
                engine.compose(plan.root, ["up", "--detach", "--no-build", SERVICE])
        if plan.needs(Action.RECREATE):  # one for packets of another size may be left
            engine.drop_networks(plan.project)
        return plan, _require_started(plan, engine)
    except (SlipwayError, KeyboardInterrupt):
        _restore(plan, before, overlay_before, engine)
        raise


def build(
    plan: ContainerPlan,
    settings: Settings,
    engine: Engine,
    progress: Progress,
    *,
    pull: bool = False,
    no_cache: bool = False,
    preflight: Preflight = require_index,
) -> None:
    """Build the image whether or not anything has changed; a running container goes on as it is.

    Args:
        plan: What to build.
        settings: Where the plan comes from.
        engine: The engine that builds.
        progress: Told what happens.
        pull: Ask a registry for the base image first, even if it is here.
        no_cache: Build every layer anew.
        preflight: Refuses a build that cannot succeed.

    Raises:
        SlipwayError: A step failed; the image that was there keeps its name.
    """
    overlay_before = text_of(plan.root / OVERLAY)
    try:
        if pull:
            image.refresh_base(settings.container.base_image, engine, progress)
            plan = make_plan(settings, engine)
        plan = write_plan(plan, settings, engine, progress)
        image.require_python(plan.base_name, engine)
        unreached = preflight(settings.network, plan.ca_bundle, progress)
        options = ("--no-cache",) if no_cache else ()
        image.build_image(engine, settings, progress, options=options, unreached=unreached)
    except (SlipwayError, KeyboardInterrupt):
        if overlay_before:
            write_text(plan.root / OVERLAY, overlay_before)
        raise


def take_down(settings: Settings, engine: Engine, progress: Progress) -> None:
    """Stop and remove the workspace's containers; images, volumes and the workspace stay."""
    if not (settings.root / OVERLAY).exists():
        progress.say("There is nothing to take down.")
        return
    stop_forwarding(settings.root)
    stop_gpg(settings.root)
    stop_proxies(settings.root)
    forget_credentials(settings.root)
    with progress.phase("stopping the container"):
        engine.compose(settings.root, ["--profile", "*", "down", "--remove-orphans"])
        engine.drop_networks(project_name(settings.root))
    progress.say("The container is gone; its image, its volumes and the workspace are kept.")


def read_status(settings: Settings, engine: Engine) -> Status:
    """Return the container's state beside what it would be after ``up``; changes nothing."""
    observed = observe(settings, engine)
    return Status(plan_container(settings, observed), observed.container)


def find_running(root: Path, engine: Engine) -> ContainerFacts:
    """Return the running container of a workspace.

    Raises:
        ContainerError: There is none, or it is stopped.
    """
    container = engine.container(project_name(root), SERVICE)
    if container is None or not container.running:
        state = "is stopped" if container else "does not exist yet"
        raise ContainerError(f"The container {state}.", hint="`./inv up` starts it.")
    return container


def ports_of(container: ContainerFacts | None) -> tuple[Port, ...]:
    """Return the ports of the host that a container holds: none unless it runs."""
    return container.ports if container is not None and container.running else ()


def _rehearse(plan: ContainerPlan, engine: Engine, progress: Progress) -> None:
    """Start the successor once, without its ports, while its predecessor still runs."""
    with progress.phase("rehearsing the start"):
        engine.compose(plan.root, ["run", "--rm", "--no-deps", "--no-TTY", SERVICE, "true"])


def _require_started(plan: ContainerPlan, engine: Engine) -> ContainerFacts:
    container = engine.container(plan.project, SERVICE)
    if container is not None and container.running:
        return container
    printed = engine.logs(container.container_id, lines=10) if container else ""
    raise ContainerError(
        f"The container stopped as soon as it was started.\n{printed}".rstrip(),
        hint="`./inv logs` shows all that it printed.",
    )


def _restore(
    plan: ContainerPlan, before: ContainerFacts | None, overlay_before: str, engine: Engine
) -> None:
    """Put back what a failed ``up`` found: its overlay and with it its image, its container."""
    overlay = plan.root / OVERLAY
    now = engine.container(plan.project, SERVICE) if overlay.exists() else None
    if before is None:
        if now is not None:
            engine.compose(plan.root, ["rm", "--stop", "--force", SERVICE])
        if not overlay_before:
            overlay.unlink(missing_ok=True)
            return
        write_text(overlay, overlay_before)
        return
    if overlay_before:
        write_text(overlay, overlay_before)
    lost = now is None or now.container_id != before.container_id or not now.running
    if before.running and lost:
        engine.compose(plan.root, ["up", "--detach", "--no-build", SERVICE])
