"""From settings and observed facts to a plan. Pure: a dry run is not calling the next function."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from scripts.container.model import (
    INPUTS_LABEL,
    PLAN_LABEL,
    PORTS_LABEL,
    SERVICES_BESIDE,
    Action,
    ContainerPlan,
    Gpu,
    Step,
)
from scripts.container.overlay import describe_ports, editor_metadata, render_overlay
from scripts.crossing.agent import KNOWN_HOSTS, agent_fix
from scripts.crossing.credentials import credential_helper, http_remotes
from scripts.crossing.git_config import CONFIG, RECENT_CONFIG, plan_git_config
from scripts.crossing.gpg import out_of_reach
from scripts.crossing.identity import Identity, choose_identity
from scripts.crossing.mounts import plan_mounts
from scripts.crossing.network_plan import plan_network
from scripts.crossing.paths import Mount, is_linked, workspace_target
from scripts.crossing.ports import choose_ports, moved_notes
from scripts.crossing.signing import SSH
from scripts.crossing.ssh_config import render_ssh_config, ssh_remotes
from scripts.settings.indexes import without_account

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scripts.container.model import EngineFacts, Observed
    from scripts.crossing.identity import HostUser
    from scripts.settings import Settings
    from scripts.settings.values import Port

IMAGES = "slipway-dev"
"""The repository of all images that people work in."""
IMAGE_FILES = ("Dockerfile", ".dockerignore", "apt.txt", "environment.lock")
"""What the image is made from; everything else reaches the container through a mount."""
SERVICE_FILES = ("docker-compose.yml",)
DEVCONTAINER = ".devcontainer/devcontainer.json"


def project_name(root: Path) -> str:
    """Return the compose project of a workspace: readable, and different for each path."""
    slug = re.sub(r"[^a-z0-9]+", "-", root.name.lower()).strip("-") or "workspace"
    return f"{slug}-{hashlib.sha256(str(root).encode()).hexdigest()[:6]}"


def image_inputs(
    settings: Settings, files: Mapping[str, str], user: HostUser, engine: EngineFacts, base: str
) -> str:
    """Return the hash of all that the image is made from: the same for every clone; pure.

    Certificates, proxies and indexes are not among it: what is fetched through them is pinned by
    hashes or signed, and no byte of them is in a layer.
    """
    return _digest(
        {
            "files": {name: files.get(name, "") for name in IMAGE_FILES},
            "args": _build_args(settings, user, engine, base),
            "wanted_base": settings.container.base_image,
        }
    )


def image_name(inputs: str) -> str:
    """Return what an image of these inputs is called."""
    return f"{IMAGES}:{inputs}"


def _build_args(
    settings: Settings, user: HostUser, engine: EngineFacts, base: str
) -> dict[str, str]:
    identity = choose_identity(user, rootless=engine.rootless)
    return {
        "BASE_IMAGE": base,
        "USERNAME": identity.username,
        "USER_UID": str(identity.uid),
        "USER_GID": str(identity.gid),
        "WORKSPACE": "link" if is_linked(workspace_target(settings.root)) else "directory",
    }


def plan_container(settings: Settings, observed: Observed) -> ContainerPlan:
    """Plan the container of a workspace.

    Raises:
        SettingsError: A directory in the settings is too wide to be mounted.
    """
    root = settings.root
    project = project_name(root)
    workspace = workspace_target(root)
    identity = choose_identity(observed.user, rootless=observed.engine.rootless)
    planned = plan_mounts(settings, observed.ground)
    mounts = _mounts(planned.mounts, observed, identity)
    groups = () if observed.engine.rootless else _groups(observed, identity)
    lends = settings.container.git_credentials and not observed.engine.desktop
    gpg = out_of_reach(observed.gpg) if observed.engine.in_vm else observed.gpg
    git = plan_git_config(
        observed.git,
        workspace=workspace,
        home=observed.ground.home,
        visible=[mount.source for mount in planned.mounts],
        helper=credential_helper(workspace) if lends else "",
        gpg=gpg,
    )
    network = plan_network(
        settings.network,
        observed.routes,
        services=SERVICES_BESIDE,
        in_vm=observed.engine.in_vm,
        rootless=observed.engine.rootless,
        engine_version=observed.engine.version,
    )
    gpu = observed.engine.gpu if settings.container.gpu == "auto" else Gpu.NONE
    ports = _ports(settings, observed)
    build_args = _build_args(settings, observed.user, observed.engine, observed.base_name)
    inputs = image_inputs(
        settings, observed.files, observed.user, observed.engine, observed.base_name
    )
    image = image_name(inputs)
    editor = editor_metadata(observed.files.get(DEVCONTAINER, ""), identity, workspace)

    def overlay(fingerprint: str) -> str:
        return render_overlay(
            root=root,
            project=project,
            image=image,
            build_args=build_args,
            wanted_base=settings.container.base_image,
            network=network,
            inputs=inputs,
            fingerprint=fingerprint,
            editor=editor,
            workspace=workspace,
            identity=identity,
            groups=groups,
            shared=settings.cache_shared,
            mounts=mounts,
            ports=ports,
            wanted_ports=describe_ports(settings.container.ports),
            shm_size=settings.container.shm_size,
            gpu=gpu,
            ca_bundle=observed.ca_bundle,
            desktop=_shows_agent(observed),
        )

    service_files = {name: observed.files.get(name, "") for name in SERVICE_FILES}
    fingerprint = _digest({"overlay": overlay(""), "files": service_files})
    return ContainerPlan(
        root=root,
        project=project,
        image=image,
        workspace=workspace,
        cache_directory=_cache_directory(settings, workspace),
        identity=identity,
        groups=groups,
        mounts=mounts,
        ports=ports,
        gpu=gpu,
        base_name=observed.base_name,
        ca_bundle=observed.ca_bundle,
        inputs=inputs,
        overlay=overlay(fingerprint),
        steps=_steps(observed, inputs, fingerprint),
        notes=(
            *_notes(settings, observed, identity, gpu),
            *moved_notes(ports, observed.taken),
            *planned.notes,
            *network.notes,
            *git.notes,
            *_ssh_notes(observed),
        ),
        files={
            CONFIG: git.text,
            RECENT_CONFIG: git.recent,
            KNOWN_HOSTS: observed.ssh.known_hosts
            + "".join(host.known_hosts for host in observed.ssh_hosts),
            **render_ssh_config(observed.ssh_hosts, workspace),
        },
        agent=observed.ssh.agent,
        agent_needed=bool(ssh_remotes(observed.git)) or git.signing.by == SSH,
        agent_fix=f"{agent_fix(observed.ssh)}, then `./inv up`",
        gpg=gpg,
        signing=git.signing,
        lent=http_remotes(observed.git) if lends else (),
        relayed=network.proxies.relayed,
        index_url=without_account(settings.network.indexes.url),
    )


def _ssh_notes(observed: Observed) -> tuple[str, ...]:
    """Return what is wrong with hosts, and with the agent if remotes or signing needs one."""
    ssh, remotes = observed.ssh, ssh_remotes(observed.git)
    hosts = tuple(
        f"ssh inside may not reach {host.name}: {host.why_not}"
        for host in observed.ssh_hosts
        if host.why_not
    )
    if not ssh.why_not or not (remotes or observed.git.signing_key):
        return hosts
    needed = f"git remote {', '.join(remotes)}" if remotes else "signing"
    told = f"{ssh.why_not}, and {needed} needs one inside: {agent_fix(ssh)}, then `./inv up`"
    return (*hosts, told)


def _ports(settings: Settings, observed: Observed) -> tuple[Port, ...]:
    wanted, container = settings.container.ports, observed.container
    published = container.ports if container is not None else ()
    made_for = container.labels.get(PORTS_LABEL) if container is not None else None
    return choose_ports(
        wanted,
        taken=observed.taken,
        held=published if container is not None and container.running else (),
        kept=published if made_for == describe_ports(wanted) else (),
    )


def _cache_directory(settings: Settings, workspace: str) -> str:
    own = settings.root / ".dvc" / "cache"
    directory = settings.cache_directory
    return f"{workspace}/.dvc/cache" if directory == own else str(directory)


def _groups(observed: Observed, identity: Identity) -> tuple[int, ...]:
    """Return the groups to add: of the person's own, those that a mounted directory is open to."""
    sockets = (0,) if _shows_agent(observed) else ()  # see DESKTOP_SOCKET
    return tuple(gid for gid in (*observed.groups, *sockets) if gid != identity.gid)


