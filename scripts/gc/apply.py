"""Apply: remove what the plan says, object by object, each looked at once more right before."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from scripts.errors import CacheError
from scripts.gc.model import Kept, Outcome, Reason, Removed
from scripts.gc.observe import list_site, protected_now
from scripts.links.registry import other_projects
from scripts.migration.observe import DEFAULT_JOBS
from scripts.migration.project import open_project
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from scripts.gc.model import Removal
    from scripts.gc.plan import Plan
    from scripts.gc.site import Site
    from scripts.migration.model import StoredObject
    from scripts.progress import Progress


def remove_objects(
    plan: Plan, site: Site, *, jobs: int = DEFAULT_JOBS, progress: Progress | None = None
) -> tuple[Outcome, ...]:
    """Remove what the plan says, under DVC's own lock of this project.

    A person may have thought for an hour about the plan. So what the workspaces need and what the
    remote lists is read again first, and each object must still be the very file that was planned.

    Args:
        plan: What goes.
        site: Where it goes.
        jobs: How many objects are read at once.
        progress: Where to tell what is going on.

    Returns:
        One outcome for each removal, in the plan's order.

    Raises:
        CacheError: Another DVC command runs in this project, or a project's needs cannot be told.
        StoreError: The remote stopped answering. Nothing is removed then.
    """
    progress = progress or SilentProgress()
    if not plan.removals:
        return ()
    with _locked(site.root):
        if other_projects(site.root, site.cache) != site.others:
            raise CacheError(
                "Another project has begun to use this cache, or one was forgotten.",
                hint="Run the same command again: it asks all of them.",
            )
        seen = list_site(site, progress)
        protected = protected_now(site, plan.request, jobs=jobs, progress=progress)
        with progress.phase("removing", total=len(plan.removals)) as phase:
            outcomes = []
            for removal in plan.removals:
                outcomes.append(_remove(removal, site.cache, protected, seen.remote))
                phase.advance()
    return tuple(outcomes)


def _remove(
    removal: Removal,
    cache: Path,
    protected: Mapping[str, tuple[Reason, str]],
    listed: Mapping[str, StoredObject],
) -> Outcome:
    item = removal.cached.item
    verdict = protected.get(item.key)
    if verdict is None and any(key not in listed for key in removal.relies_on):
        verdict = (Reason.CHANGED, "the remote has lost it meanwhile")
    if verdict is None:
        verdict = _unlink(removal, cache / item.key)
    if verdict is None:
        return Outcome(removal, Removed.REMOVED)
    return Outcome(removal, Removed.KEPT, Kept(item, *verdict))


def _unlink(removal: Removal, path: Path) -> tuple[Reason, str] | None:
    """Remove the file that was planned and no other; return why it stays, if it does."""
    planned = removal.cached
    try:
        found = path.lstat()
        same = (found.st_ino, found.st_ctime_ns) == (planned.inode, planned.changed_ns)
        if not same or found.st_size != planned.item.size_bytes:
            return Reason.CHANGED, "it is another file now, or has new links"
        path.unlink()
    except FileNotFoundError:  # gone already, which is what was wanted
        return None
    except OSError as error:
        return Reason.FAILED, error.strerror or str(error)
    return None


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Hold the lock that `dvc gc` holds, so that no DVC command of this project runs meanwhile.

    Raises:
        CacheError: Another one runs.
    """
    from dvc.lock import LockError  # noqa: PLC0415

    with open_project(root) as repo:
        try:
            repo.lock.lock()
        except LockError as error:
            raise CacheError(
                f"Another DVC command is running in {root}.",
                hint="Wait for it, then run the same command again.",
            ) from error
        try:
            yield
        finally:
            repo.lock.unlock()
