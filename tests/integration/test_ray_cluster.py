"""A Ray cluster of two nodes as a person gets it: started, used, one node lost, taken down."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from scripts import process
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs("docker")

TINY = (
    "data.draw=96", "data.batch_size=16", "model.width=4", "logger=none", "~callbacks.pictures",
    "optimizer.lr=0.001,0.002", "trainer.max_epochs=60",
)  # fmt: skip


def containers(workspace: Workspace, service: str = "") -> list[dict[str, Any]]:
    """Return what the engine holds of this workspace, or of one service of it."""
    labels = [f"label=com.docker.compose.project={workspace.project}"]
    labels += [f"label=com.docker.compose.service={service}"] if service else []
    filters = [word for label in labels for word in ("--filter", label)]
    found = process.run(["docker", "ps", "--all", "--quiet", *filters]).stdout.split()
    facts: list[dict[str, Any]] = (
        json.loads(process.run(["docker", "inspect", *found]).stdout) if found else []
    )
    return facts


def record(run: Path) -> dict[str, Any]:
    """Return a run's record, empty while there is none."""
    path = run / "record.json"
    content: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return content


def epochs(run: Path) -> int:
    log = run / "train.log"
    return log.read_text().count("epoch ") if log.is_file() else 0


def test_no_cluster_is_said_at_once(workspace: Workspace) -> None:
    workspace.up()
    refused = workspace.inv("ray", "--workers", "99")
    assert refused.returncode == 2
    assert "--workers 99" in refused.stderr
    told = workspace.inv("train", "--", "-m", "hydra/launcher=ray_cluster", "seed=1,2")
    assert told.returncode == 2
    assert "no Ray cluster answers there" in told.stderr
    assert "`./inv ray` on the host starts one" in said(told)
    assert "did not run" in said(workspace.inv("ray", "--stop"))


def test_two_nodes_start(workspace: Workspace) -> None:
    started = workspace.inv("ray", "--yes")
    assert started.returncode == 0, said(started)
    assert "ray-head" in started.stdout
    assert "hydra/launcher=ray_cluster" in started.stdout
    nodes = containers(workspace, "ray-head") + containers(workspace, "ray-worker")
    assert len(nodes) == 2
    for node in nodes:
        host = node["HostConfig"]
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert not any(host["PortBindings"].values())
        assert node["Config"]["User"] == workspace.inspect()["Config"]["User"]
        assert node["Image"] == workspace.inspect()["Image"]
    assert workspace.json("status")["up_to_date"], "the cluster is none of the container's business"


def test_they_train_and_survive_a_loss(workspace: Workspace) -> None:
    sweep = workspace.root / "demo" / "runs" / "sweep"
    words = ("-m", "hydra/launcher=ray_cluster", *TINY, f"hydra.sweep.dir={sweep}")
    runs = [sweep / "0", sweep / "1"]
    with ThreadPoolExecutor() as pool:
        trained = pool.submit(workspace.inv, "train", "--", *words)
        while not trained.done() and not all(epochs(run) > 3 for run in runs):
            time.sleep(0.1)
        assert not trained.done(), said(trained.result())
        hosts = {record(run)["process"]["host"]: run for run in runs}
        worker = containers(workspace, "ray-worker")[0]
        assert set(hosts) == {"ray-head", worker["Config"]["Hostname"]}
        process.run(["docker", "kill", worker["Id"]])
        done = trained.result()
    assert done.returncode == 0, said(done)
    assert "2 trials, 2 at once, on 2 nodes of Ray" in said(done)
    assert [record(run)["status"] for run in runs] == ["complete", "complete"]
    moved = record(hosts[worker["Config"]["Hostname"]])
    assert moved["process"]["host"] == "ray-head"
    assert [each["status"] for each in moved["earlier"]] == ["killed"]
    assert epochs(hosts[worker["Config"]["Hostname"]]) <= 62, "it went on, it did not begin anew"


def test_they_leave_nothing(workspace: Workspace) -> None:
    assert workspace.inv("down").returncode == 0
    assert containers(workspace) == []
    networks = ["docker", "network", "ls", "--quiet", "--filter", f"name={workspace.project}"]
    assert not process.run(networks).stdout.strip()
    told = workspace.inv("train", "--", "-m", "hydra/launcher=ray_cluster", "seed=1,2")
    assert "`./inv up` starts it" in said(told)
