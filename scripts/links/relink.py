"""Apply and verify: give a checkout new links without ever losing a person's edits.

The invariants:

1. A file is replaced only if its content is what DVC tracks and its object holds the same bytes:
   both known by a hash, not by a name or a mode.
2. A file is replaced by one rename, so that a kill at any moment leaves the old or the new one.
3. Running it again continues: what is linked as wanted is not touched.
4. A file that cannot be linked as wanted becomes a copy only with leave, and is named otherwise.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import CacheError
from scripts.links.checkout import LinkState, count_by_state
from scripts.links.model import LINK_TYPES
from scripts.links.permission import sort_out
from scripts.links.probe import write_out
from scripts.links.project import (
    known_hashes,
    open_project,
    remember_hashes,
    remember_outputs,
)
from scripts.links.relinked import (
    LeftAlone,
    Linked,
    Relinked,
    by_reason,
    draw_sample,
    verify_sample,
)
from scripts.links.replace import Replaced, Replacer, remove_left_behind
from scripts.links.tracked import Looker, observe_project
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from scripts.links.checkout import TrackedFile
    from scripts.links.permission import Permitted
    from scripts.progress import Progress

_NO_FILE = (LinkState.MISSING, LinkState.DANGLING, LinkState.FOREIGN)


def relink(
    root: Path,
    link_types: Sequence[str],
    *,
    paths: Collection[str] | None = None,
    allow_copy: bool = False,
    progress: Progress | None = None,
) -> Relinked:
    """Give each tracked file a link of the first type that works for it.

    Args:
        root: The workspace.
        link_types: What files may become, the most wanted first (:data:`LINK_TYPES`); those of
            DVC's configuration if there are none.
        paths: Only these tracked files, and those below these directories; absolute.
        allow_copy: Whether a file may become a copy where ``copy`` is not what is wanted first.
            Without leave it stays as it is.
        progress: Where to tell how far it is.

    Returns:
        What was done, and which files were left alone: edited ones, for example.

    Raises:
        CacheError: A disk is full, read-only or refuses. What was done until then stays, and the
            same call continues.
    """
    with open_project(root, lock=True) as repo:
        return relink_project(
            repo, link_types, paths=paths, allow_copy=allow_copy, progress=progress
        )


def relink_project(
    repo: Any,  # noqa: ANN401  dvc ships no types
    link_types: Sequence[str],
    *,
    paths: Collection[str] | None = None,
    allow_copy: bool = False,
    progress: Progress | None = None,
) -> Relinked:
    """Do as :func:`relink` in a project that is open and locked.

    Raises:
        CacheError: The list of types is none.
        OSError: A disk is full, read-only or refuses.
    """
    link_types = tuple(link_types) or tuple(repo.cache.local.cache_types)
    if not set(link_types) <= set(LINK_TYPES):
        raise CacheError(
            f"No list of link types: '{','.join(link_types)}'.",
            hint=f"There are {', '.join(LINK_TYPES)}.",
        )
    progress = progress or SilentProgress()
    tracked = observe_project(repo)
    only = None if paths is None else frozenset(paths)
    chosen = [file for file in tracked.files if _is_within(file.path, only)]
    wanted = link_types[0]
    unlike = [file for file in chosen if not file.state.is_as_wanted(wanted, file.size_bytes)]
    replacer = Replacer(link_types, allow_copy=allow_copy)
    outcomes: dict[str, Replaced] = {}
    left_behind = remove_left_behind({os.path.dirname(file.path) for file in chosen})  # noqa: PTH120
    permitted, refused = sort_out(repo, unlike, progress)
    try:
        _replace_all(permitted, replacer, outcomes, progress)
    finally:
        _remember_files(repo, permitted, outcomes)
    _remember_outputs(repo, tracked.files, outcomes)
    done = _verify(chosen, outcomes, refused)
    return replace(
        done,
        root=tracked.root,
        link_types=link_types,
        unlisted=tracked.unlisted,
        left_behind=left_behind,
    )


def _is_within(path: str, wanted: Collection[str] | None) -> bool:
    if wanted is None:
        return True
    while path:
        if path in wanted:
            return True
        path = path.rpartition("/")[0]
    return False


def _replace_all(
    permitted: Sequence[Permitted],
    replacer: Replacer,
    outcomes: dict[str, Replaced],
    progress: Progress,
) -> None:
    """Replace each file and note its outcome; in one thread, since more were measured slower."""
    with progress.phase("relinking", total=len(permitted), unit="files") as phase:
        for item in permitted:
            outcomes[item.file.path] = replacer.replace(item.file, expected=item.status)
            phase.advance()


def _remember_files(
    repo: Any,  # noqa: ANN401  dvc ships no types
    permitted: Iterable[Permitted],
    outcomes: Mapping[str, Replaced],
) -> None:
    learned = []
    for item in permitted:
        status = outcomes.get(item.file.path, Replaced()).status
        if status is not None:
            learned.append((item.file.path, item.file.hash_name, item.file.oid, status))
    remember_hashes(repo, learned)


def _remember_outputs(
    repo: Any,  # noqa: ANN401  dvc ships no types
    files: Sequence[TrackedFile],
    outcomes: Mapping[str, Replaced],
) -> None:
    """Tell DVC of each output that was changed and is, to the last file, what DVC tracks."""
    touched = {file.out for file in files if outcomes.get(file.path, Replaced()).status}
    by_out: dict[str, list[TrackedFile]] = {out: [] for out in touched}
    statuses = {}
    for file in files:
        if file.out in touched:
            by_out[file.out].append(file)
            if os.path.isfile(file.path):  # noqa: PTH113  done by the thousand
                statuses[file.path] = os.stat(file.path)  # noqa: PTH116
    known = known_hashes(repo, statuses)
    whole = {
        out: len(members)
        for out, members in by_out.items()
        if all(known.get(file.path, ("", ""))[1] == file.oid for file in members)
    }
    remember_outputs(repo, whole)


def _verify(
    chosen: Sequence[TrackedFile],
    outcomes: Mapping[str, Replaced],
    refused: Sequence[LeftAlone],
) -> Relinked:
    """Ask the file system what the files are now, and say what became of them."""
    changed = {path: outcome.link_type for path, outcome in outcomes.items() if outcome.status}
    if changed:
        write_out(Path(next(iter(changed))).parent)  # extents exist only once they are written
    looker = Looker()
    now = [_look_again(looker, file) if file.path in changed else file for file in chosen]
    made = [
        Linked(file.path, file.object_path, changed[file.path])
        for file in now
        if file.path in changed
    ]
    linked = [
        Linked(file.path, file.object_path, changed.get(file.path, file.state.value))
        for file in now
        if file.in_cache and file.state not in _NO_FILE
    ]
    stayed = [
        LeftAlone(path, outcome.reason)
        for path, outcome in outcomes.items()
        if not outcome.link_type
    ]
    left_alone = tuple(sorted([*refused, *stayed], key=lambda item: item.path))
    fell_back = Counter(
        outcome.link_type for outcome in outcomes.values() if outcome.link_type and outcome.reason
    )
    return Relinked(
        root="",
        link_types=(),
        before=count_by_state(chosen),
        after=count_by_state(now),
        changed=dict(Counter(changed.values())),
        fell_back=dict(fell_back),
        left_alone=left_alone,
        left_by_reason=by_reason(left_alone),
        impossible=sum(outcome.is_impossible for outcome in outcomes.values()),
        failed=verify_sample(made),
        sample=draw_sample(linked),
    )


def _look_again(looker: Looker, file: TrackedFile) -> TrackedFile:
    state, size_bytes, own_bytes, in_cache = looker.state_of(file.path, file.object_path)
    return replace(file, state=state, size_bytes=size_bytes, own_bytes=own_bytes, in_cache=in_cache)
