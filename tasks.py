"""What a person can ask for: `./inv -l` lists it, `./inv --help TASK` explains it.

The only file that imports invoke. No loops, no logic: a task reads the settings, calls the package
`scripts` and shows what came of it. Imports stand in the tasks, so that listing them stays instant.
"""
# ruff: noqa: PLC0415  see above
# ruff: noqa: FBT001, FBT002, PLR0917, PT028  invoke reads options off signatures

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

    from scripts.container.model import ContainerPlan

YES = "answer every question with yes; what is installed, built or started is said"
JSON = "print one JSON object on standard output, for programs"


@task(help={"yes": YES})
def up(_: Context, yes: bool = False) -> None:
    """Bring the container up, and prove that it works.

    Example: ./inv up --yes
    """
    from scripts.console import container as view

    with exit_on_error():
        console.show(view.welcome_view(_bring_up(yes=yes)))


def _bring_up(*, yes: bool) -> ContainerPlan:
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


@task(help={"stop": "end it", "no-open": "only print its address"})
def jupyter(_: Context, stop: bool = False, no_open: bool = False) -> None:
    """Start JupyterLab inside, and open it.

    Example: ./inv jupyter
    """
    _serve("jupyter", None, stop=stop, no_open=no_open)


@task(
    help={
        "logdir": "what to show; lightning_logs, runs or outputs if not given",
        "stop": "end it",
        "no-open": "only print its address",
    }
)
def tensorboard(_: Context, logdir: str = "", stop: bool = False, no_open: bool = False) -> None:
    """Start TensorBoard inside, and open it.

    Example: ./inv tensorboard --logdir outputs
    """
    _serve("tensorboard", Path(logdir) if logdir else None, stop=stop, no_open=no_open)


def _serve(
    name: str, shows: Path | None = None, page: str = "", *, stop: bool = False, no_open: bool
) -> None:
    from scripts.console import web as view
    from scripts.container import bringup, web

    with exit_on_error(), console.progress() as progress:
        settings, docker = bringup.connect(ROOT)
        if stop:
            console.say(web.stop_server(settings, docker, name, progress))
            return
        server = web.start_server(settings, docker, name, progress, shows=shows, page=page)
        progress.say(view.server_line(server))
        console.show(view.server_view(server))
        if not no_open:
            web.open_browser(server)


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
            _bring_up(yes=yes)
        with console.progress() as progress:
            started = cluster.start_cluster(settings, docker, progress, workers=workers)
        console.show_result(started, view.cluster_view, as_json=json)


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
            _serve(web.SNAKEVIZ, stop=True, no_open=no_open)
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
            _serve(web.SNAKEVIZ, page=web.profile_page(ROOT, path), no_open=no_open)
        raise SystemExit(taken.exit_code)


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


