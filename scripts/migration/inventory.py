"""What every revision of the project needs in its remote, as DVC itself reads it."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from scripts.errors import SlipwayError
from scripts.migration.commit_files import CommitFiles
from scripts.migration.history import History, read_history
from scripts.migration.model import Reference, StoredObject
from scripts.migration.outputs import FileVersion, Output, Reader, Verdict, reason_of
from scripts.migration.project import has_history, open_project, read_config
from scripts.migration.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from scripts.progress import Progress

WORKSPACE = "workspace"
UNREFERENCED = "no revision"


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
        excluded_paths: The paths that each verdict keeps out of the plan.
    """

    references: Mapping[StoredObject, tuple[Reference, ...]]
    revisions: int = 0
    excluded: Mapping[Verdict, int] = field(default_factory=dict)
    pinned: int = 0
    elsewhere: Mapping[StoredObject, tuple[Reference, ...]] = field(default_factory=dict)
    tips: frozenset[str] = frozenset()
    uncollectable: tuple[Uncollectable, ...] = ()
    excluded_paths: Mapping[Verdict, tuple[str, ...]] = field(default_factory=dict)


class _Collection:
    def __init__(self) -> None:
        self.references: dict[StoredObject, dict[Reference, None]] = {}
        self.elsewhere: dict[StoredObject, dict[Reference, None]] = {}
        self.excluded: set[tuple[str, Verdict]] = set()
        self.pinned: set[str] = set()
        self.uncollectable: dict[tuple[str, str], Uncollectable] = {}

    def take(self, files: Iterable[FileVersion], revision: str) -> None:
        for file in files:
            if file.failure:
                self.lose(revision, file.path, file.failure)
            for output in file.outputs:
                self._take_output(output, revision)

    def lose(self, revision: str, path: str, reason: str) -> None:
        """Name what cannot be read, once: commits that share a broken file share the loss."""
        where = WORKSPACE if revision == WORKSPACE else ""
        lost = Uncollectable(revision, path, reason)
        self.uncollectable.setdefault((where, f"{path}: {reason}"), lost)

    def _take_output(self, output: Output, revision: str) -> None:
        place = Reference(output.path, revision)
        for item in output.held:
            self.elsewhere.setdefault(item, {})[place] = None
        if output.verdict is not None:
            self.excluded.add((output.path, output.verdict))
        elif output.item is None:
            self.lose(revision, output.path, "its hash is malformed")
        else:
            self.references.setdefault(output.item, {})[place] = None
            if output.is_pinned:
                self.pinned.add(output.path)


def read_inventory(
    root: Path,
    source: str,
    progress: Progress,
    *,
    history: History | None = None,
    visiting: bool = False,
) -> Inventory:
    """Read what the revisions of the project at ``root`` need from the remote ``source``.

    Whatever remote configuration a commit carried, today's decides.

    Args:
        root: The project's directory.
        source: The remote, by its name in DVC's configuration.
        progress: Told of each revision.
        history: The revisions to read beside the workspace; ``None`` for all that a ref reaches.
        visiting: Whether nothing may be written in the project.

    Raises:
        SettingsError: ``root`` is no DVC project.
        ToolError: git is missing or failed, or does not open the history.
    """
    if history is None:
        in_git = has_history(root, visiting=visiting)
        history = read_history(root, progress) if in_git else History()
    found = _Collection()
    total = len(history.snapshots) + 1
    config = read_config(root, visiting=visiting)
    memory = (
        None
        if visiting or not (root / ".dvc").is_dir()
        else Remembered(root, config, source.lower())
    )
    with (
        ExitStack() as opened,
        progress.phase("reading DVC files", total=total, unit="revisions") as phase,
    ):

        def open_repo() -> Any:  # noqa: ANN401  dvc ships no types
            return opened.enter_context(open_project(root, visiting=visiting))

        files = opened.enter_context(CommitFiles(root))
        reader = Reader(open_repo, source.lower(), files, memory)
        found.take(reader.read_workspace(), WORKSPACE)
        phase.advance()
        for snapshot in history.snapshots:
            try:
                found.take(reader.read_snapshot(snapshot), snapshot.label)
            except Exception as error:  # noqa: BLE001  an old commit can fail in DVC in any way
                files.check()
                found.lose(snapshot.label, "", reason_of(error))
            phase.advance()
    if memory is not None:
        try:
            memory.write()
        except SlipwayError as error:
            progress.say(f"The next run reads all DVC files again: {error.message}")
    if history.is_shallow:
        found.lose("history", "", "the clone is shallow: run `git fetch --unshallow` first")
    return Inventory(
        references={item: tuple(places) for item, places in found.references.items()},
        elsewhere={item: tuple(places) for item, places in found.elsewhere.items()},
        tips=frozenset(snapshot.label for snapshot in history.snapshots if snapshot.is_tip),
        revisions=history.commits + 1,
        excluded=dict(Counter(verdict for _, verdict in found.excluded)),
        pinned=len(found.pinned),
        uncollectable=tuple(found.uncollectable.values()),
        excluded_paths={
            verdict: tuple(sorted(path for path, other in found.excluded if other is verdict))
            for verdict in sorted({verdict for _, verdict in found.excluded}, key=str)
        },
    )


def with_more(
    inventory: Inventory, more: Mapping[StoredObject, tuple[Reference, ...]]
) -> Inventory:
    """Return ``inventory`` and what is needed beside it, by which places."""
    references = dict(inventory.references)
    for item, places in more.items():
        references[item] = (*references.get(item, ()), *places)
    return replace(inventory, references=references)
