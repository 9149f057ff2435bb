"""Registry: which projects use a cache, kept in the cache itself, so that none loses what it needs.

One file for each project, ``.slipway/projects/NAME.json`` below the cache. DVC keeps its objects
under ``files/`` and under two hexadecimal digits, so nothing of its own is ever in the way.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import CacheError, SlipwayError
from scripts.links.probe import storage_error
from scripts.report import write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECTS = Path(".slipway", "projects")
_FRESH_FOR = timedelta(days=1)
"""How long an entry stands before its time alone is reason to write it again."""
_SHARED_FILE_MODE = 0o664
_SHARED_DIRECTORY_MODE = 0o2775


@dataclass(frozen=True)
class RegisteredProject:
    """A project that uses the cache.

    Attributes:
        root: Its workspace, absolute, as it is called outside.
        link_types: The link types that it wants; none means that DVC chooses.
        written_at: When it last said so, in ISO 8601, UTC.
        user: Who did.
    """

    root: Path
    link_types: tuple[str, ...]
    written_at: str
    user: str


def register(cache: Path, root: Path, link_types: Sequence[str]) -> None:
    """Write down that the project at ``root`` uses ``cache``.

    An entry of the last day that says the same stays as it is. In a cache that hands its group on
    (setgid) the group may write what is made here; what was there keeps its mode.

    Args:
        cache: The cache's directory, which exists.
        root: The project's workspace.
        link_types: The link types that it wants; none means that DVC chooses.

    Raises:
        CacheError: The cache cannot be written.
    """
    now = datetime.now(timezone.utc).replace(microsecond=0)
    project = RegisteredProject(_absolute(root), tuple(link_types), now.isoformat(), _user())
    entry = _entry(cache, root)
    if _still_says(entry, project, now):
        return
    try:
        shared = bool(cache.stat().st_mode & stat.S_ISGID)
        for directory in (cache / PROJECTS.parent, cache / PROJECTS):
            _make(directory, shared=shared)
        content = {**asdict(project), "root": str(project.root)}
        write_json(entry, content, mode=_SHARED_FILE_MODE if shared else None)
    except OSError as error:
        raise _refused(error, cache) from error
    except SlipwayError as error:
        cause = error.__cause__
        raise (_refused(cause, cache) if isinstance(cause, OSError) else error) from cause


def registered(cache: Path) -> tuple[RegisteredProject, ...]:
    """Return every project that is registered in ``cache``, by the names of their entries.

    Raises:
        CacheError: An entry is damaged or cannot be read; the message names its file.
    """
    directory = cache / PROJECTS
    try:
        names = sorted(os.listdir(directory))  # noqa: PTH208  names are wanted, not paths
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise CacheError(
            f"{directory} cannot be read: {error.strerror}.", hint="Look at `ls -ld` of it."
        ) from error
    return tuple(
        _read(directory / name)
        for name in names
        if name.endswith(".json") and not name.startswith(".")  # being written
    )


def forget(cache: Path, root: Path) -> None:
    """Remove the entry of the project at ``root``, which need not exist any more.

    Raises:
        CacheError: There is no such entry, or it cannot be removed.
    """
    try:
        _entry(cache, root).unlink()
    except FileNotFoundError as error:
        known = ", ".join(str(project.root) for project in registered(cache)) or "none"
        raise CacheError(
            f"No project at {_absolute(root)} is registered in the cache {cache}.",
            hint=f"Registered: {known}.",
        ) from error
    except OSError as error:
        raise _refused(error, cache) from error


def _entry(cache: Path, root: Path) -> Path:
    """Return the file of a project: readable, and different for each path."""
    path = _absolute(root)
    slug = re.sub(r"[^a-z0-9]+", "-", path.name.lower()).strip("-") or "project"
    name = f"{slug[:80]}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}.json"
    return cache / PROJECTS / name


def _absolute(root: Path) -> Path:
    return Path(os.path.abspath(root))  # noqa: PTH100  not resolved: it may be gone


def _still_says(entry: Path, project: RegisteredProject, now: datetime) -> bool:
    try:
        found = _read(entry)
        age = now - datetime.fromisoformat(found.written_at)
    except (CacheError, ValueError, TypeError):  # to be written anew, which mends it
        return False
    same = (found.root, found.link_types, found.user) == (
        project.root, project.link_types, project.user,
    )  # fmt: skip
    return same and timedelta(0) <= age < _FRESH_FOR


def _read(file: Path) -> RegisteredProject:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        root, link_types = Path(content["root"]), tuple(content["link_types"])
        project = RegisteredProject(root, link_types, content["written_at"], content["user"])
    except OSError as error:
        raise CacheError(
            f"{file} cannot be read: {error.strerror}.", hint="Look at `ls -l` of it."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(file) from error
    if not root.is_absolute() or not all(isinstance(name, str) for name in link_types):
        raise _damaged(file)
    return project


def _damaged(file: Path) -> CacheError:
    return CacheError(
        f"{file}, which tells of a project that uses this cache, is damaged.",
        hint="`./inv up` in that project writes it anew; if the project is gone, remove the file.",
    )


def _refused(error: OSError, cache: Path) -> CacheError:
    return storage_error(error, "The DVC cache", cache)


def _make(directory: Path, *, shared: bool) -> None:
    try:
        directory.mkdir()
    except FileExistsError:
        return
    if shared:
        directory.chmod(_SHARED_DIRECTORY_MODE)


def _user() -> str:
    import pwd  # noqa: PLC0415  not on Windows

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a uid that only another machine knows by name
        return str(os.getuid())


def other_projects(root: Path, cache: Path) -> tuple[Path, ...]:
    """Return the workspaces of the other projects that use the cache; each is there.

    Raises:
        CacheError: One is not there, or its entry is damaged.
    """
    here = os.path.realpath(root)
    others = [
        project.root for project in registered(cache) if os.path.realpath(project.root) != here
    ]
    for other in others:
        if not other.is_dir():
            raise CacheError(
                f"The project {other} uses this cache, and it is not there: what it needs cannot "
                "be told.",
                hint=f"Mount its disk; if it is gone for good, `./inv gc --forget {other}`.",
            )
    return tuple(others)
