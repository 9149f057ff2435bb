"""Mend what is safe to mend in a checkout; nothing is ever deleted.

An object that holds an edit is moved aside, into the quarantine of the cache, but only after the
edit has a file of its own in the workspace. Then the object is restored, from another file that
holds its bytes or from a remote, and the other files that were linked to it are linked again.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.links.checkout import LISTED, LinkState
from scripts.links.contents import Named, are_right, hashes_of
from scripts.links.permission import objects_right
from scripts.links.probe import PROTECTED_MODE
from scripts.links.project import fetch, open_project, remember_hashes
from scripts.links.relink import relink_project
from scripts.links.relinked import LeftAlone
from scripts.links.replace import Replacer, make_beside
from scripts.links.tracked import observe_project
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.links.checkout import Tracked, TrackedFile
    from scripts.progress import Progress

QUARANTINE = Path(".slipway", "quarantine")
"""Where in the cache objects go that are not what their names say."""
_OWN = ("reflink", "copy")
"""How a file becomes one of its own."""


@dataclass(frozen=True)
class Mended:
    """A file that was mended, and how."""

    path: str
    what: str


@dataclass(frozen=True)
class Quarantined:
    """An object that was not what its name says: where it was, and where it is now."""

    object_path: str
    moved_to: str
    is_restored: bool


@dataclass(frozen=True)
class Repaired:
    """What became of everything in a checkout that was trouble.

    Attributes:
        root: The workspace.
        mended: What was mended.
        left: What was not, why, and what to do about it.
        quarantined: The objects that were moved aside.
    """

    root: str
    mended: tuple[Mended, ...]
    left: tuple[LeftAlone, ...]
    quarantined: tuple[Quarantined, ...]

    def as_json(self, *, listed: int = LISTED) -> dict[str, Any]:
        """Return it as JSON holds it, naming up to ``listed`` files of each kind."""
        return {
            "root": self.root,
            "mended": [asdict(item) for item in self.mended[:listed]],
            "mended_files": len(self.mended),
            "left": [asdict(item) for item in self.left[:listed]],
            "left_files": len(self.left),
            "quarantined": [asdict(item) for item in self.quarantined],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Repaired:
        """Return what :meth:`as_json` gave."""
        return cls(
            root=content["root"],
            mended=tuple(Mended(**item) for item in content["mended"]),
            left=tuple(LeftAlone(**item) for item in content["left"]),
            quarantined=tuple(Quarantined(**item) for item in content["quarantined"]),
        )


def repair(
    root: Path, link_types: Sequence[str] = (), *, progress: Progress | None = None
) -> Repaired:
    """Mend what is safe to mend: links that lead astray, unexpected copies, edited objects.

    Args:
        root: The workspace.
        link_types: The types that work here, the most wanted first. Without any, copies are taken
            for expected, and links are made of the types that DVC's configuration lists.
        progress: Where to tell how far it is.

    Raises:
        CacheError: A disk is full, read-only or refuses; the same call continues.
    """
    progress = progress or SilentProgress()
    with open_project(root, lock=True) as repo:
        tracked = observe_project(repo, contents=True, progress=progress)
        types = tuple(link_types) or tuple(repo.cache.local.cache_types)
        mending = _Mending(repo, types, progress)
        mending.mend_objects(tracked)
        mending.mend_links(tracked, link_types)
    return Repaired(
        tracked.root, tuple(mending.mended), tuple(mending.left), tuple(mending.quarantined)
    )


@dataclass
class _Case:
    """An object that is not what its name says, and the files that should be its bytes."""

    object_path: str
    moved_to: str
    linked: list[TrackedFile]
    members: list[TrackedFile]
    is_restored: bool = False
    reason: str = ""


@dataclass
class _Mending:
    """One repair while it runs."""

    repo: Any
    link_types: tuple[str, ...]
    progress: Progress
    mended: list[Mended] = field(default_factory=list)
    left: list[LeftAlone] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)

    def mend_links(self, tracked: Tracked, expected: Sequence[str]) -> None:
        """Relink the links that lead astray, and copies where something else is expected."""
        done = {item.path for item in self.mended} | {item.path for item in self.left}
        what = {file.path: file.trouble(expected) for file in tracked.files}
        paths = {path for path, kind in what.items() if kind and path not in done}
        if not paths:
            return
        relinked = relink_project(self.repo, self.link_types, paths=paths, progress=self.progress)
        stayed = {item.path for item in relinked.left_alone}
        self.left += relinked.left_alone
        self.mended += [
            Mended(path, f"was {what[path]}, linked again") for path in sorted(paths - stayed)
        ]

    def mend_objects(self, tracked: Tracked) -> None:
        """Save edits, move wrong objects aside, restore them, and link the other files again."""
        cases = self._put_aside(tracked)
        unrestored = [case for case in cases if not self._restore_from_workspace(case)]
        if unrestored:
            with self.progress.phase("fetching objects", total=None, unit="objects"):
                reason = fetch(self.repo, [case.members[0].path for case in unrestored])
            names = [
                Named(case.object_path, case.members[0].hash_name, case.members[0].oid)
                for case in unrestored
            ]
            right = are_right(self.repo, names, self.progress)
            for case in unrestored:
                case.is_restored = right.get(case.object_path, False)
                case.reason = reason or "no remote has it"
        for case in cases:
            moved = Quarantined(case.object_path, case.moved_to, case.is_restored)
            self.quarantined.append(moved)
            self._link_others(case)

    def _put_aside(self, tracked: Tracked) -> list[_Case]:
        held = [file for file in tracked.files if file.in_cache]
        right = objects_right(self.repo, held, self.progress)
        members: dict[str, list[TrackedFile]] = defaultdict(list)
        for file in held:
            if right.get(file.object_path) is False:
                members[file.object_path].append(file)
        cases = []
        for object_path, files in sorted(members.items()):
            linked = [file for file in files if file.is_linked]
            if linked:
                self._own(linked[0], object_path)
                what = "the edit that was made through its link is a file of its own now"
                self.mended.append(Mended(linked[0].path, what))
            moved_to = self._move(object_path, files[0].oid)
            cases.append(_Case(object_path, moved_to, linked, files))
        return cases

    def _own(self, file: TrackedFile, source: str) -> None:
        """Make a linked file one of its own, with the bytes of ``source``."""
        Replacer(_OWN, allow_copy=True).replace(replace(file, object_path=source))

    def _move(self, object_path: str, oid: str) -> str:
        """Move an object into the quarantine, under a name that nothing there has."""
        directory = Path(self.repo.cache.local_cache_dir) / QUARANTINE
        directory.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            target = directory / f"{oid}-{number}"
            try:
                target.touch(exist_ok=False)  # the name is ours now
            except FileExistsError:
                number += 1
                continue
            try:
                Path(object_path).replace(target)
            except OSError:
                target.unlink()
                raise
            return str(target)

    def _restore_from_workspace(self, case: _Case) -> bool:
        """Restore an object from a file of the workspace that holds its bytes, if there is one."""
        for file in case.members:
            if file.is_linked or not file.is_right:
                continue
            with make_beside(case.object_path, file.path, _OWN) as temporary:
                if file.oid not in hashes_of(temporary, file.hash_name, lambda _: None):
                    continue
                os.chmod(temporary, PROTECTED_MODE)  # noqa: PTH101
                status = os.stat(temporary)  # noqa: PTH116
                os.rename(temporary, case.object_path)  # noqa: PTH104
            remember_hashes(self.repo, [(case.object_path, file.hash_name, file.oid, status)])
            case.is_restored = True
            return True
        return False

    def _link_others(self, case: _Case) -> None:
        """Link the files again that showed the edit of another; give them copies if need be."""
        again = Replacer(self.link_types, allow_copy=True)
        for file in case.linked[1:]:
            if case.is_restored:
                # Whatever it was, it is a name or a link of what was moved aside.
                done = again.replace(replace(file, state=LinkState.MISSING))
                if done.status is not None:
                    known = (file.path, file.hash_name, file.oid, done.status)
                    remember_hashes(self.repo, [known])
                    self.mended.append(Mended(file.path, "linked to the restored object"))
                    continue
            self._own(file, case.moved_to)
            reason = f"it shows an edit that another link of its object got ({case.reason})"
            hint = "`dvc pull` restores it once a remote has it."
            self.left.append(LeftAlone(file.path, reason, hint))
        if not case.is_restored:
            first = case.members[0]
            reason = f"its object {first.oid} could not be restored: {case.reason}"
            hint = f"The edited bytes are in {case.moved_to}; `dvc fetch` once a remote has it."
            self.left.append(LeftAlone(first.path, reason, hint))