@task(help={"yes": YES})
def test(_: Context, yes: bool = False) -> None:
    """Run every test, inside and on the host.

    Example: ./inv test --yes
    """
    from scripts.container import testing

    with exit_on_error():
        testing.require_outside()
        _bring_up(yes=yes)
        with console.progress() as progress:
            testing.run_all(ROOT, progress)


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
    auto_shortflags=False,  # -h is for help, not for --heal-from
    help={
        "from": "DVC remote to read from; it is never written to",
        "to": "DVC remote to fill",
        "scope": "what moves: workspace, heads (of branches and tags), all (history) or store",
        "heal-from": "another DVC remote to look into for what the source and the cache lack",
        "run-cache": "move DVC's run-cache as well, under the scopes all and store",
        "layout": "3: also give the workspace's data of DVC 2 names of DVC 3, and write these down",
        "jobs": "objects in flight at once",
        "bwlimit": "most that is read in a second: 50M is 50 MiB",
        "dry-run": "show the plan, by revision and by path, and stop",
        "json": JSON,
        "report": "also write the report to this file, inside the workspace: .html or .json",
        "switch": "then make the target the default remote, in .dvc/config",
        "local": "likewise on this machine, at every commit: in .dvc/config.local",
        "undo": "put back what --switch and --local changed, and stop",
        "verify": "what proves an object: evidence (the store's checksum, else a read) or read",
    },
)
def dvc_migrate(
    _: Context,
    from_: str = "",
    to: str = "",
    jobs: int = 32,
    dry_run: bool = False,
    report: str = "",
    switch: bool = False,
    local: bool = False,
    undo: bool = False,
    verify: str = "evidence",
    scope: str = "all",
    json: bool = False,
    heal_from: str = "",
    bwlimit: str = "",
    run_cache: bool = True,
    layout: str = "",
) -> None:
    """Copy all DVC data to another remote, and prove it.

    Every object of every revision is copied and proven at the target; the source is never
    written to. Interrupted, the same command continues.

    Example: ./inv dvc-migrate --from hdd --to s3 --switch
    """
    from scripts.container import inside

    with exit_on_error(), console.progress() as progress:
        inside.require_visible(report, ROOT)
        inside.hand_over_task(ROOT, "dvc-migrate")
        from scripts import migration
        from scripts.console import migration as view
        from scripts.console.page import write_report
        from scripts.console.recording import Recording
        from scripts.settings import read_settings

        if undo:
            console.show(view.undone_view(migration.undo_switch(ROOT)))
            return
        settings = read_settings(ROOT)
        recording = Recording(progress)
        sample, scoped = migration.read_sample(verify), migration.read_scope(scope)
        bandwidth = migration.read_bandwidth(bwlimit)
        stores = migration.open_stores(ROOT, from_, to, settings.passed)
        stores = migration.with_healers(stores, heal_from, settings.passed)
        stores = migration.paced(stores, bandwidth)
        upgrade = migration.plan_upgrade(stores, wanted=migration.read_layout(layout))
        runs = migration.read_run_cache(
            stores, scoped, wanted=run_cache, jobs=jobs, progress=recording
        )
        planned = migration.plan_migration(
            stores, scope=scoped, jobs=jobs, progress=recording, sample=sample, also=runs.needed
        )
        migration.require_dvc_store(planned, stores)
        planned = migration.plan_with(planned, runs.part, *upgrade.parts)
        planned = migration.with_estimate(
            planned, stores, trial=dry_run, jobs=jobs, progress=recording
        )
        planned = migration.with_cautions(planned, stores.target)
        if dry_run:
            console.show_result(planned, view.dry_run_view, as_json=json)
            return
        if not json:
            console.show(view.plan_view(planned))
        outcomes = migration.copy_objects(planned, stores, jobs=jobs, progress=recording)
        copied = migration.copy_runs(runs, stores, jobs=jobs, progress=recording)
        upgrade = migration.copy_upgraded(upgrade, stores, jobs=jobs, progress=recording)
        result = migration.verify(
            planned, outcomes, stores, jobs=jobs, progress=recording, sample=sample
        )
        part = migration.verify_runs(
            runs, copied, stores, jobs=jobs, progress=recording, sample=sample
        )
        parts = migration.verify_upgraded(
            upgrade, stores, jobs=jobs, progress=recording, sample=sample
        )
        result = migration.report_with(result, part, *parts)
        console.show_result(result, view.report_view, as_json=json)
        if report:
            write_report(result, Path(report), recording.samples)
        migration.remember_complete(ROOT, stores, result, progress)
        rewritten = migration.rewrite_files(ROOT, upgrade, result)
        switched = migration.switch_defaults(ROOT, result, shared=switch, local=local)
        if not json:
            console.show(view.rewritten_view(rewritten))
            console.show(view.switches_view(switched))