def _shows_agent(observed: Observed) -> bool:
    """Tell whether Docker Desktop shows the agent: on Windows it does not."""
    return observed.engine.desktop and observed.user.uid is not None


def _mounts(mounts: tuple[Mount, ...], observed: Observed, identity: Identity) -> tuple[Mount, ...]:
    if observed.aws_directory is None:
        return mounts
    home = "/root" if identity.uid == 0 else f"/home/{identity.username}"
    profile = Mount(observed.aws_directory, f"{home}/.aws", "AWS profiles", read_only=True)
    return (*mounts, profile)


def _steps(observed: Observed, inputs: str, fingerprint: str) -> tuple[Step, ...]:
    steps = []
    image, container = observed.image, observed.container
    if image is None or image.labels.get(INPUTS_LABEL) != inputs:
        if observed.base is None:
            steps.append(Step(Action.OBTAIN_BASE, f"{observed.base_name} is not on this machine"))
        reason = "there is none yet" if container is None else "what it is made from has changed"
        steps.append(Step(Action.BUILD, reason))
    if container is None:
        steps.append(Step(Action.CREATE, "there is none yet"))
    elif container.labels.get(PLAN_LABEL) != fingerprint:
        steps.append(Step(Action.RECREATE, "its settings or its image have changed"))
    elif image is None or not container.is_made_of(image):
        steps.append(Step(Action.RECREATE, "it runs another image"))
    elif not container.running:
        steps.append(Step(Action.START, "it is stopped"))
    return tuple(steps)


def _notes(settings: Settings, observed: Observed, identity: Identity, gpu: Gpu) -> tuple[str, ...]:
    notes = []
    if identity.reason:
        notes.append(f"user {identity.username}: {identity.reason}")
    if observed.base_name != settings.container.base_image:
        notes.append(
            f"base image: {settings.container.base_image} could not be pulled; "
            f"{observed.base_name}, made from Debian packages, stands in for it"
        )
    if gpu is Gpu.NONE:
        why = "GPU=off" if settings.container.gpu == "off" else "the engine offers no GPU"
        notes.append(f"CPU only: {why}")
    else:
        notes.append(f"GPU: all of them, through the engine's {gpu.value}")
    if settings.container.git_credentials and observed.engine.desktop:
        notes.append(
            "GIT_CREDENTIALS=host has no effect: no socket of this machine reaches into the "
            "virtual machine of Docker Desktop"
        )
    notes += [
        f"{named} is no file of certificates that can be read: it is passed over"
        for named in observed.unread_bundles
    ]
    wide = [port for port in settings.container.ports if port.host_address != "127.0.0.1"]
    notes += [
        f"port {port.host_port} is published on {port.host_address}: "
        "other machines may be able to reach it"
        for port in wide
    ]
    return tuple(notes)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
