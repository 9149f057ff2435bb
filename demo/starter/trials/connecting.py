"""The way to Ray: its own processes on this machine, or a cluster that runs already."""

from __future__ import annotations

import os
import socket
import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import ray

from starter.commands import PROJECT
from starter.errors import ConfigError, StarterError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "hydra.launcher.ray"
_CLIENT_PORT = 10001
_ANSWERS_WITHIN_S = 5.0
_NOT_UP = "Starting Ray client server failed"
"""A cluster starts a process for each client; on a busy machine one was seen to end at once."""
_TRIES = 3
_SMALLEST_STORE_BYTES = 78_643_200
"""What passes through Ray is configurations and numbers; by itself it would take 30 % of memory."""


def connect(init: Mapping[str, Any]) -> None:
    """Start Ray on this machine, or connect to a cluster; nothing if that is done already.

    Args:
        init: The arguments of ``ray.init``; ``address`` is ``local`` or ``ray://HOST:PORT``.

    Raises:
        ConfigError: It is neither, no cluster answers at the address, or one of another version.
        StarterError: Ray does not start on this machine.
    """
    if ray.is_initialized():
        return
    address = str(init.get("address") or "local")
    given = {**init, "address": address}
    # Where Ray's processes find this project, wherever the command was started.
    paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    python_path = os.pathsep.join(dict.fromkeys(paths))
    if address == "local":
        os.environ["PYTHONPATH"] = python_path
        given.setdefault("object_store_memory", _SMALLEST_STORE_BYTES)
    else:
        _require_answer(address)
        given["runtime_env"] = {"env_vars": {"PYTHONPATH": python_path}}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Tip: In future versions of Ray", FutureWarning)
        for left in reversed(range(_TRIES)):
            try:
                ray.init(**given)
                return
            except (ConnectionError, RuntimeError, TimeoutError, ValueError) as error:
                if not left or _NOT_UP not in str(error):
                    raise _not_connected(address, error) from error


def require_room(remote: Mapping[str, Any]) -> tuple[int, int]:
    """Check that some node has what one trial asks for: Ray would wait for one for ever.

    Returns:
        How many nodes there are, and how many trials have room on them at once.

    Raises:
        ConfigError: No node has as much.
    """
    wanted = {"CPU": remote.get("num_cpus") or 0, "GPU": remote.get("num_gpus") or 0}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    for kind, amount in wanted.items():
        most = max((node.get(kind, 0) for node in nodes), default=0)
        if amount > most:
            raise ConfigError(
                f"{KEY}.remote.num_{kind.lower()}s={amount:g}: no node of Ray has so many.",
                hint=f"The largest has {most:g}.",
            )
    places = [
        min((int(node.get(kind, 0) // amount) for kind, amount in wanted.items() if amount),
            default=1)
        for node in nodes
    ]  # fmt: skip
    return len(nodes), sum(places)


def _require_answer(address: str) -> None:
    """Ask for the port first: Ray would try for a minute."""
    parts = urlsplit(address)
    if parts.scheme != "ray":
        raise ConfigError(
            f"{KEY}.init.address={address}: this is no address of a Ray cluster's client server.",
            hint=f"It is `local`, or ray://HOST:{_CLIENT_PORT}.",
        )
    try:
        place = (parts.hostname or "", parts.port or _CLIENT_PORT)
        socket.create_connection(place, timeout=_ANSWERS_WITHIN_S).close()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{KEY}.init.address={address}: no Ray cluster answers there ({error}).",
            hint="`./inv ray` on the host starts one beside the container; RAY_ADDRESS names "
            "another. hydra/launcher=ray_local needs none.",
        ) from error


def _not_connected(address: str, error: Exception) -> StarterError:
    said = str(error).strip()
    if address == "local":
        return StarterError(
            f"Ray does not start on this machine: {said or type(error).__name__}",
            hint="Its logs are in /tmp/ray/session_latest/logs/.",
        )
    if _NOT_UP in said:
        return StarterError(
            f"The Ray cluster at {address} starts no process for this command.",
            hint="The head's log says why: /tmp/ray/session_latest/logs/ray_client_server_*.err. "
            "`./inv ray --stop`, then `./inv ray` starts it anew.",
        )
    return ConfigError(
        f"{KEY}.init.address={address}: {said or type(error).__name__}",
        hint="The cluster must run the Python and the Ray of this environment.",
    )
