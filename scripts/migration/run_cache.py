"""DVC's run-cache: what of it moves, and what its entries made. Nothing is changed here.

No revision names an entry, so it moves under the scopes that leave nothing out. What an entry made
moves with it as far as the source has it: an entry whose outputs are gone saves no run anywhere, so
their absence is no loss of a migration.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scripts.errors import Corrupted, ObjectMissing, StoreError, StoreUnavailable
from scripts.migration.digest import digest_for
from scripts.migration.listing import list_some
from scripts.migration.model import Reference, Status, StoredObject, is_oid
from scripts.migration.parts import Loss, Part
from scripts.migration.plan import Action
from scripts.migration.retry import retrying
from scripts.migration.run_entry import MOST_BYTES, RunEntry, RunOutput, parse_run
from scripts.migration.scope import Scope
from scripts.migration.workers import Stop, in_threads
from scripts.progress import SilentProgress
from scripts.report import count_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts.migration.opening import Stores
    from scripts.migration.store import Source
    from scripts.progress import Progress

NAME, TITLE = "run_cache", "run-cache entries"
_WHOLE = (Scope.ALL, Scope.STORE)
DEFAULT_JOBS = 32


@dataclass(frozen=True)
class PlannedRun:
    """An entry as the source lists it, and what is to be done with it.

    With ``Action.NONE`` nothing can be done: ``status`` and ``reason`` say why. ``md5`` is that of
    bytes that were found to be what the entry's name says, ``outputs`` what these name.
    """

    entry: RunEntry
    action: Action
    md5: str = ""
    outputs: tuple[RunOutput, ...] = ()
    status: Status | None = None
    reason: str = ""


@dataclass(frozen=True)
class RunCache:
    """The run-cache of a source, and what is to be done with it.

    Attributes:
        source: The source's name.
        runs: Every entry that moves, by key.
        needed: What entries made and the source holds whole, by which entries.
        lacking: How many outputs of entries it does not.
        left_out: What keeps a run-cache that is there from moving; empty if nothing does.
    """

    source: str
    runs: tuple[PlannedRun, ...] = ()
    needed: Mapping[StoredObject, tuple[Reference, ...]] = field(default_factory=dict)
    lacking: int = 0
    left_out: str = ""

    @property
    def part(self) -> Part:
        """What a plan says of it."""
        actions = Counter(run.action for run in self.runs)
        states = Counter(run.status for run in self.runs)
        counts = {
            "planned": len(self.runs),
            "present": actions[Action.KEEP],
            "to_copy": actions[Action.COPY] + actions[Action.REPAIR],
            "to_repair": actions[Action.REPAIR],
            **{name: states[Status(name)] for name in ("corrupt", "missing", "failed")},
        }
        lost = (run for run in self.runs if run.status is not None)
        losses = tuple(
            Loss(run.entry.key, run.status.value, run.reason) for run in lost if run.status
        )
        return Part(NAME, TITLE, counts, losses, tuple(self._notes()))

    def _notes(self) -> Iterable[str]:
        if self.left_out:
            yield f"{self.source} holds a run-cache (runs/), which {self.left_out} leaves out."
        if self.lacking:
            yield (
                f"{self.source} lacks {count_text(self.lacking, 'output')} that run-cache entries "
                "name. That loses nothing here: such an entry saves no run anywhere."
            )


@dataclass(frozen=True)
class Found:
    """What was found under an entry's name: its bytes' MD5 and outputs, or why it is not right."""

    content: bytes = b""
    outputs: tuple[RunOutput, ...] = ()
    status: Status | None = None
    reason: str = ""

    @property
    def is_right(self) -> bool:
        """Whether it is what the entry's name says."""
        return self.status is None

    @property
    def md5(self) -> str:
        """The MD5 of the bytes."""
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()


