"""Data from one DVC remote to another, proven."""
# ruff: noqa: PLC0415  imports stand in the tasks, so that listing them stays instant
# ruff: noqa: FBT001, FBT002, PLR0917  invoke reads options off signatures

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from invoke.tasks import task

from scripts import console
from scripts.console import exit_on_error
from scripts.tasks import JSON, ROOT

if TYPE_CHECKING:
    from invoke.context import Context


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
