"""Data under DVC: the project, the cache and its links, and what may go from it."""
# ruff: noqa: PLC0415  imports stand in the tasks, so that listing them stays instant
# ruff: noqa: FBT001, FBT002, PLR0917  invoke reads options off signatures

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from invoke.tasks import task

from scripts import console
from scripts.console import exit_on_error
from scripts.tasks import JSON, ROOT, YES
from scripts.tasks.container import bring_up

if TYPE_CHECKING:
    from invoke.context import Context


@task
def dvc_init(_: Context) -> None:
    """Set up DVC from .env: project, cache, remotes."""
    from scripts.container import inside

    with exit_on_error(), console.progress() as progress:
        inside.hand_over_task(ROOT, "dvc-init")
        from scripts.console import project as view
        from scripts.project import init_project
        from scripts.settings import read_settings

        console.show(view.init_view(init_project(read_settings(ROOT), progress=progress)))


@task(
    help={
        "use": "link types to switch to, in order: reflink, hardlink, symlink, copy, or auto",
        "files": "how many links of each type to time; 0 for none",
        "plot": "also draw time and space by type into this file, inside the workspace",
        "json": JSON,
        "yes": YES,
    }
)
def cache(
    _: Context,
    use: str = "",
    files: int = 1000,
    plot: str = "",
    json: bool = False,
    yes: bool = False,
) -> None:
    """Show which links between the DVC cache and your files work, and what each costs.

    Example: ./inv cache --use reflink,copy
    """
    from scripts.console import cache as view
    from scripts.container import bringup, inside
    from scripts.container import cache as looking

    with exit_on_error(), console.progress() as progress:
        settings, docker = bringup.connect(ROOT)
        if use:
            from scripts.container import linking

            result = linking.use_links(
                settings, use, docker, progress,
                show=lambda planned: None if json else console.show(view.plan_view(planned)),
                confirm=console.confirming(yes=yes),
            )  # fmt: skip
            console.show_result(result, view.result_view, as_json=json)
            result.require_verified()
            return
        inside.require_visible(plot, ROOT)
        report = looking.observe_cache(settings, docker, progress, files=files)
        console.show_result(report, view.report_view, as_json=json)
        if plot:
            looking.plot_report(report, Path(plot), settings, docker, progress)


@task(
    auto_shortflags=False,  # -n would be --not-in-remote, where people expect a dry run
    help={
        "keep": "whose objects stay: workspace, heads (every branch and tag) or all revisions",
        "not-in-remote": "let even what is kept go, if the remote provably has it",
        "remote": "DVC remote to prove in; the default remote if not given",
        "dry-run": "show the plan and stop",
        "yes": "remove without asking",
        "json": JSON,
        "forget": "remove the project at this path from those that use the cache, and stop",
    },
)
def gc(
    _: Context,
    keep: str = "workspace",
    not_in_remote: bool = False,
    remote: str = "",
    dry_run: bool = False,
    yes: bool = False,
    json: bool = False,
    forget: str = "",
) -> None:
    """Free the DVC cache of what can be fetched back.

    An object goes only if no project that uses the cache needs it and the remote is proven to
    hold its bytes. Interrupted, the same command continues.

    Example: ./inv gc --dry-run
    """
    from scripts.container import visiting

    with exit_on_error(), console.progress() as progress:
        visiting.hand_over_visiting(ROOT, "gc", alone=bool(forget))
        from scripts import gc as cleaning
        from scripts.console import gc as view
        from scripts.settings import read_settings

        if forget:
            cleaning.forget_project(ROOT, Path(forget))
            progress.say(f"{forget} is forgotten.")
            return
        request = cleaning.read_request(keep, not_in_remote=not_in_remote)
        site = cleaning.open_site(ROOT, remote, read_settings(ROOT).passed)
        confirm = view.confirming(yes=yes, dry_run=dry_run, as_json=json)
        result = cleaning.run_gc(site, request, confirm=confirm, progress=progress)
        console.show_result(result, view.report_view, as_json=json)
        result.require_clean()


@task(help={"yes": YES})
def demo(_: Context, yes: bool = False) -> None:
    """See a data set move from a disk to S3, verified.

    Makes a small project with history, a real object store on this machine, migrates from one
    to the other, and pulls every version into a clean clone, compared bit by bit.
    """
    from scripts.container import bringup, inside, services

    with exit_on_error(), console.progress() as progress:
        if not inside.is_inside():
            bring_up(yes=yes)
            services.start_object_store(*bringup.connect(ROOT), progress)
            inside.hand_over_task(ROOT, "demo")
        from scripts.console import project as view
        from scripts.demo import run_demo

        result = run_demo(ROOT, progress=progress)
        console.show(view.demo_view(result))
        result.require_identical()
