"""What runs a model of demo/, and the cluster that many trials run on."""
# ruff: noqa: PLC0415  imports stand in the tasks, so that listing them stays instant
# ruff: noqa: FBT001, FBT002  invoke reads options off signatures

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from invoke.tasks import task

from scripts import console
from scripts.console import exit_on_error
from scripts.tasks import JSON, ROOT, YES
from scripts.tasks.container import bring_up

if TYPE_CHECKING:
    from invoke.context import Context


@task
def train(_: Context) -> None:
    """Train a model of demo/, inside; what stands behind `--` is Hydra's.

    Example: ./inv train -- loss=arcface trainer.max_epochs=4
    """
    _in_project("train")


@task
def evaluate(_: Context) -> None:
    """Measure a trained model of demo/, inside.

    Example: ./inv evaluate -- split=val
    """
    _in_project("evaluate")


@task
def infer(_: Context) -> None:
    """Ask a trained model of demo/, inside.

    Example: ./inv infer -- img_path=demo/data/cats_dogs/test
    """
    _in_project("infer")


@task
def rerun(_: Context) -> None:
    """Repeat a training run from its record, and compare the metrics.

    Example: ./inv rerun -- demo/runs/cats_dogs/2026-01-31_09-30-00-000000
    """
    _in_project("rerun")


@task
def sweep(_: Context) -> None:
    """Show what came of a search: a table, and a page with plots.

    Example: ./inv sweep -- demo/runs/cats_dogs/search
    """
    _in_project("sweep")


def _in_project(command: str) -> None:
    from scripts.container import inside

    with exit_on_error():
        inside.hand_over(ROOT, inside.project_command(ROOT, command, sys.argv))


@task(
    help={
        "workers": "nodes beside the head; together they share this machine's CPUs",
        "stop": "end it",
        "json": JSON,
        "yes": YES,
    }
)
def ray(
    _: Context, workers: int = 1, stop: bool = False, json: bool = False, yes: bool = False
) -> None:
    """Start a Ray cluster of containers on this machine: many trials at once.

    Example: ./inv ray --workers 3
    """
    from scripts.console import cluster as view
    from scripts.container import bringup, cluster

    with exit_on_error():
        cluster.require_sensible(workers)
        settings, docker = bringup.connect(ROOT)
        if stop:
            with console.progress() as progress:
                console.say(cluster.stop_cluster(settings, docker, progress))
            return
        if not json:
            bring_up(yes=yes)
        with console.progress() as progress:
            started = cluster.start_cluster(settings, docker, progress, workers=workers)
        console.show_result(started, view.cluster_view, as_json=json)
