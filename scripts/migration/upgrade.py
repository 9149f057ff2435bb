"""``--layout 3``: what the workspace names as DVC 2 did gets names of DVC 3 in the target as well.

The objects under their old names move as ever, since old commits go on needing them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from scripts.errors import SettingsError
from scripts.migration.model import Evidence, Layout, Outcome, Status, StoredObject
from scripts.migration.outputs import as_output
from scripts.migration.parts import Part, part_of
from scripts.migration.project import has_history, open_project
from scripts.migration.renaming import Entries, Renaming
from scripts.migration.sample import EVIDENCE, Sample
from scripts.migration.uncommitted import uncommitted_files
from scripts.migration.written import is_own_text
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scripts.migration.opening import Stores
    from scripts.progress import Progress

NAME, TITLE = "layout_3", "objects under names of DVC 3"
_PATHS_TOLD = 3
_DEFAULT_JOBS = 32


@dataclass(frozen=True)
class Upgrade:
    """What of the workspace has names of DVC 2, and what became of it.

    Attributes:
        outputs: The objects of its outputs: files, and lists of directories.
        names: Their objects under names of DVC 3, and those of the files of directories.
        contents: The lists of directories that were written anew, by their objects.
        outcomes: One for each object under a name of DVC 3, and for each that could get none.
        is_wanted: Whether it was asked for.
    """

    outputs: tuple[StoredObject, ...] = ()
    names: Mapping[StoredObject, StoredObject] = field(default_factory=dict)
    contents: Mapping[StoredObject, bytes] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()
    is_wanted: bool = False

    @property
    def parts(self) -> tuple[Part, ...]:
        """What a plan says of it."""
        counts = {"planned": len(self.outputs)}
        return (Part(NAME, "outputs to get names of DVC 3", counts),) if self.is_wanted else ()


def read_layout(text: str) -> bool:
    """Return whether names of DVC 3 are asked for; empty leaves every name as it is.

    Raises:
        SettingsError: There is no such layout.
    """
    if text not in {"", "3"}:
        raise SettingsError(
            f"There is no layout '{text}' to move to.",
            hint="`--layout 3` also stores the workspace's data under names of DVC 3.",
        )
    return text == "3"


def plan_upgrade(stores: Stores, *, wanted: bool) -> Upgrade:
    """Find out which outputs of the workspace have names of DVC 2.

    Args:
        stores: The project and its remotes.
        wanted: Whether they shall get names of DVC 3.

    Raises:
        SettingsError: DVC files have changes that are in no commit, so nobody could take back what
            is going to be written into them.
    """
    if not wanted:
        return Upgrade()
    require_committed(stores.root)
    with open_project(stores.root) as repo:
        outputs = [as_output(out, stores.source.name) for out in repo.index.outs]
    items = [out.item for out in outputs if out.item and out.item.layout is Layout.LEGACY]
    return Upgrade(tuple(dict.fromkeys(items)), is_wanted=True)


def require_committed(root: Path) -> None:
    """Do nothing if the DVC files of the workspace are as in the last commit, or not in git at all.

    Those that a run wrote which was ended before it had written all are as good.

    Raises:
        SettingsError: Some are not; the message names the first.
    """
    found = uncommitted_files(root) if has_history(root) else ()
    changed = [path for path in found if not is_own_text(root, path)]
    if changed:
        more = " ..." if len(changed) > _PATHS_TOLD else ""
        raise SettingsError(
            "`--layout 3` rewrites DVC files, and some have changes that are in no commit: "
            f"{', '.join(changed[:_PATHS_TOLD])}{more}.",
            hint="Commit them, or put them away with `git stash`, then run the same command again.",
        )


def copy_upgraded(
    upgrade: Upgrade,
    stores: Stores,
    *,
    jobs: int = _DEFAULT_JOBS,
    progress: Progress | None = None,
) -> Upgrade:
    """Store each object under its name of DVC 3 too, a directory's list after its proven files.

    To be called when the objects are copied: what the source lacks is then in the target.

    Args:
        upgrade: What to do.
        stores: The project and its remotes.
        jobs: How many objects are in flight at once.
        progress: Where to tell what is going on.

    Raises:
        StoreError: A remote cannot be listed, or the target stopped answering.
    """
    if not upgrade.outputs:
        return upgrade
    work = Renaming(stores, jobs, progress or SilentProgress())
    directories = work.find(item for item in upgrade.outputs if item.is_directory)
    lists = work.open_lists(directories)
    inside = [item for entries in lists.values() for item in entries.values()]
    files = work.find([item for item in upgrade.outputs if not item.is_directory] + inside)
    copied = work.copy(files)
    proven = {item for item, how in work.prove(done.item for done in copied.values()).items()
              if how.is_proof}  # fmt: skip
    names = {old: files[old].named for old in copied}
    contents: dict[StoredObject, bytes] = {}
    for directory, entries in lists.items():
        lacking = [item for item in entries.values() if names.get(item) not in proven]
        if lacking:
            reason = (
                f"not published: {len(lacking)} of its files not proven in the target under names "
                f"of DVC 3, first {lacking[0].key}"
            )
            work.lost[directory] = Outcome(directory, Status.FAILED, reason=reason)
            continue
        content = _write_list({path: names[item] for path, item in entries.items()})
        oid = f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}.dir"
        names[directory] = StoredObject(oid, size_bytes=len(content))
        contents[names[directory]] = content
    published = work.copy_contents(contents)
    done = {outcome.item: outcome for outcome in (*copied.values(), *published.values())}
    outcomes = (*done.values(), *work.lost.values())
    return replace(upgrade, names=names, contents=contents, outcomes=outcomes)


def verify_upgraded(
    upgrade: Upgrade,
    stores: Stores,
    *,
    jobs: int = _DEFAULT_JOBS,
    progress: Progress | None = None,
    sample: Sample = EVIDENCE,
) -> tuple[Part, ...]:
    """Prove every object at the target afresh, and return that part of the report.

    Raises:
        StoreError: The target cannot be listed, or stopped answering.
    """
    if not upgrade.is_wanted:
        return ()
    work = Renaming(stores, jobs, progress or SilentProgress())
    claimed = (outcome.item for outcome in upgrade.outcomes if _claims(outcome))
    proofs = work.prove(claimed, sample)
    outcomes = [_judge(outcome, proofs.get(outcome.item)) for outcome in upgrade.outcomes]
    return (part_of(NAME, TITLE, outcomes),)


def _claims(outcome: Outcome) -> bool:
    return outcome.status in (Status.PRESENT, Status.COPIED)


def _judge(outcome: Outcome, evidence: Evidence | None) -> Outcome:
    if not _claims(outcome):
        return outcome
    if evidence is not None and evidence.is_proof:
        return replace(outcome, evidence=evidence)
    reason = f"after {outcome.status.value}, it is not proven in the target"
    return replace(outcome, status=Status.FAILED, reason=reason, repaired=False)


def _write_list(entries: Entries) -> bytes:
    """Return a directory's list as DVC 3 writes it, so that DVC gives it the same name."""
    from dvc_data.hashfile.hash_info import HashInfo  # noqa: PLC0415
    from dvc_data.hashfile.tree import Tree  # noqa: PLC0415

    tree = Tree()
    for path, item in entries.items():
        tree.add(tuple(path.split("/")), None, HashInfo("md5", item.oid))
    content: bytes = tree.as_bytes()
    return content
