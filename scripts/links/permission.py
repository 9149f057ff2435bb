"""Decide which files may be replaced by links, and say of each other one why it may not."""

from __future__ import annotations

import filecmp
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts.links.checkout import LinkState
from scripts.links.contents import Named, are_right
from scripts.links.project import LEGACY
from scripts.links.relinked import LeftAlone
from scripts.links.tracked import with_contents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.links.checkout import TrackedFile
    from scripts.progress import Progress

NOT_THERE = "it is not in the workspace"
NOT_IN_CACHE = "its object is not in the cache"
EDITED = "it was edited"
EDITED_THROUGH = "it was edited through its link, and the object with it"
OBJECT_WRONG = "its object in the cache is not what its name says"
YOUR_LINK = "it is a symbolic link of yours, not DVC's"
LINE_ENDINGS = "its line endings are not those of its object"
UNREADABLE = "it, or its object, cannot be read"
_HINTS = {
    NOT_THERE: "`dvc checkout` puts it there.",
    NOT_IN_CACHE: "`dvc fetch` gets it from a remote, `dvc pull` checks it out as well.",
    EDITED: "`dvc commit` keeps the edit, `dvc checkout` drops it.",
    EDITED_THROUGH: "`./inv doctor --fix` saves the edit and restores the object.",
    OBJECT_WRONG: "`./inv doctor --fix` puts it aside and fetches it again.",
    LINE_ENDINGS: "`dvc checkout` drops the difference.",
    UNREADABLE: "Look at `ls -l` of it.",
}


@dataclass(frozen=True)
class Permitted:
    """A file that may be replaced, and its ``os.lstat`` from before its content was looked at."""

    file: TrackedFile
    status: os.stat_result


def left_alone(file: TrackedFile, reason: str) -> LeftAlone:
    """Return a file that stays as it is, with what to do about it."""
    return LeftAlone(file.path, reason, _HINTS.get(reason, ""))


def sort_out(
    repo: Any,  # noqa: ANN401  dvc ships no types
    files: Sequence[TrackedFile],
    progress: Progress,
) -> tuple[list[Permitted], list[LeftAlone]]:
    """Part the files into those that may be replaced and those that may not.

    Raises:
        OSError: A file or its object cannot be read.
    """
    statuses: dict[str, os.stat_result] = {}
    for file in files:
        if file.state is not LinkState.MISSING:
            statuses[file.path] = os.lstat(file.path)
    checked = with_contents(repo, files, progress)
    objects = objects_right(repo, [file for file in checked if file.in_cache], progress)
    permitted: list[Permitted] = []
    refused: list[LeftAlone] = []
    for file in checked:
        reason = why_not(file, objects)
        if reason:
            refused.append(left_alone(file, reason))
        else:
            permitted.append(Permitted(file, statuses[file.path]))
    return permitted, refused


def objects_right(
    repo: Any,  # noqa: ANN401  dvc ships no types
    files: Sequence[TrackedFile],
    progress: Progress,
) -> dict[str, bool]:
    """Tell of the objects of these files whether they are what their names say, by their paths.

    An object that nobody has hashed is read, whatever its mode: root writes to protected objects.
    """
    answers = {
        file.object_path: file.is_right
        for file in files
        if file.is_linked and file.is_right is not None
    }
    unknown = {
        file.object_path: Named(file.object_path, file.hash_name, file.oid)
        for file in files
        if file.object_path not in answers
    }
    return {**answers, **are_right(repo, unknown.values(), progress)}


def why_not(file: TrackedFile, objects: Mapping[str, bool]) -> str:  # noqa: PLR0911  a list of cases
    """Return why a file may not be replaced; nothing if it may.

    Raises:
        OSError: A file of DVC 2 cannot be compared with its object.
    """
    if file.state is LinkState.MISSING:
        return NOT_THERE
    if not file.in_cache:
        return NOT_IN_CACHE
    if file.corrupts_cache:
        return EDITED_THROUGH
    if file.state is LinkState.DANGLING and not names_object(file):
        return YOUR_LINK
    if file.state is not LinkState.DANGLING and not file.is_right:
        return UNREADABLE if file.is_right is None else EDITED
    object_is_right = objects.get(file.object_path)
    if not object_is_right:
        return UNREADABLE if object_is_right is None else OBJECT_WRONG
    if file.hash_name == LEGACY and not file.is_linked and not _is_same(file):
        return LINE_ENDINGS
    return ""


def names_object(file: TrackedFile) -> bool:
    """Tell whether a symbolic link leads where a cache, this one or another, keeps its object."""
    target = os.readlink(file.path)  # noqa: PTH115  the text, as it stands
    return target.endswith(f"/{file.oid[:2]}/{file.oid[2:]}")


def _is_same(file: TrackedFile) -> bool:
    return filecmp.cmp(file.path, file.object_path, shallow=False)