@task(
    auto_shortflags=False,  # --remote and --report cannot both be -r
    help={
        "remote": "DVC remote to prove; the default remote if not given",
        "verify": "what proves an object: evidence (the store's checksum, else a read) or read",
        "sample": "read this share back as well, chosen at random: 5%",
        "seed": "choose the same again; a new choice if not given",
        "jobs": "objects in flight at once",
        "bwlimit": "most that is read in a second: 50M is 50 MiB",
        "report": "also write the report to this JSON file, inside the workspace",
        "json": JSON,
        "run-cache": "also read every entry of DVC's run-cache that is there",
    },
)
def dvc_verify(
    _: Context,
    remote: str = "",
    verify: str = "evidence",
    sample: str = "",
    seed: int = 0,
    jobs: int = 32,
    bwlimit: str = "",
    report: str = "",
    json: bool = False,
    run_cache: bool = True,
) -> None:
    """Prove that a remote holds what every revision needs.

    Changes nothing. Whatever is absent, wrong or cannot be proven is named with its path and
    commit, and the exit code is 6.

    Example: ./inv dvc-verify --remote s3 --sample 5%
    """
    from scripts.container import inside

    with exit_on_error(), console.progress() as progress:
        inside.require_visible(report, ROOT)
        inside.hand_over_task(ROOT, "dvc-verify")
        from scripts import migration
        from scripts.console import migration as view
        from scripts.report import write_json
        from scripts.settings import read_settings

        chosen = migration.read_sample(verify, sample, seed)
        bandwidth = migration.read_bandwidth(bwlimit)
        store = migration.open_remote(ROOT, remote, read_settings(ROOT).passed)
        store = migration.paced_source(store, bandwidth)
        result = migration.verify_remote(ROOT, store, sample=chosen, jobs=jobs, progress=progress)
        part = migration.verify_remote_runs(store, wanted=run_cache, jobs=jobs, progress=progress)
        result = migration.report_with(result, part)
        console.show_result(result, view.report_view, as_json=json)
        if report:
            write_json(Path(report), result.as_json())
        result.require_complete()


@task(
    help={
        "from": "DVC remote to delete from",
        "to": "DVC remote that must have everything",
        "verify": "what proves an object: evidence (the store's checksum, else a read) or read",
        "jobs": "objects in flight at once",
        "dry-run": "show what would be deleted and stop",
        "yes": "delete without asking",
        "json": JSON,
    }
)
def dvc_prune_source(
    _: Context,
    from_: str,
    to: str,
    verify: str = "evidence",
    jobs: int = 32,
    dry_run: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Delete from a remote what a migration has moved, once all is proven again.

    Needs a complete `dvc-migrate` between the two within the last day. Unless everything that
    any revision needs is proven at the target, nothing is deleted.

    Example: ./inv dvc-prune-source --from hdd --to s3 --dry-run
    """
    from scripts.container import inside

    with exit_on_error(), console.progress() as progress:
        inside.hand_over_task(ROOT, "dvc-prune-source")
        from scripts import migration
        from scripts.console import pruning as view
        from scripts.settings import read_settings

        passed = read_settings(ROOT).passed
        sample = migration.read_sample(verify)
        stores = migration.open_stores(ROOT, from_, to, passed)
        migration.require_recent(ROOT, stores)
        migration.require_switched(ROOT, from_)
        planned = migration.plan_migration(stores, jobs=jobs, progress=progress, sample=sample)
        pruning = migration.plan_prune(planned, stores, progress)
        if dry_run or not pruning.items:
            console.show_result(pruning, view.dry_run_view, as_json=json)
            return
        view.require_consent(pruning, console.confirming(yes=yes))
        source = migration.open_writable(ROOT, from_, passed)
        migration.prune_source(pruning, source, stores.target, jobs=jobs, progress=progress)
        console.show_result(pruning, view.pruned_view, as_json=json)


@task(help={"yes": YES})
def demo(_: Context, yes: bool = False) -> None:
    """See a data set move from a disk to S3, verified.

    Makes a small project with history, a real object store on this machine, migrates from one
    to the other, and pulls every version into a clean clone, compared bit by bit.
    """
    from scripts.container import bringup, inside, services

    with exit_on_error(), console.progress() as progress:
        if not inside.is_inside():
            _bring_up(yes=yes)
            services.start_object_store(*bringup.connect(ROOT), progress)
            inside.hand_over_task(ROOT, "demo")
        from scripts.console import project as view
        from scripts.demo import run_demo

        result = run_demo(ROOT, progress=progress)
        console.show(view.demo_view(result))
        result.require_identical()


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
