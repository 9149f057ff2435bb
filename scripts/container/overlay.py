"""The text of .slipway/compose.yml: what only this machine knows, over docker-compose.yml.

Values are written as JSON, which is YAML too, so that no path can break the file. Nothing secret
is among them: certificates are named by path, proxies by variable name.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from scripts.container.model import (
    BASE_LABEL,
    BY_VALUE,
    INPUTS_LABEL,
    PLAN_LABEL,
    PORTS_LABEL,
    PROXIES_LABEL,
    RAY_NODES,
    RELAYED,
    SERVICE,
    WANTED_LABEL,
    Gpu,
)
from scripts.crossing.agent import DESKTOP_SOCKET, ssh_environment
from scripts.crossing.network import CA_TARGET, trust_environment
from scripts.crossing.paths import START, WORKSPACE_AGAIN
from scripts.crossing.proxies import with_relays
from scripts.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scripts.crossing.identity import Identity
    from scripts.crossing.network_plan import NetworkPlan
    from scripts.crossing.paths import Mount
    from scripts.settings.values import Port

OVERLAY = ".slipway/compose.yml"
UMASK_VARIABLE = "SLIPWAY_UMASK"
"""What shells inside set their umask to; see the Dockerfile."""
GROUP_UMASK = "0002"
METADATA_LABEL = "devcontainer.metadata"
"""Where VS Code looks when it attaches to a container; see containers.dev, "image metadata"."""


def render_overlay(
    *,
    root: Path,
    project: str,
    image: str,
    build_args: Mapping[str, str],
    wanted_base: str,
    network: NetworkPlan,
    inputs: str,
    fingerprint: str,
    editor: Mapping[str, object],
    workspace: str,
    identity: Identity,
    groups: Sequence[int],
    shared: bool,
    mounts: Sequence[Mount],
    ports: Sequence[Port],
    wanted_ports: str,
    shm_size: str,
    gpu: Gpu,
    ca_bundle: Path | None,
    desktop: bool = False,
) -> str:
    """Return the overlay's text; pure.

    Args:
        root: The workspace on the host.
        project: The compose project.
        image: The name that the built image gets.
        build_args: What the Dockerfile is told.
        wanted_base: The base image of the settings, for which another one may stand in.
        network: What build and container are told of the network.
        inputs: The hash of everything that the image is made from.
        fingerprint: The hash of everything that the container is made from.
        editor: What an editor that attaches shall know; see :func:`editor_metadata`.
        workspace: The working directory inside.
        identity: The user inside.
        groups: Further groups of the user inside.
        shared: Whether a group shares the DVC cache, so that files made inside are for it too.
        mounts: All bind mounts.
        ports: All published ports.
        wanted_ports: What the settings say of them; see :func:`describe_ports`.
        shm_size: Size of /dev/shm, as Docker reads it.
        gpu: How the engine offers a GPU.
        ca_bundle: The host's certificates, ``None`` where it has none.
        desktop: Whether Docker Desktop shows an SSH agent.
    """
    environment = {
        **ssh_environment(desktop=desktop),
        "SLIPWAY_WORKSPACE": workspace,
        "SLIPWAY_IMAGE": image,
        # What DVC knows of files that it has hashed shall outlive the container.
        "DVC_SITE_CACHE_DIR": f"{workspace}/.slipway/dvc",
        **({UMASK_VARIABLE: GROUP_UMASK} if shared else {}),
        **network.proxies.environment,
    }
    volumes = [_bind(str(mount.source), mount.target, mount.read_only) for mount in mounts]
    volumes.append(_bind(str(root), WORKSPACE_AGAIN, read_only=False))
    if desktop:
        volumes.append(_bind(DESKTOP_SOCKET, DESKTOP_SOCKET, read_only=False))
    if ca_bundle is not None:
        environment.update(trust_environment())
        volumes.append(_bind(str(ca_bundle), CA_TARGET, read_only=True))
    labels = {
        INPUTS_LABEL: inputs,
        BASE_LABEL: build_args["BASE_IMAGE"],
        WANTED_LABEL: wanted_base,
    }
    own = {
        PLAN_LABEL: fingerprint,
        PORTS_LABEL: wanted_ports,
        METADATA_LABEL: json.dumps([editor]),
    }
    if network.proxies.relayed:
        own[PROXIES_LABEL] = RELAYED
    elif network.proxies.by_value:
        own[PROXIES_LABEL] = BY_VALUE
    lines = [
        "# Written by `./inv up` and `./inv plan` for this machine; edit .env instead.",
        f"name: {_text(project)}",
        "services:",
        f"  {SERVICE}:",
        f"    image: {_text(image)}",
        "    build:",
        *_build_lines(build_args, network),
        f"      labels: {_text(labels)}",
        f"    labels: {_text({**own, **_devcontainer_labels(root)})}",
        f"    user: {_text(f'{identity.uid}:{identity.gid}')}",
        *([f"    group_add: {_text([str(gid) for gid in groups])}"] if groups else []),
        f"    working_dir: {_text(workspace)}",
        f"    environment: {_text(environment)}",
        "    volumes: !override",
        *(f"      - {_text(volume)}" for volume in volumes),
        f"    ports: !override {_text([_published(port) for port in ports])}",
        f"    shm_size: {_text(shm_size)}",
        *_command_lines(network),
        *([f"    dns: {_text(network.dns_servers)}"] if network.dns_servers else []),
        *_gpu_lines(gpu),
        "  object-store:",
        "    build:",
        *_build_lines({"BASE_IMAGE": build_args["BASE_IMAGE"]}, network),
        *_node_lines(
            {
                "image": image,
                "user": f"{identity.uid}:{identity.gid}",
                **({"group_add": [str(gid) for gid in groups]} if groups else {}),
                "working_dir": workspace,
                "environment": environment,
                "shm_size": shm_size,
                **({"dns": network.dns_servers} if network.dns_servers else {}),
            },
            volumes,
            entrypoint=with_relays([], network.proxies.relayed),
        ),
        *_network_lines(project, network),
    ]
    secrets: dict[str, object] = {
        name: {"environment": variable} for name, variable in network.build_secrets.items()
    }
    if ca_bundle is not None:
        secrets["ca"] = {"file": str(ca_bundle)}
    lines.append(f"secrets: {_text(secrets)}")
    return "\n".join(lines) + "\n"


def written_image(root: Path) -> str:
    """Return the image that a workspace's overlay names; empty where there is none."""
    try:
        text = (root / OVERLAY).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    found = re.search(r'^    image: "(.*)"$', text, re.MULTILINE)
    return found.group(1) if found else ""


