"""What DVC reads in its files: each version once, whatever number of revisions have it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Callable

from scripts.migration.commit_files import at_commit
from scripts.migration.model import Layout, StoredObject, is_oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts.migration.commit_files import CommitFiles
    from scripts.migration.history import Snapshot
    from scripts.migration.remembered import Remembered

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
class Output:
    """An output of a DVC file.

    Attributes:
        path: Where it stands, from the project's directory.
        item: The object that it needs in the source; ``None`` if there is a ``verdict``, or if its
            hash is malformed.
        verdict: Why it needs none.
        held: What a cache holds for it, wherever its data is fetched from.
        is_pinned: Whether it names its remote itself.
    """

    path: str
    item: StoredObject | None = None
    verdict: Verdict | None = None
    held: tuple[StoredObject, ...] = ()
    is_pinned: bool = False


@dataclass(frozen=True)
class FileVersion:
    """A DVC file as it once was: its outputs, or why DVC cannot read it (``failure``)."""

    path: str
    outputs: tuple[Output, ...] = ()
    failure: str = ""


class Reader:
    """Reads the DVC files of a project. DVC itself is asked only for what is not remembered.

    Args:
        open_repo: Opens the project, if DVC has to be asked.
        source: The remote that outputs need to be in, by its name in lower case.
        files: What the commits hold.
        memory: What is known from former runs; ``None`` for nothing.
    """

    def __init__(
        self,
        open_repo: Callable[[], Any],
        source: str,
        files: CommitFiles,
        memory: Remembered | None = None,
    ) -> None:
        self._open = open_repo
        self._source = source
        self._files = files
        self._memory = memory
        self._known: dict[tuple[str, ...], FileVersion] = {}

    @cached_property
    def _repo(self) -> Any:  # noqa: ANN401  dvc ships no types
        return self._open()

    @cached_property
    def _config(self) -> Any:  # noqa: ANN401
        return self._repo.config

    def read_workspace(self) -> list[FileVersion]:
        """Return the DVC files of the working tree, as DVC finds them there."""
        kept = self._memory.recall_workspace() if self._memory else None
        if kept is not None:
            return [kept]
        found = list(self._find_in_workspace())
        if self._memory:
            self._memory.remember_workspace(found)
        return found

    def _find_in_workspace(self) -> Iterator[FileVersion]:
        from dvc.repo.index import Index  # noqa: PLC0415

        failed: list[FileVersion] = []

        def refuse(path: str, error: Exception) -> None:
            failed.append(FileVersion(self._inside(path), failure=reason_of(error)))

        try:
            index = Index.from_repo(self._repo, onerror=refuse)
            yield FileVersion("", self._outputs(index))
        except Exception as error:  # noqa: BLE001  DVC can fail in any way; it is reported
            yield FileVersion("", failure=reason_of(error))
        yield from failed

    def read_snapshot(self, snapshot: Snapshot) -> list[FileVersion]:
        """Return the DVC files of a commit; those that an earlier one had as well are not read.

        Raises:
            NoAnswer: git is silent.
        """
        keys = list(_versions(snapshot))
        new = [key for key in keys if not self._recall(key)]
        if new:
            config = self._config
            with at_commit(self._repo, self._files, snapshot.revision):
                self._repo.config = config  # today's, in place of that commit's
                for key in new:
                    self._known[key] = self._read(key[0])
                    if self._memory:
                        self._memory.remember(key, self._known[key])
        return [self._known[key] for key in keys]

    def _recall(self, key: tuple[str, ...]) -> bool:
        if key not in self._known and self._memory:
            kept = self._memory.recall(key)
            if kept is not None:
                self._known[key] = kept
        return key in self._known

    def _read(self, path: str) -> FileVersion:
        from dvc.repo.index import Index  # noqa: PLC0415

        repo = self._repo
        place = repo.fs.join(repo.root_dir, path)
        try:
            if repo.dvcignore.is_ignored_file(place):
                return FileVersion(path)
            return FileVersion(path, self._outputs(Index.from_file(repo, place)))
        except Exception as error:  # noqa: BLE001  old files can fail in DVC in any way; each is told
            self._files.check()
            return FileVersion(path, failure=reason_of(error))

    def _outputs(self, index: Any) -> tuple[Output, ...]:  # noqa: ANN401
        return tuple(as_output(output, self._source) for output in index.outs)

    def _inside(self, path: str) -> str:
        # DVC tells paths relative to where this process happens to stand.
        local = self._repo.fs
        return str(local.relpath(local.abspath(path), self._repo.root_dir)) if path else ""


def _versions(snapshot: Snapshot) -> Iterator[tuple[str, ...]]:
    """Yield the path of each DVC file, and all that what DVC reads there depends on."""
    blobs = dict(snapshot.files)
    passed_over = sorted(f"{path} {blobs[path]}" for path in blobs if path.endswith(_PASSING_OVER))
    for path, blob in blobs.items():
        if path.endswith(".dvc"):
            yield (path, blob, *passed_over)
        elif path.rpartition("/")[2] == "dvc.yaml":
            lock = blobs.get(f"{path[: -len('.yaml')]}.lock", "")
            yield (path, blob, lock, snapshot.inputs, *passed_over)


_PASSING_OVER = (".dvcignore", "/.dvc/config")


def as_output(output: Any, source: str) -> Output:  # noqa: ANN401  dvc ships no types
    """Return what an output needs in the remote ``source``, or why it needs nothing there."""
    path = "/".join(output.index_key[1]) if output.is_in_repo else str(output)
    verdict = _verdict(output, source)
    if verdict is not None:
        return Output(path, verdict=verdict, held=tuple(_held(output)))
    oid = output.hash_info.value
    if not is_oid(oid):
        return Output(path)
    item = StoredObject(oid, _LAYOUTS[output.hash_info.name])
    return Output(path, item, is_pinned=bool(output.remote))


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


def _held(output: Any) -> Iterable[StoredObject]:  # noqa: ANN401
    if not output.use_cache:
        return
    if output.files:  # a directory whose list stands in the DVC file itself
        yield from (StoredObject(file["md5"]) for file in output.files if is_oid(file.get("md5")))
    elif output.hash_info and output.hash_info.name in _LAYOUTS and is_oid(output.hash_info.value):
        yield StoredObject(output.hash_info.value, _LAYOUTS[output.hash_info.name])


def reason_of(error: Exception) -> str:
    """Return the whole chain in one line: DVC's outermost message often lacks the cause."""
    told = []
    cause: BaseException | None = error
    while cause is not None:
        told.append(" ".join(str(cause).split()) or type(cause).__name__)
        cause = cause.__cause__
    return ": ".join(dict.fromkeys(told))
