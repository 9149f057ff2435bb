"""What every revision of the project needs in its remote, as DVC itself reads it."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.migration.history import History, Snapshot, read_history
from scripts.migration.model import Layout, Reference, StoredObject, is_oid
from scripts.migration.project import open_project

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts.progress import Progress

WORKSPACE = "workspace"
_LAYOUTS = {"md5": Layout.CURRENT, "md5-dos2unix": Layout.LEGACY}


class Verdict(Enum):
    """Why an output is rightly not in the source, and so is no part of the plan."""

    NOT_CACHED = "cache: false"
    NOT_PUSHED = "push: false"
    IMPORTED = "imported from another repository"
    OTHER_REMOTE = "kept in another remote"
    CLOUD_VERSIONED = "kept as files in a version-aware remote"
    OUTSIDE = "outside the repository"
    NOT_HASHED = "never run or added, so there is no data yet"


@dataclass(frozen=True)
class Uncollectable:
    """A revision, or a file of one, of which it is not known what it needs."""

    revision: str
    path: str
    reason: str


@dataclass(frozen=True)
class Inventory:
    """What the revisions name.

    Attributes:
        references: Every object named, and by which paths of which revisions. ``.dir`` objects are
            not opened here: their files join in :mod:`scripts.migration.directories`.
        revisions: How many revisions were read, the workspace among them.
        excluded: How many outputs (distinct paths) each verdict keeps out of the plan.
        pinned: How many paths name the source themselves (`remote:`), so that DVC goes on reading
            them there, whatever the default remote is.
        elsewhere: What a cache holds for outputs that are rightly not in the source, and by which
            paths of which revisions.
        tips: The revisions at which a branch, a tag, a stash, an experiment or HEAD stands.
        uncollectable: What could not be read. One is enough to make a migration incomplete.
    """

    references: Mapping[StoredObject, tuple[Reference, ...]]
    revisions: int = 0
    excluded: Mapping[Verdict, int] = field(default_factory=dict)
    pinned: int = 0
    elsewhere: Mapping[StoredObject, tuple[Reference, ...]] = field(default_factory=dict)
    tips: frozenset[str] = frozenset()
    uncollectable: tuple[Uncollectable, ...] = ()


class _Collection:
    def __init__(self, source: str) -> None:
        self.source = source
        self.references: dict[StoredObject, dict[Reference, None]] = {}
        self.elsewhere: dict[StoredObject, dict[Reference, None]] = {}
        self.excluded: set[tuple[str, Verdict]] = set()
        self.pinned: set[str] = set()
        self.uncollectable: list[Uncollectable] = []

    def take(self, output: Any, revision: str) -> None:  # noqa: ANN401  dvc ships no types
        path = _path_of(output)
        verdict = _verdict(output, self.source)
        if verdict is not None:
            self.excluded.add((path, verdict))
            for item in _held(output):
                self.elsewhere.setdefault(item, {})[Reference(path, revision)] = None
            return
        oid = output.hash_info.value
        if not is_oid(oid):
            self.uncollectable.append(Uncollectable(revision, path, "its hash is malformed"))
            return
        item = StoredObject(oid, _LAYOUTS[output.hash_info.name])
        self.references.setdefault(item, {})[Reference(path, revision)] = None
        if output.remote:
            self.pinned.add(path)


def read_inventory(
    root: Path,
    source: str,
    progress: Progress,
    *,
    history: History | None = None,
    visiting: bool = False,
) -> Inventory:
    """Read what every revision of the project at ``root`` needs from the remote ``source``.

    Revisions: the workspace, and each commit that a branch, remote branch, tag, stash or experiment
    reaches. Whatever remote configuration a commit carried, today's decides.

    Args:
        root: The project's directory.
        source: The remote, by its name in DVC's configuration.
        progress: Told of each revision.
        history: The revisions to read beside the workspace; ``None`` for all that there are.
        visiting: Whether nothing may be written in the project.

    Raises:
        SettingsError: ``root`` is no DVC project.
        ToolError: git is missing or failed.
    """
    history = read_history(root, progress) if history is None else history
    found = _Collection(source.lower())
    total = len(history.snapshots) + 1
    with (
        open_project(root, visiting=visiting) as repo,
        progress.phase("reading DVC files", total=total, unit="revisions") as phase,
    ):
        today = repo.config
        for snapshot in (Snapshot(WORKSPACE, WORKSPACE), *history.snapshots):
            _collect(repo, snapshot, today, found)
            phase.advance()
    if history.is_shallow:
        found.uncollectable.append(
            Uncollectable("history", "", "the clone is shallow: run `git fetch --unshallow` first")
        )
    return Inventory(
        references={item: tuple(places) for item, places in found.references.items()},
        elsewhere={item: tuple(places) for item, places in found.elsewhere.items()},
        tips=frozenset(snapshot.label for snapshot in history.snapshots if snapshot.is_tip),
        revisions=history.commits + 1,
        excluded=dict(Counter(verdict for _, verdict in found.excluded)),
        pinned=len(found.pinned),
        uncollectable=tuple(found.uncollectable),
    )


def _collect(
    repo: Any,  # noqa: ANN401
    snapshot: Snapshot,
    today: Mapping[str, Any],
    found: _Collection,
) -> None:
    from dvc.repo.index import Index  # noqa: PLC0415

    def refuse(path: str, error: Exception) -> None:
        # DVC tells paths relative to where this process happens to stand.
        inside = os.path.relpath(Path(path).absolute(), repo.root_dir) if path else ""
        found.uncollectable.append(Uncollectable(snapshot.label, inside, _reason(error)))

    try:
        with _switched(repo, snapshot.revision) as has_project:
            if not has_project:
                return
            repo.config = today
            for output in Index.from_repo(repo, onerror=refuse).outs:
                found.take(output, snapshot.label)
    except Exception as error:  # noqa: BLE001  old files can fail in DVC in any way; each is reported
        refuse("", error)


@contextmanager
def _switched(repo: Any, revision: str) -> Iterator[bool]:  # noqa: ANN401
    """Let DVC look at a revision; ``False`` if that revision has no DVC project at its place."""
    from dvc.exceptions import NotDvcRepoError  # noqa: PLC0415
    from dvc.repo.brancher import switch  # noqa: PLC0415

    if revision == WORKSPACE:
        yield True
        return
    switching = switch(repo, revision)
    try:
        switching.__enter__()
    except NotDvcRepoError:
        yield False
        return
    try:
        yield True
    finally:
        switching.__exit__(None, None, None)


def _verdict(output: Any, source: str) -> Verdict | None:  # noqa: ANN401, PLR0911
    if output.stage.is_repo_import:
        return Verdict.IMPORTED
    if not output.use_cache:
        return Verdict.NOT_CACHED
    if not output.can_push:
        return Verdict.NOT_PUSHED
    if output.remote and output.remote.lower() != source:
        return Verdict.OTHER_REMOTE
    if output.files or output.meta.version_id:
        return Verdict.CLOUD_VERSIONED
    if not output.is_in_repo:
        return Verdict.OUTSIDE
    if not output.hash_info:
        return Verdict.NOT_HASHED
    return None if output.hash_info.name in _LAYOUTS else Verdict.OUTSIDE


def _held(output: Any) -> Iterator[StoredObject]:  # noqa: ANN401
    """Yield what a cache holds for an output, wherever its data is fetched from."""
    if not output.use_cache:
        return
    if output.files:  # a directory whose list stands in the DVC file itself
        yield from (StoredObject(file["md5"]) for file in output.files if is_oid(file.get("md5")))
    elif output.hash_info and output.hash_info.name in _LAYOUTS and is_oid(output.hash_info.value):
        yield StoredObject(output.hash_info.value, _LAYOUTS[output.hash_info.name])


def _path_of(output: Any) -> str:  # noqa: ANN401
    return "/".join(output.index_key[1]) if output.is_in_repo else str(output)


def _reason(error: Exception) -> str:
    """Return the whole chain in one line: DVC's outermost message often lacks the cause."""
    told = []
    cause: BaseException | None = error
    while cause is not None:
        told.append(" ".join(str(cause).split()) or type(cause).__name__)
        cause = cause.__cause__
    return ": ".join(dict.fromkeys(told))
