"""The demo from its first command to its proof."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scripts import migration
from scripts.demo.bucket import prepare_bucket
from scripts.demo.history import VERSIONS, build_history, commit, digests, dvc, git
from scripts.demo.model import DemoResult, DemoStore, Version
from scripts.errors import SlipwayError
from scripts.progress import SilentProgress
from scripts.project import init_project
from scripts.settings import DvcSettings, RemoteSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scripts.progress import Progress

_MARKER = ".created-by-slipway-demo"


def run_demo(
    workspace: Path, store: DemoStore | None = None, *, progress: Progress | None = None
) -> DemoResult:
    """Build a project, move its data from a directory to the object store, and pull it back.

    Everything lies in ``.slipway/demo`` of the workspace, made anew each time, and in one bucket
    that the demo created itself.

    Args:
        workspace: Slipway's workspace.
        store: The object store to fill; ``None`` is the embedded one, seen from the container.
        progress: Where to tell what is going on.

    Returns:
        What it came to. The caller shows it, then asks ``require_identical``.

    Raises:
        StoreUnavailable: No object store answers; nothing has been touched.
        StoreError: The object store refuses.
        MigrationIncomplete: Not every object is proven to have arrived.
        SlipwayError: ``.slipway/demo`` is not the demo's, or a command of git or DVC failed.
    """
    store = store or DemoStore()
    progress = progress or SilentProgress()
    started_s = time.monotonic()
    directory = workspace / ".slipway" / "demo"
    _require_ours(directory)
    url = prepare_bucket(store)
    _make_anew(directory)
    root, disk = directory / "project", directory / "hdd"
    for path in (root, disk):
        path.mkdir()

    progress.say("Making a project: 3 versions of its data, on 2 branches and a tag")
    git(root, "init", "--quiet", "--initial-branch", "main")
    hdd = RemoteSettings("hdd", str(disk))
    init_project(_settings(root, hdd))
    commit(root, "Set up DVC")
    originals = build_history(root)
    progress.say("Pushing every version to the directory 'hdd'")
    dvc(root, "push", "--all-commits", "--remote", "hdd")

    progress.say("Adding the remote 's3' and migrating")
    options = {"endpointurl": store.endpoint_url, "region": store.region}
    initialised = init_project(_settings(root, hdd, RemoteSettings("s3", url, options)))
    _set_local(root, {"remote": {"s3": _keys(store)}})
    report = _migrate(root, progress)
    commit(root, "Read from the object store")

    progress.say("Pulling every version into a clean clone, the directory 'hdd' being away")
    with _away(disk):
        versions = _pull_all(directory, url, store, originals)
    return DemoResult(directory, initialised, report, versions, time.monotonic() - started_s)


def _settings(root: Path, *remotes: RemoteSettings) -> Settings:
    return Settings(root=root, dvc=DvcSettings(remotes=remotes, default_remote=remotes[0].name))


def _migrate(root: Path, progress: Progress) -> migration.Report:
    stores = migration.open_stores(root, "hdd", "s3")
    plan = migration.plan_migration(stores, progress=progress)
    outcomes = migration.copy_objects(plan, stores, progress=progress)
    report = migration.verify(plan, outcomes, stores, progress=progress)
    migration.switch_default(root, report)
    return report


def _pull_all(
    directory: Path, url: str, store: DemoStore, originals: Mapping[str, Mapping[str, str]]
) -> tuple[Version, ...]:
    """Clone the project and pull each version, from the one remote that the clone can reach.

    The older commits do not know the remote 's3', so the clone's own configuration names it.
    """
    clone = directory / "clone"
    git(directory, "clone", "--quiet", "project", "clone")
    remote = {
        "url": url, "endpointurl": store.endpoint_url, "region": store.region, **_keys(store)
    }  # fmt: skip
    cache = clone / ".dvc" / "cache"  # whatever a person's own DVC configuration shares
    _set_local(
        clone,
        {"core": {"remote": "s3"}, "cache": {"dir": str(cache)}, "remote": {"s3": remote}},
    )
    versions = []
    for name in VERSIONS:
        git(clone, "checkout", "--quiet", name)
        dvc(clone, "pull", "--remote", "s3")
        versions.append(compare(name, originals[name], clone))
    return tuple(versions)


def compare(name: str, original: Mapping[str, str], clone: Path) -> Version:
    """Compare what was pulled into ``clone`` with the digests of the original's files."""
    pulled = digests(clone)
    different = {path for path in {*original, *pulled} if original.get(path) != pulled.get(path)}
    return Version(name, len(original), _size_bytes(clone, original), tuple(sorted(different)))


def _size_bytes(clone: Path, original: Mapping[str, str]) -> int:
    return sum((clone / path).stat().st_size for path in original if (clone / path).is_file())


def _keys(store: DemoStore) -> dict[str, str]:
    return {"access_key_id": store.access_key, "secret_access_key": store.secret_key}


def _set_local(root: Path, sections: Mapping[str, Mapping[str, Any]]) -> None:
    """Write to ``.dvc/config.local``, not through the ``dvc`` command: arguments can be seen."""
    from dvc.config import Config  # noqa: PLC0415

    path = root / ".dvc" / "config.local"
    path.touch(mode=0o600)
    path.chmod(0o600)
    with Config(dvc_dir=str(root / ".dvc")).edit("local") as config:
        for section, options in sections.items():
            config[section].update(options)


def _require_ours(directory: Path) -> None:
    if directory.is_symlink() or (directory.exists() and not (directory / _MARKER).is_file()):
        raise SlipwayError(
            f"{directory} exists, and no demo created it.",
            hint="Move it away, then run the demo again.",
        )


def _make_anew(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    (directory / _MARKER).touch()


@contextmanager
def _away(disk: Path) -> Iterator[None]:
    """Take a directory away for a while, so that nothing can come from it."""
    elsewhere = disk.with_name(f"{disk.name}.away")
    disk.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(disk)
