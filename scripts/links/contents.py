"""Whether files hold the bytes that name their objects: DVC is asked first, then they are read."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from scripts.links.project import LEGACY, known_hashes, remember_hashes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts.progress import Progress

_BLOCK_BYTES = 1 << 20
"""DVC 3 decides once in so many bytes whether a legacy object is text."""


@dataclass(frozen=True)
class Named:
    """A file, the object that it should be, and another name of the same file, if it has one."""

    path: str
    hash_name: str
    oid: str
    alias: str = ""


def are_right(repo: Any, files: Iterable[Named], progress: Progress) -> dict[str, bool]:  # noqa: ANN401
    """Tell of each file whether its bytes are those that its object is named after.

    What had to be read is told to DVC, which then need not read it again.

    Args:
        repo: The DVC project.
        files: What to look at. A file that is not there, or may not be read, gets no answer.
        progress: Where the bytes that have to be read are counted.
    """
    statuses: dict[str, os.stat_result] = {}
    wanted: dict[str, Named] = {}
    for file in files:
        try:
            statuses[file.path] = os.stat(file.path)  # noqa: PTH116  done by the thousand
        except OSError:
            continue
        wanted[file.path] = file
    known = _known(repo, wanted, statuses)
    answers: dict[str, bool] = {}
    unread: dict[tuple[object, ...], list[Named]] = {}
    for path, file in wanted.items():
        name, value = known.get(path, ("", ""))
        if value == file.oid:
            answers[path] = True
        elif name == file.hash_name and name != LEGACY:
            answers[path] = False
        else:  # files that are one on the disk are read once
            status = statuses[path]
            key = (status.st_dev, status.st_ino, status.st_size, file.hash_name, file.oid)
            unread.setdefault(key, []).append(file)
    if unread:
        answers.update(_read(repo, list(unread.values()), statuses, progress))
    return answers


def hashes_of(path: str, hash_name: str, advance: Callable[[int], None]) -> tuple[str, ...]:
    """Return every hash that may rightly name a file's bytes, the one by DVC 3's rule first.

    DVC 2 decided text or binary once a file, DVC 3 decides once a block; both left objects. Bytes
    whose plain MD5 is the name are right in any case.

    Raises:
        OSError: The file cannot be read.
    """
    plain = hashlib.md5(usedforsecurity=False)
    if hash_name != LEGACY:
        for block in _blocks(path, advance):
            plain.update(block)
        return (plain.hexdigest(),)
    from dvc_data.hashfile.istextfile import istextblock  # noqa: PLC0415

    by_block, by_file = plain.copy(), plain.copy()
    file_is_text: bool | None = None
    for block in _blocks(path, advance):
        block_is_text = istextblock(block)
        if file_is_text is None:
            file_is_text = block_is_text
        unix = block.replace(b"\r\n", b"\n")
        plain.update(block)
        by_block.update(unix if block_is_text else block)
        by_file.update(unix if file_is_text else block)
    return by_block.hexdigest(), by_file.hexdigest(), plain.hexdigest()


def _blocks(path: str, advance: Callable[[int], None]) -> Iterable[bytes]:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  done by the thousand
        while block := file.read(_BLOCK_BYTES):
            yield block
            advance(len(block))


def _known(
    repo: Any,  # noqa: ANN401  dvc ships no types
    wanted: Mapping[str, Named],
    statuses: Mapping[str, os.stat_result],
) -> dict[str, tuple[str, str]]:
    """Ask DVC by each file's path, and, where it does not know that, by its other name."""
    known = known_hashes(repo, statuses)
    aliases = {
        file.alias: statuses[path]
        for path, file in wanted.items()
        if file.alias and path not in known
    }
    by_alias = known_hashes(repo, aliases) if aliases else {}
    for path, file in wanted.items():
        if path not in known and file.alias in by_alias:
            known[path] = by_alias[file.alias]
    return known


def _read(
    repo: Any,  # noqa: ANN401  dvc ships no types
    groups: list[list[Named]],
    statuses: Mapping[str, os.stat_result],
    progress: Progress,
) -> dict[str, bool]:
    answers: dict[str, bool] = {}
    learned: list[tuple[str, str, str, os.stat_result]] = []
    total = sum(statuses[group[0].path].st_size for group in groups)
    with progress.phase("hashing", total=total, unit="bytes") as phase:

        def read(group: list[Named]) -> tuple[str, ...]:
            try:
                return hashes_of(group[0].path, group[0].hash_name, phase.advance)
            except OSError:
                return ()

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for group, hashes in zip(groups, pool.map(read, groups)):
                for file in group if hashes else ():
                    right = file.oid in hashes
                    answers[file.path] = right
                    value = file.oid if right else hashes[0]
                    learned.append((file.path, file.hash_name, value, statuses[file.path]))
    remember_hashes(repo, learned)
    return answers