def read_run_cache(
    stores: Stores,
    scope: Scope = Scope.ALL,
    *,
    wanted: bool = True,
    jobs: int = DEFAULT_JOBS,
    progress: Progress | None = None,
) -> RunCache:
    """Find out which entries the source has, which the target provably has, and what is to be done.

    Args:
        stores: The project and its remotes.
        scope: ``WORKSPACE`` and ``HEADS`` leave the run-cache out.
        wanted: Whether it shall move at all.
        jobs: How many entries are read at once.
        progress: Where to tell what is going on.

    Raises:
        StoreError: A remote cannot be listed, or the target stopped answering.
    """
    if not wanted or scope not in _WHOLE:
        is_there = next(iter(stores.source.list_runs()), None) is not None
        reason = f"`--scope {scope.value}`" if wanted else "`--no-run-cache`"
        return RunCache(stores.source.name, left_out=reason if is_there else "")
    progress = progress or SilentProgress()
    listed = list_runs(stores.source)
    target = list_runs(stores.target) if listed else {}
    with progress.phase("reading the run-cache", total=len(listed)) as phase:

        def plan(entry: RunEntry, stop: Stop) -> PlannedRun:
            planned = _plan(entry, target.get(entry.key), stores, stop)
            phase.advance()
            return planned

        runs = sorted(in_threads(plan, listed.values(), jobs), key=lambda run: run.entry.key)
    made = _places(runs)
    whole = _whole(made, stores.source, jobs)
    needed = {item: places for item, places in made.items() if item in whole}
    return RunCache(stores.source.name, tuple(runs), needed, len(made) - len(needed))


def _places(runs: Iterable[PlannedRun]) -> dict[StoredObject, tuple[Reference, ...]]:
    """Return what entries made, and by which entries it is named."""
    places: dict[StoredObject, dict[Reference, None]] = {}
    for run in runs:
        for out in run.outputs:
            places.setdefault(out.item, {})[Reference(out.path, run.entry.label)] = None
    return {item: tuple(where) for item, where in places.items()}


def _whole(items: Iterable[StoredObject], source: Source, jobs: int) -> set[StoredObject]:
    """Return those of ``items`` that the source holds, directories with all their files."""
    wanted = list(items)
    held = list_some(source, wanted, jobs)
    here = [item for item in wanted if item.key in held]

    def read(item: StoredObject, stop: Stop) -> tuple[StoredObject, list[StoredObject]]:
        return item, _files_of(item, source, stop)

    inside = dict(in_threads(read, here, jobs))
    files = list_some(source, (file for found in inside.values() for file in found), jobs)
    return {item for item in here if all(file.key in files for file in inside[item])}


def _plan(entry: RunEntry, in_target: RunEntry | None, stores: Stores, stop: Stop) -> PlannedRun:
    if in_target is not None:
        kept = look_at(in_target, stores.target, stop, unavailable=True)
        if kept.is_right:
            return PlannedRun(entry, Action.KEEP, kept.md5, kept.outputs)
    found = look_at(entry, stores.source, stop)
    if not found.is_right:
        return PlannedRun(entry, Action.NONE, status=found.status, reason=found.reason)
    action = Action.COPY if in_target is None else Action.REPAIR
    return PlannedRun(entry, action, found.md5, found.outputs)


def list_runs(store: Source) -> dict[str, RunEntry]:
    """Return every entry of ``store`` by its key.

    Raises:
        StoreError: They cannot be listed.
    """
    return retrying(lambda: {entry.key: entry for entry in store.list_runs()}, Stop())


def look_at(entry: RunEntry, store: Source, stop: Stop, *, unavailable: bool = False) -> Found:
    """Read an entry, and find out whether it is what its name says.

    Args:
        entry: The entry, as ``store`` lists it.
        store: Where it is.
        stop: Ends the waiting for a store that does not answer.
        unavailable: Whether a store that does not answer is an error: nothing is known then.

    Raises:
        StoreUnavailable: It does not answer.
    """
    try:
        content = _read(entry, store, stop)
        return Found(content, parse_run(entry, content))
    except Corrupted as error:
        return Found(status=Status.CORRUPT, reason=f"{store.name}: {error.message}")
    except ObjectMissing as error:
        return Found(status=Status.MISSING, reason=error.message)
    except StoreUnavailable as error:
        if unavailable:
            raise
        return Found(status=Status.FAILED, reason=error.message)
    except StoreError as error:
        return Found(status=Status.FAILED, reason=error.message)


def _read(entry: RunEntry, store: Source, stop: Stop) -> bytes:
    if (entry.size_bytes or 0) > MOST_BYTES:
        raise Corrupted("it is far too large for an entry of the run-cache.")
    return retrying(lambda: b"".join(store.read(entry)), stop)


def _files_of(item: StoredObject, source: Source, stop: Stop) -> list[StoredObject]:
    """Return the files of a directory; none if its list is not right, which its copy will tell."""
    if not item.is_directory:
        return []
    digest = digest_for(item)
    try:
        content = retrying(lambda: b"".join(source.read(item)), stop)
        digest.update(content)
        names = [entry["md5"] for entry in json.loads(content)] if digest.matches(item) else []
    except (StoreError, ValueError, KeyError, TypeError):
        return []
    return [StoredObject(name, item.layout) for name in names if is_oid(name)]
