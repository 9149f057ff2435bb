"""Work on code: what it needs, how it hangs together, where its time goes, and its tests."""
# ruff: noqa: PLC0415  imports stand in the tasks, so that listing them stays instant
# ruff: noqa: FBT001, FBT002, PLR0917, PT028  invoke reads options off signatures

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.tasks import task

from scripts import console
from scripts.console import exit_on_error
from scripts.tasks import JSON, ROOT, YES
from scripts.tasks.container import bring_up
from scripts.tasks.web import serve

if TYPE_CHECKING:
    from invoke.context import Context


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


@task(help={"json": JSON})
def reqs(_: Context, json: bool = False) -> None:
    """Compare what code imports with environment.txt and what is installed.

    Behind -- stand the files and directories to read; all of this project's own if not given.
    Whatever is missing, undeclared or unused is named, and the exit code is 10.

    Example: ./inv reqs -- scripts
    """
    from scripts.container import inside

    with exit_on_error(), console.progress() as progress:
        inside.hand_over_task(ROOT, "reqs")
        from scripts.console import environment as view
        from scripts.environment.drift import check_requirements

        report = check_requirements(ROOT, inside.words_behind(sys.argv), progress)
        console.show_result(report, view.requirements_view, as_json=json)
        report.require_clean()


@task(
    help={
        "cprofile": "count every call of the one process with cProfile, and open SnakeViz",
        "to": "where to write it, inside the workspace: .svg, or .prof with --cprofile",
        "rate": "how many samples a second",
        "idle": "also look while it waits",
        "no-open": "only print SnakeViz's address",
        "stop": "end SnakeViz",
    }
)
def profile(
    _: Context,
    cprofile: bool = False,
    to: str = "",
    rate: int = 100,
    idle: bool = False,
    no_open: bool = False,
    stop: bool = False,
) -> None:
    """See where the time of a command goes: a flame graph, taken by py-spy inside.

    Its exit code is the command's own. Ctrl-C ends the command; what was seen until then is drawn.

    Example: ./inv profile -- python train.py
    """
    from scripts.analysis import profiles, profiling
    from scripts.console import analysis as view
    from scripts.container import bringup, inside, web

    with exit_on_error():
        settings, docker = bringup.connect(ROOT)
        if stop:
            serve(web.SNAKEVIZ, stop=True, no_open=no_open)
            return
        inside.require_visible(to, ROOT)
        command = inside.split_command(sys.argv)
        path = Path(to).absolute() if to else profiles.usual_path(ROOT, command, calls=cprofile)
        request = profiling.read_request(command, path, calls=cprofile, rate=rate, idle=idle)
        opens = cprofile and not inside.is_inside()
        if opens:
            web.require_published(ROOT, docker, web.SNAKEVIZ)
        taken = profiles.take_profile(request, settings, docker)
        console.say(view.profile_line(taken))
        if taken.problem:
            console.show_error(taken.problem)
        elif opens:
            serve(web.SNAKEVIZ, page=web.profile_page(ROOT, path), no_open=no_open)
        raise SystemExit(taken.exit_code)


@task(help={"to": "where to write it, inside the workspace: .svg, .dot, .tgf or .graphml (yEd)"})
def callgraph(_: Context, to: str = "") -> None:
    """Draw who calls whom among the functions of some files.

    Behind -- stand files and directories; demo/ if not given.

    Example: ./inv callgraph --to calls.svg -- scripts/environment
    """
    from scripts.container import inside

    with exit_on_error(), console.progress() as progress:
        inside.require_visible(to, ROOT)
        inside.hand_over_task(ROOT, "callgraph")
        from scripts.analysis import callgraph as drawing
        from scripts.console import analysis as view
        from scripts.sources import find_sources

        asked = [Path(path) for path in inside.words_behind(sys.argv)]
        sources = find_sources(asked or [ROOT / "demo"])
        path = Path(to) if to else ROOT / drawing.USUAL_FILE
        graph = drawing.write_callgraph(ROOT, sources, path, progress)
        console.say(view.callgraph_line(graph))


@task
def lint(_: Context) -> None:
    """Check style, types and layers, inside."""
    from scripts.container import inside

    with exit_on_error():
        inside.hand_over(ROOT, ["nox", "--session", "lint", "types", "layers"])


@task(
    help={
        "quick": "style, types, layers and unit tests alone: no engine, no image",
        "all": "every fault's every seed, and each way in, too",
        "yes": YES,
    }
)
def test(_: Context, quick: bool = False, all: bool = False, yes: bool = False) -> None:  # noqa: A002  an option's name
    """Run the tests, inside and on the host; at the end stands what failed, and where time went.

    Example: ./inv test --quick
    """
    from scripts.console import suite as view
    from scripts.container import testing

    with exit_on_error():
        testing.require_outside()
        if quick:
            suite = testing.run_quick(ROOT)
        else:
            bring_up(yes=yes)
            with console.progress() as progress:
                suite = testing.run_all(ROOT, progress, everything=all)
        console.show(view.suite_view(suite))
        suite.require_passed()


@task(
    help={"name": "its name: letters, digits, dashes", "to": "the directory to make it in"},
)
def new(_: Context, name: str, to: str = "") -> None:
    """Make a fresh project from demo/, under its own name throughout.

    Example: ./inv new cat-or-dog
    """
    from scripts.console import template as view
    from scripts.template.create import new_project

    with exit_on_error():
        made = new_project(ROOT, name, Path(to) if to else ROOT)
        console.show(view.project_view(made, ROOT))
