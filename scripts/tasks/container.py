"""The container: bring it up, look at it, work in it."""
# ruff: noqa: PLC0415  imports stand in the tasks, so that listing them stays instant
# ruff: noqa: FBT001, FBT002  invoke reads options off signatures

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from invoke.tasks import task

from scripts import console
from scripts.console import exit_on_error
from scripts.tasks import JSON, ROOT, YES

if TYPE_CHECKING:
    from invoke.context import Context

    from scripts.container.model import ContainerPlan


@task(help={"yes": YES})
def up(_: Context, yes: bool = False) -> None:
    """Bring the container up, and prove that it works.

    Example: ./inv up --yes
    """
    from scripts.console import container as view

    with exit_on_error():
        planned = bring_up(yes=yes)
        console.show(view.welcome_view(planned))
        _offer_removal(planned.image, yes=yes)


def _offer_removal(planned: str, *, yes: bool) -> None:
    from scripts.container import bringup, old_images

    with console.progress() as progress:
        docker = bringup.connect(ROOT)[1]
        asking = console.confirming(yes=yes, unasked=False)
        old_images.offer_removal(docker, planned, progress, asking)


def bring_up(*, yes: bool) -> ContainerPlan:
    """Bring the container up as `up` does, and return what it was planned to be."""
    from scripts.console import container as view
    from scripts.container import bringup, doctor, installation

    with console.progress() as progress:
        settings, docker = bringup.connect(ROOT)
        installation.ensure_engine(docker, console.confirming(yes=yes), progress)
        planned = bringup.make_plan(settings, docker)
        console.show(view.steps_view(planned))
        planned, container = bringup.apply_plan(planned, settings, docker, progress)
        proof = doctor.prove_all(settings, planned, container, docker, progress, checkout=False)
        console.show(view.proof_view(proof))
        doctor.require_works(proof)
        return planned


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
            planned = bringup.prepare_for_editor(planned, settings, docker, progress)
        console.show_result(planned, view.plan_view, as_json=json)


@task(help={"fix": "mend tracked files where that can lose nothing", "json": JSON})
def doctor(_: Context, fix: bool = False, json: bool = False) -> None:
    """Prove again, from inside, that everything works, and look at each tracked file.

    Example: ./inv doctor --fix
    """
    from scripts.console import container as view
    from scripts.container import bringup
    from scripts.container import doctor as proving

    with exit_on_error(), console.progress() as progress:
        settings, docker = bringup.connect(ROOT)
        planned = bringup.make_plan(settings, docker)
        container = bringup.find_running(ROOT, docker)
        proof = proving.prove_all(
            settings, planned, container, docker, progress, checkout=True, fix=fix
        )
        console.show_result(proof, view.proof_view, as_json=json)
        proving.require_works(proof)


@task(help={"json": JSON})
def net(_: Context, json: bool = False) -> None:
    """Show what of the network works from inside: git, DVC remotes, packages, ports.

    Example: ./inv net
    """
    from scripts.console import net as view
    from scripts.container import bringup
    from scripts.container.net import observe_net

    with exit_on_error(), console.progress() as progress:
        settings, docker = bringup.connect(ROOT)
        report = observe_net(settings, bringup.find_running(ROOT, docker), progress)
        console.show_result(report, view.net_view, as_json=json)
        report.require_works()


@task(help={"json": JSON})
def leaks(_: Context, json: bool = False) -> None:
    """Look for your secrets in image, container, logs and .slipway/.

    Those of .env, the environment, ~/.aws, ~/.netrc, pip's and DVC's configuration, in every form;
    none is ever shown.

    Example: ./inv leaks
    """
    from scripts.console import leaks as view
    from scripts.container import bringup
    from scripts.container.leaks import find_leaks

    with exit_on_error(), console.progress() as progress:
        settings, docker = bringup.connect(ROOT)
        report = find_leaks(settings, docker, progress)
        console.show_result(report, view.leaks_view, as_json=json)
        report.require_clean()


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


@task(help={"yes": "ask nothing"})
def down(_: Context, yes: bool = False) -> None:
    """Stop and remove the container; nothing else is lost.

    Images, volumes and the workspace stay.
    """
    from scripts.container import bringup
    from scripts.container.overlay import written_image

    with exit_on_error():
        with console.progress() as progress:
            settings, docker = bringup.connect(ROOT)
            bringup.take_down(settings, docker, progress)
        _offer_removal(written_image(ROOT), yes=yes)


@task(help={"dry-run": "show what would go and stop", "yes": "remove without asking", "json": JSON})
def clean(_: Context, dry_run: bool = False, yes: bool = False, json: bool = False) -> None:
    """Remove images that nothing uses any more.

    Slipway built them, and no container is made of them, running or not. A workspace that is down
    and needs one builds it again, from packages that are cached.

    Example: ./inv clean --dry-run
    """
    from scripts.console import container as view
    from scripts.container import bringup, old_images

    with exit_on_error(), console.progress() as progress:
        settings, docker = bringup.connect(ROOT)
        planned = bringup.make_plan(settings, docker)
        old = old_images.find_old(docker, planned.image)
        if old.names and not dry_run:
            old_images.require_consent(old, console.confirming(yes=yes))
            old = old_images.remove_old(old, docker, progress)
        console.show_result(old, view.old_images_view, as_json=json)


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
