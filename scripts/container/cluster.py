"""A Ray cluster of containers on this machine, beside the one that a person works in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.container.bringup import find_running
from scripts.container.inside import ask_inside, is_inside
from scripts.container.model import RAY_HEAD, RAY_NODES, RAY_WORKER
from scripts.container.plan import project_name
from scripts.errors import ContainerError, SettingsError

if TYPE_CHECKING:
    from scripts.container.engine import Engine
    from scripts.progress import Progress
    from scripts.settings import Settings

INSIDE = "scripts.container.cluster_inside"
_MOST_WORKERS = 32
_LINES_SHOWN = 10


@dataclass(frozen=True)
class Node:
    """A node that does what Ray asks of it; ``host`` is what a run's record calls it."""

    host: str
    address: str
    cpus: int


@dataclass(frozen=True)
class Cluster:
    """A cluster whose nodes are all there."""

    nodes: tuple[Node, ...]

    def as_json(self) -> dict[str, object]:
        """Return the cluster for programs."""
        return {
            "schema_version": 1,
            "nodes": [
                {"host": node.host, "address": node.address, "cpus": node.cpus}
                for node in self.nodes
            ],
        }


def require_sensible(workers: int) -> None:
    """Check what is asked for before anything is started.

    Raises:
        SettingsError: This is not the host, or nobody wants that many workers.
    """
    if is_inside():
        raise SettingsError(
            "`inv ray` starts and stops containers, from outside.",
            hint="Run `./inv ray` on the host. Inside, `hydra/launcher=ray_cluster` uses it.",
        )
    if not 0 <= workers <= _MOST_WORKERS:
        raise SettingsError(
            f"--workers {workers}: there can be 0 to {_MOST_WORKERS} beside the head.",
            hint="Each is a container with a share of this machine's CPUs.",
        )


def start_cluster(
    settings: Settings, engine: Engine, progress: Progress, *, workers: int
) -> Cluster:
    """Start a head and workers, and wait until each does what Ray asks of it.

    What runs already as it should goes on. The nodes share this machine's CPUs evenly.

    Args:
        settings: Name the workspace, whose container runs.
        engine: The engine to start them on.
        progress: Told what happens.
        workers: How many nodes there are beside the head.

    Raises:
        ContainerError: The container does not run, or a node does not start.
        CommandFailed: Likewise, for a reason that is not known.
    """
    dev = find_running(settings.root, engine)
    processors = int(engine.execute(dev.container_id, ["nproc"]).stdout)
    share = max(1, processors // (workers + 1))
    with progress.phase("starting the Ray cluster"):
        engine.compose(
            settings.root,
            ["--profile", "ray", "up", "--detach", "--no-build",
             "--scale", f"{RAY_WORKER}={workers}", *RAY_NODES],
            follow=lambda _line: None,
            secrets={"RAY_NODE_CPUS": str(share)},
        )  # fmt: skip
        head = engine.container(project_name(settings.root), RAY_HEAD)
        if head is None or not head.running:
            raise _not_started(settings, engine, "The head of the Ray cluster has ended.")
        request = {"call": "nodes", "expected": workers + 1}
        found = ask_inside(settings, head, request, progress, module=INSIDE)["nodes"]
    nodes = tuple(Node(each["host"], each["address"], int(each["cpus"])) for each in found)
    if len(nodes) != workers + 1:
        raise _not_started(settings, engine, f"Not all of the {workers + 1} nodes of Ray answer.")
    return Cluster(nodes)


def stop_cluster(settings: Settings, engine: Engine, progress: Progress) -> str:
    """Stop and remove all nodes; return what to tell the person."""
    project = project_name(settings.root)
    if all(engine.container(project, name) is None for name in RAY_NODES):
        return "The Ray cluster did not run."
    with progress.phase("stopping the Ray cluster"):
        engine.compose(settings.root, ["--profile", "ray", "rm", "--stop", "--force", *RAY_NODES])
    return "The Ray cluster is stopped."


def _not_started(settings: Settings, engine: Engine, message: str) -> ContainerError:
    """Return an error with the last lines that the nodes printed."""
    lines = []
    for name in RAY_NODES:
        container = engine.container(project_name(settings.root), name)
        printed = engine.logs(container.container_id, lines=_LINES_SHOWN) if container else ""
        lines += [f"\n  {name}  {line}" for line in printed.splitlines() if line.strip()]
    return ContainerError(
        f"{message}{''.join(lines)}",
        hint="`./inv ray --stop`, then `./inv ray`; is there memory for so many nodes?",
    )
