"""Write names of DVC 3 into the workspace's DVC files, once all of it is proven in the target.

What `dvc cache migrate --dvc-files` does, without needing the data: the new names are known. Only
hashes are changed, the rest of a file stays as it is, comments too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.migration.outputs import as_output
from scripts.migration.project import open_project
from scripts.migration.upgrade import require_committed
from scripts.migration.written import remember_texts
from scripts.report import write_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts.migration.model import StoredObject
    from scripts.migration.outcome import Report
    from scripts.migration.upgrade import Upgrade

_LEGACY = "md5-dos2unix"
_BLOCK_BYTES = 1 << 20


def rewrite_files(root: Path, upgrade: Upgrade, report: Report) -> tuple[str, ...]:
    """Write the new names into .dvc files and dvc.lock, each in one step, and into the cache.

    Interrupted between two files, both say what is in the target; the same command continues.

    Args:
        root: The project's directory.
        upgrade: What was stored under new names.
        report: The report of the migration, in which that is a part.

    Returns:
        The files that were rewritten, from the project's directory.

    Raises:
        MigrationIncomplete: The report is not complete; nothing is rewritten.
        SettingsError: DVC files were changed meanwhile; nothing is rewritten.
    """
    report.require_complete()
    if not upgrade.names:
        return ()
    require_committed(root)
    with open_project(root) as repo:
        texts = _rewritten(repo, upgrade.names, report.source)
        _fill_cache(repo, upgrade)
        remember_texts(Path(repo.root_dir), texts)
        for path, text in texts.items():
            write_text(path, text, mode=path.stat().st_mode & 0o777)
        return tuple(sorted(str(path.relative_to(repo.root_dir)) for path in texts))


@dataclass(frozen=True)
class _Change:
    """What a DVC file says of one path: under ``outs`` or ``deps`` ``old`` becomes ``new``."""

    kind: str
    path: str
    old: str
    new: str

    def make(self, said: Mapping[str, Any]) -> None:
        for entry in said.get(self.kind) or ():
            if (entry["path"], entry.get("md5")) == (self.path, self.old) and "hash" not in entry:
                entry["md5"] = self.new
                # Where DVC 3 writes it.
                entry.insert(list(entry).index("path"), "hash", "md5")


def _rewritten(
    repo: Any,  # noqa: ANN401  dvc ships no types
    names: Mapping[StoredObject, StoredObject],
    source: str,
) -> dict[Path, str]:
    """Return the new text of each DVC file that changes."""
    from dvc.stage import PipelineStage  # noqa: PLC0415
    from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update  # noqa: PLC0415

    outputs = {out.fs_path: as_output(out, source).item for out in repo.index.outs}
    said: dict[Path, Any] = {}
    for stage in repo.index.stages:
        changes = list(_changes(stage, outputs, names))
        if not changes:
            continue
        is_locked = isinstance(stage, PipelineStage)
        path = Path(stage.path).with_suffix(".lock") if is_locked else Path(stage.path)
        if path not in said:
            said[path] = parse_yaml_for_update(path.read_text(encoding="utf-8"), str(path))
        part = said[path]["stages"][stage.name] if is_locked else said[path]
        for change in changes:
            change.make(part)
        if not is_locked and "md5" in part:
            part["md5"] = stage.compute_md5()
    return {path: dumps_yaml(content) for path, content in said.items()}


def _changes(
    stage: Any,  # noqa: ANN401  dvc ships no types
    outputs: Mapping[str, StoredObject | None],
    names: Mapping[StoredObject, StoredObject],
) -> Iterator[_Change]:
    """Yield what changes in what is said of a stage, and change it in ``stage`` as well."""
    from dvc_data.hashfile.hash_info import HashInfo  # noqa: PLC0415

    for kind, entries in (("outs", stage.outs), ("deps", stage.deps)):
        for entry in entries:
            if entry.hash_name != _LEGACY or not entry.hash_info:
                continue
            item = outputs.get(entry.fs_path)
            new = (
                names.get(item) if item is not None and item.oid == entry.hash_info.value else None
            )
            oid = new.oid if new else _hashed(entry, stage) if kind == "deps" else None
            if oid is not None:
                yield _Change(kind, entry.def_path, entry.hash_info.value, oid)
                entry.hash_name, entry.hash_info = "md5", HashInfo("md5", oid)
                entry.meta.md5 = oid


def _hashed(dependency: Any, stage: Any) -> str | None:  # noqa: ANN401  dvc ships no types
    """Return what DVC 3 names a file of the workspace that is what a stage depends on.

    Where it is not there, or changed since, its old name stays: DVC goes on comparing by it.
    """
    if stage.is_import or not dependency.is_in_repo or not dependency.exists:
        return None
    if dependency.changed_checksum():
        return None
    dependency.hash_name = "md5"
    try:
        oid: str = dependency.get_hash().value
    finally:
        dependency.hash_name = _LEGACY
    return oid


def _fill_cache(repo: Any, upgrade: Upgrade) -> None:  # noqa: ANN401  dvc ships no types
    """Give what the cache holds its new name as well, by a hard link where that is possible.

    A file whose bytes are others is left alone: text with other line ends has the same old name.
    """
    legacy, current = repo.cache.legacy, repo.cache.local
    for old, new in upgrade.names.items():
        path = Path(legacy.oid_to_path(old.oid))
        if not path.is_file() or current.exists(new.oid):
            continue
        content = upgrade.contents.get(new)
        if content is not None:
            current.add_bytes(new.oid, content)
        elif _md5_of(path) == new.md5:
            current.add(str(path), legacy.fs, new.oid, hardlink=True)


def _md5_of(path: Path) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(_BLOCK_BYTES):
            md5.update(chunk)
    return md5.hexdigest()