def _build_lines(build_args: Mapping[str, str], network: NetworkPlan) -> list[str]:
    lines = [f"      args: {_text({**build_args, **network.build_proxies})}"]
    if network.build_secrets:
        lines.append(f"      secrets: {_text(list(network.build_secrets))}")
    if network.build_on_host:
        lines.append("      network: host")
    return lines


def _command_lines(network: NetworkPlan) -> list[str]:
    """Return what the container runs, where it is more than docker-compose.yml's waiting."""
    if not network.proxies.relayed:
        return []
    waiting = with_relays(["sleep", "infinity"], network.proxies.relayed)
    return [f"    command: {_text(waiting)}"]


def _node_lines(
    node: Mapping[str, object], volumes: Sequence[object], *, entrypoint: Sequence[str]
) -> list[str]:
    """Return the nodes of a Ray cluster: for what runs there, the same as the container itself.

    But without its GPUs, which each node would take for its own, and without a port.
    """
    given = {**node, **({"entrypoint": [START, *entrypoint]} if entrypoint else {})}
    text = f'{_text(given)[:-1]}, "volumes": !override {_text(volumes)}}}'
    return [f"  {name}: {text}" for name in RAY_NODES]


def _network_lines(project: str, network: NetworkPlan) -> list[str]:
    """Return the network's size of packets; its name tells it, as compose changes no network."""
    if network.mtu is None:
        return []
    options = {"com.docker.network.driver.mtu": str(network.mtu)}
    own = {"name": f"{project}_mtu{network.mtu}", "driver_opts": options}
    return [f"networks: {_text({'default': own})}"]


def editor_metadata(devcontainer: str, identity: Identity, workspace: str) -> dict[str, object]:
    """Return what an editor that attaches shall know: the user, the folder, its extensions.

    Args:
        devcontainer: The text of devcontainer.json, whose customizations are taken over.
        identity: The user inside.
        workspace: The folder inside.

    Raises:
        SettingsError: The text is not JSON with comments on lines of their own.
    """
    try:
        configuration = json.loads(re.sub(r"(?m)^\s*//.*$", "", devcontainer) or "{}")
    except ValueError as error:
        raise SettingsError(
            f".devcontainer/devcontainer.json is not valid: {error}.",
            hint="It may hold comments on lines of their own, and no trailing commas.",
        ) from error
    return {
        "remoteUser": identity.username,
        "workspaceFolder": workspace,
        "customizations": configuration.get("customizations", {}),
    }


def _devcontainer_labels(root: Path) -> dict[str, str]:
    """Return the labels by which dev-container tools find a workspace's container.

    See "local_folder" in the dev-container CLI's sources; VS Code uses the same.
    """
    return {
        "devcontainer.local_folder": str(root),
        "devcontainer.config_file": str(root / ".devcontainer" / "devcontainer.json"),
    }


def _text(value: object) -> str:
    # Compose reads $NAME as a variable even inside quotes; $$ is a plain dollar sign.
    return json.dumps(value).replace("$", "$$")


def _bind(source: str, target: str, read_only: bool) -> dict[str, object]:  # noqa: FBT001
    return {
        "type": "bind",
        "source": source,
        "target": target,
        "read_only": read_only,
        "bind": {"create_host_path": False},
    }


def describe_ports(ports: Sequence[Port]) -> str:
    """Return the ports of the settings as one text, to compare with those of another time."""
    return ",".join(_published(port) for port in ports)


def _published(port: Port) -> str:
    address = f"[{port.host_address}]" if ":" in port.host_address else port.host_address
    return f"{address}:{port.host_port}:{port.container_port}"


def _gpu_lines(gpu: Gpu) -> list[str]:
    if gpu is Gpu.NONE:
        return []
    device: dict[str, object] = (
        {"driver": "cdi", "device_ids": ["nvidia.com/gpu=all"], "capabilities": ["gpu"]}
        if gpu is Gpu.CDI
        else {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    )
    return [
        "    deploy:",
        "      resources:",
        "        reservations:",
        f"          devices: [{_text(device)}]",
    ]
