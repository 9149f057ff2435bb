"""What a person can ask for: `./inv -l` lists it, `./inv --help TASK` explains it.

The only file that imports invoke. No loops, no logic: a task reads the settings, calls the package
`scripts` and shows what came of it. Imports stand in the tasks, so that listing them stays instant.
"""
# ruff: noqa: PLC0415, FBT001, FBT002, PT028  imports: see above; invoke reads flags off signatures

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from invoke.tasks import task  # noqa: E402  after the line that lets `scripts` be found

from scripts import console  # noqa: E402
from scripts.console import exit_on_error  # noqa: E402

if TYPE_CHECKING:
    from invoke.context import Context

YES = "answer every question with yes; what is installed, built or started is said"
JSON = "print one JSON object on standard output, for programs"


@task(help={"yes": YES})
def up(_: Context, yes: bool = False) -> None:
    """Bring the container up, and prove that it works.

    Example: ./inv up --yes
    """
    from scripts.console import container as view
    from scripts.container import bringup, doctor, installation

    with exit_on_error(), console.progress() as progress:
        settings, docker = bringup.connect(ROOT)
        installation.ensure_engine(docker, console.confirming(yes=yes), progress)
        planned = bringup.make_plan(settings, docker)
        console.show(view.steps_view(planned))
        planned, container = bringup.apply_plan(planned, settings, docker, progress)
        proof = doctor.prove(planned, container, docker)
        console.show(view.proof_view(proof))
        doctor.require_works(proof)
        console.show(view.welcome_view(planned))


@task(
    help={"json": JSON, "write": "also write .slipway/compose.yml, for VS Code and docker compose"}
)
def plan(_: Context, json: bool = False, write: bool = False) -> None:
    """Show what `up` would do, and change nothing.

    Example: ./inv plan --json
    """
    from scripts.console import container as view
    from scripts.container import bringup

    with exit_on_error(), console.progress() as progress:
        settings, docker = bringup.connect(ROOT)
        planned = bringup.make_plan(settings, docker)
        if write:
            planned = bringup.write_plan(planned, settings, docker, progress)
        console.show_result(planned, view.plan_view, as_json=json)


@task(help={"json": JSON})
def doctor(_: Context, json: bool = False) -> None:
    """Prove again, from inside, that everything works.

    Example: ./inv doctor --json
    """
    from scripts.console import container as view
    from scripts.container import bringup
    from scripts.container import doctor as proving

    with exit_on_error():
        settings, docker = bringup.connect(ROOT)
        planned = bringup.make_plan(settings, docker)
        proof = proving.prove(planned, bringup.find_running(ROOT, docker), docker)
        console.show_result(proof, view.proof_view, as_json=json)
        proving.require_works(proof)


@task(help={"pull": "look for a newer base image first", "no-cache": "build every layer anew"})
def build(_: Context, pull: bool = False, no_cache: bool = False) -> None:
    """Build the image, even if nothing has changed.

    Example: ./inv build --pull
    """
    from scripts.container import bringup

    with exit_on_error(), console.progress() as progress:
        settings, docker = bringup.connect(ROOT)
        planned = bringup.make_plan(settings, docker)
        bringup.build(planned, settings, docker, progress, pull=pull, no_cache=no_cache)
        progress.say(f"{planned.image} is built; `./inv up` starts it.")


@task
def down(_: Context) -> None:
    """Stop and remove the container; nothing else is lost.

    Images, volumes and the workspace stay.
    """
    from scripts.container import bringup

    with exit_on_error(), console.progress() as progress:
        settings, docker = bringup.connect(ROOT)
        bringup.take_down(settings, docker, progress)


@task(help={"json": JSON})
def status(_: Context, json: bool = False) -> None:
    """Tell whether the container runs, and whether it is up to date."""
    from scripts.console import container as view
    from scripts.container import bringup

    with exit_on_error():
        settings, docker = bringup.connect(ROOT)
        console.show_result(bringup.read_status(settings, docker), view.status_view, as_json=json)


@task(help={"follow": "go on printing until Ctrl-C", "lines": "how many of the last lines"})
def logs(_: Context, follow: bool = False, lines: int = 100) -> None:
    """Print what the container printed."""
    from scripts.container import inside

    with exit_on_error():
        inside.become_logs(ROOT, follow=follow, lines=lines)


@task
def shell(_: Context) -> None:
    """Open a shell inside, in this same directory."""
    from scripts.container import inside

    with exit_on_error():
        inside.hand_over(ROOT, ["bash", "--login"])


@task(name="exec")
def execute(_: Context) -> None:
    """Run a command inside.

    Example: ./inv exec -- python -V
    """
    from scripts.container import inside

    with exit_on_error():
        inside.hand_over(ROOT, inside.split_command(sys.argv))


@task
def attach(_: Context) -> None:
    """Open VS Code on the running container.

    Where `code` is not on PATH, the address to open is printed.
    """
    from scripts.container import bringup, inside

    with exit_on_error():
        settings, docker = bringup.connect(ROOT)
        container = bringup.find_running(ROOT, docker)
        console.say(inside.attach_editor(settings, container))


@task(help={"yes": YES})
def engine(_: Context, yes: bool = False) -> None:
    """Install and start a container engine, if none answers.

    From the packages of Debian or Ubuntu; elsewhere it says what to do.
    """
    from scripts.container import bringup, installation

    with exit_on_error(), console.progress() as progress:
        docker = bringup.connect(ROOT)[1]
        installation.ensure_engine(docker, console.confirming(yes=yes), progress)
        progress.say(f"Docker {docker.facts().version} answers.")


@task(help={"upgrade": "move every package to its newest version"})
def lock(_: Context, upgrade: bool = False) -> None:
    """Pin environment.txt and host.txt, with hashes.

    Example: ./inv lock --upgrade
    """
    from scripts.console import environment as view
    from scripts.environment.lock import lock_environment

    with exit_on_error(), console.progress() as progress:
        changes = lock_environment(ROOT, upgrade=upgrade, progress=progress)
        console.show(view.lock_view(changes))


@task
def lint(_: Context) -> None:
    """Check style, types and layers, inside."""
    from scripts.container import inside

    with exit_on_error():
        inside.hand_over(ROOT, ["nox", "--session", "lint", "types", "layers"])


@task(help={"yes": YES})
def test(context: Context, yes: bool = False) -> None:
    """Run every test, inside and on the host.

    Example: ./inv test --yes
    """
    from scripts.container import testing

    with exit_on_error():
        testing.require_outside()
        up(context, yes=yes)
        with console.progress() as progress:
            testing.run_all(ROOT, progress)


@task
def dvc_init(_: Context) -> None:
    """Set up DVC from .env: project, cache, remotes."""
    from scripts.container import inside

    with exit_on_error(), console.progress() as progress:
        inside.hand_over(ROOT, ["invoke", "dvc-init"], unless_inside=True)
        from scripts.console import project as view
        from scripts.project.init import init_project
        from scripts.settings import read_settings

        console.show(view.init_view(init_project(read_settings(ROOT), progress=progress)))
