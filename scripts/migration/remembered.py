"""What DVC files said when DVC last read them, so that it need not read them again.

It is kept in ``.dvc/tmp/slipway/``: paths, hashes and verdicts, by digests of the files that
they follow from. A file that is not exactly as it was is read anew; so are all if DVC or its
configuration changed. Removing it costs time and nothing else.
"""

from __future__ import annotations

import json
import os
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from scripts.migration.model import Layout, StoredObject
from scripts.migration.outputs import FileVersion, Output, Verdict
from scripts.report import write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_MEMORY = ".dvc/tmp/slipway/inventory.json"
"""DVC keeps that directory out of git, whatever the project ignores."""
_FORMAT = 1
_BASES_KEPT = 4
"""As many remotes, or states of DVC's configuration, are remembered side by side."""
_WORKSPACE = "workspace"
_DEFINING = (".dvc", "dvc.yaml", "dvc.lock", ".dvcignore")


class Remembered:
    """What is known of the DVC files of a project.

    Args:
        root: The project's directory.
        config: DVC's configuration; of its remotes only the names count, as nothing else of them
            decides what DVC reads.
        source: The remote that outputs need to be in.
    """

    def __init__(self, root: Path, config: Mapping[str, Any], source: str) -> None:
        import dvc  # noqa: PLC0415

        self._root = root
        names = sorted(config.get("remote", {}))
        told = {key: value for key, value in config.items() if key != "remote"}
        facts = [_FORMAT, dvc.__version__, source, names, told]
        self._basis = _digest(json.dumps(facts, sort_keys=True, default=str))
        self._kept = self._read()
        self._known: dict[str, Any] = self._kept.pop(self._basis, {})
        self._is_changed = False

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads((self._root / _MEMORY).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}  # it only saves time
        return kept if isinstance(kept, dict) else {}

    def recall(self, key: tuple[str, ...]) -> FileVersion | None:
        """Return what is known of a file's version, if anything is."""
        kept = self._known.get(_digest("\0".join(key)))
        return None if kept is None else _as_version(kept)

    def remember(self, key: tuple[str, ...], version: FileVersion) -> None:
        """Keep what DVC read; a failure is not kept, as it may pass."""
        if not version.failure:
            self._known[_digest("\0".join(key))] = _as_json(version)
            self._is_changed = True

    def recall_workspace(self) -> FileVersion | None:
        """Return what DVC read in the working tree, if nothing that it depends on has changed."""
        kept = self._known.get(_WORKSPACE)
        if kept is None:
            return None
        version = _as_version(kept["version"])
        return version if kept["state"] == self._state(version) else None

    def remember_workspace(self, versions: Iterable[FileVersion]) -> None:
        """Keep what DVC read in the working tree, if it read all of it."""
        found = list(versions)
        if any(version.failure for version in found):
            return
        whole = FileVersion("", tuple(out for version in found for out in version.outputs))
        state = self._state(whole)
        if state:
            self._known[_WORKSPACE] = {"state": state, "version": _as_json(whole)}
            self._is_changed = True

    def write(self) -> None:
        """Write to the disk what has come to be known.

        Raises:
            SlipwayError: It cannot be written.
        """
        if self._is_changed:
            latest = dict(list(self._kept.items())[1 - _BASES_KEPT :])
            write_json(self._root / _MEMORY, {**latest, self._basis: self._known})

    def _state(self, version: FileVersion) -> str:
        """Return a digest of all that DVC reads in the working tree; empty if that is not known.

        Outputs are passed over, as DVC passes over them: the same DVC files have the same outputs.
        A pipeline that reads variables can read them from any file.
        """
        outputs = {output.path for output in version.outputs}
        state = blake2b(digest_size=20)
        for path in sorted(_defining_files(str(self._root), outputs)):
            try:
                with open(path, "rb") as stream:  # noqa: PTH123  thousands of small files
                    content = stream.read()
            except OSError:
                return ""
            if path.endswith("dvc.yaml") and (b"${" in content or b"vars:" in content):
                return ""
            state.update(os.fsencode(f"{path}\0{len(content)}\0"))
            state.update(content)
        return state.hexdigest()


def _defining_files(root: str, outputs: set[str]) -> Iterator[str]:
    """Yield at least all files below ``root`` that decide what DVC tracks."""
    for directory, below, files in os.walk(root):
        place = os.path.relpath(directory, root)
        below[:] = [
            name
            for name in below
            if name not in {".git", ".slipway"}
            and (name if place == "." else f"{place}/{name}") not in outputs
        ]
        if ".dvc" in below:
            below.remove(".dvc")
            yield from _own(directory, root)
        yield from (f"{directory}/{name}" for name in files if name.endswith(_DEFINING))


def _own(directory: str, root: str) -> Iterator[str]:
    """Yield what tells a project inside the project, which DVC passes over."""
    config = f"{directory}/.dvc/config"
    if directory != root and os.path.exists(config):  # noqa: PTH110
        yield config


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=20).hexdigest()


def _as_json(version: FileVersion) -> dict[str, Any]:
    return {"path": version.path, "outputs": [_output_json(out) for out in version.outputs]}


def _output_json(output: Output) -> list[Any]:
    return [
        output.path,
        _item_json(output.item),
        output.verdict.name if output.verdict else None,
        [_item_json(item) for item in output.held],
        output.is_pinned,
    ]


def _item_json(item: StoredObject | None) -> list[str] | None:
    return None if item is None else [item.oid, item.layout.name]


def _as_version(kept: Mapping[str, Any]) -> FileVersion:
    return FileVersion(kept["path"], tuple(_as_output(*output) for output in kept["outputs"]))


def _as_output(
    path: str,
    item: list[str] | None,
    verdict: str | None,
    held: list[list[str]],
    pinned: bool,  # noqa: FBT001
) -> Output:
    return Output(
        path,
        _as_item(item) if item else None,
        Verdict[verdict] if verdict else None,
        tuple(_as_item(kept) for kept in held),
        is_pinned=pinned,
    )


def _as_item(kept: list[str]) -> StoredObject:
    oid, layout = kept
    return StoredObject(oid, Layout[layout])
