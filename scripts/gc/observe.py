"""Observe the cache, the remote and every project that uses the cache, then plan."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.gc.model import CachedObject, Keep, Needs
from scripts.gc.needs import linked_objects, read_needs
from scripts.gc.plan import Plan, Request, make_plan, protect
from scripts.migration.directories import open_directories
from scripts.migration.history import History
from scripts.migration.observe import DEFAULT_JOBS
from scripts.migration.prove import list_store, prove_objects
from scripts.progress import SilentProgress
from scripts.report import bytes_text, count_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scripts.gc.model import Reason, Removal
    from scripts.gc.site import Site
    from scripts.migration.model import StoredObject
    from scripts.progress import Progress


@dataclass(frozen=True)
class Listings:
    """What the cache and the remote hold, by key."""

    cache: Mapping[str, StoredObject]
    remote: Mapping[str, StoredObject]


def plan_gc(
    site: Site,
    request: Request | None = None,
    *,
    jobs: int = DEFAULT_JOBS,
    progress: Progress | None = None,
) -> Plan:
    """Find out what of the cache nobody needs and the remote provably holds; changes nothing.

    Args:
        site: The project, its cache, the remote and the other projects.
        request: What to keep; ``None`` for what the workspace needs.
        jobs: How many objects are read at once.
        progress: Where to tell what is going on.

    Raises:
        CacheError: It cannot be told what a project needs.
        StoreError: The cache or the remote cannot be listed, or the remote stopped answering.
    """
    request = request or Request()
    progress = progress or SilentProgress()
    started_s = time.monotonic()
    seen = list_site(site, progress)
    own, others = read_all_needs(site, request, jobs=jobs, progress=progress)
    linked = read_links(site, progress)
    protected = protect(own, others, linked, request)
    candidates = [item for key, item in seen.cache.items() if key not in protected]
    places = (site.objects, site.remote)
    lists = open_directories(
        (item for item in candidates if item.is_directory), places, jobs=jobs, progress=progress
    )
    parts = {entry.item.key: entry.item for opened in lists.values() for entry in opened.entries}
    to_prove = {**parts, **{item.key: item for item in candidates}}
    proofs = prove_objects(
        (item for key, item in to_prove.items() if key in seen.remote), site.remote, seen.remote,
        jobs=jobs, progress=progress, name=f"proving in {site.remote.name}",
    )  # fmt: skip
    cached = list(_as_cached(site, seen.cache.values()))
    removals, kept = make_plan(cached, protected, proofs, lists, own)
    return Plan(
        remote=site.remote.name,
        cache=str(site.cache),
        request=request,
        removals=removals,
        kept=kept,
        others=tuple(str(other) for other in site.others),
        notes=tuple(_notes(own, others, removals)),
        started_s=started_s,
    )


def list_site(site: Site, progress: Progress) -> Listings:
    """Return what the cache and the remote hold now.

    Raises:
        StoreError: One of them cannot be listed.
    """
    return Listings(list_store(site.objects, progress), list_store(site.remote, progress))


def read_all_needs(
    site: Site,
    request: Request,
    *,
    jobs: int,
    progress: Progress,
    history: History | None = None,
) -> tuple[Needs, tuple[Needs, ...]]:
    """Return what this project needs and what each other one does.

    Takes and raises what :func:`scripts.gc.needs.read_needs` does.
    """
    places = (site.objects, site.remote)
    own = read_needs(
        site.root, site.remote.name, request.keep, places,
        jobs=jobs, progress=progress, history=history,
    )  # fmt: skip
    others = tuple(
        read_needs(
            other, site.remote.name, Keep.ALL, places,
            jobs=jobs, progress=progress, history=history, visiting=True,
        )
        for other in site.others
    )  # fmt: skip
    return own, others


def read_links(site: Site, progress: Progress) -> frozenset[str]:
    """Return the keys of the objects that a symlink of any of the workspaces leads to."""
    roots = (site.root, *site.others)
    with progress.phase("looking for symlinks", total=len(roots), unit="workspaces") as phase:
        found: frozenset[str] = frozenset()
        for root in roots:
            found |= linked_objects(root, site.cache)
            phase.advance()
    return found


def protected_now(
    site: Site, request: Request, *, jobs: int, progress: Progress
) -> Mapping[str, tuple[Reason, str]]:
    """Return what the workspaces of all projects protect as they are now, without their history.

    Raises:
        CacheError: It cannot be told what one of them needs.
    """
    own, others = read_all_needs(site, request, jobs=jobs, progress=progress, history=History())
    return protect(own, others, read_links(site, progress), request)


def _as_cached(site: Site, items: Iterable[StoredObject]) -> Iterator[CachedObject]:
    for item in items:
        try:
            found = (site.cache / item.key).lstat()
        except FileNotFoundError:  # somebody else removed it since it was listed
            continue
        yield CachedObject(item, found.st_ino, found.st_ctime_ns, found.st_nlink)


def _notes(own: Needs, others: Iterable[Needs], removals: Iterable[Removal]) -> Iterator[str]:
    for needs in (own, *others):
        if needs.unread:
            yield (
                f"{needs.root}: {count_text(needs.unread, 'place')} of its history cannot be read, "
                "so what these need is not known."
            )
        if needs.lost_lists:
            lists = "directory" if needs.lost_lists == 1 else "directories"
            yield (
                f"{needs.root}: {needs.lost_lists:,} {lists} of older revisions can be opened "
                "neither in the cache nor in the remote, so their files are not known."
            )
    shared = [removal.cached for removal in removals if removal.cached.names > 1]
    if shared:
        size = bytes_text(sum(entry.item.size_bytes or 0 for entry in shared))
        yield (
            f"{count_text(len(shared), 'object')} ({size}) are hard-linked into a workspace: that "
            "room is free only when these files go too."
        )
