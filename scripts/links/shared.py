"""The contract of a cache that a group shares: what its directory must be like, who may use it.

Nothing here is changed, ever: a directory that breaks the contract is named with the commands that
its owner would run.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_GROUP_RWX = stat.S_IRGRP | stat.S_IWGRP | stat.S_IXGRP


@dataclass(frozen=True)
class SharedDirectory:
    """A directory of a shared cache: its group and its mode bits."""

    path: Path
    gid: int
    mode: int


def observe_shared(cache: Path) -> tuple[SharedDirectory, ...]:
    """Return the directories of a cache that somebody of its group writes to, outermost first."""
    return tuple(_directory(path) for path in (cache, *_below(cache)))


def breaches(found: Collection[SharedDirectory], groups: Collection[int]) -> tuple[str, ...]:
    """Return what breaks the contract, for a person who is in ``groups``; pure.

    Every directory belongs to the cache's group, which the person is in, which may write to it, and
    which what is made below it inherits (setgid).
    """
    top, *below = found
    problems = []
    if top.gid not in groups:
        problems.append(f"its group is {_group(top.gid)}, which you are not in")
    for what, breaks in (
        ("may not be written by the group", lambda item: item.mode & _GROUP_RWX != _GROUP_RWX),
        ("does not hand its group on (setgid)", lambda item: not item.mode & stat.S_ISGID),
        (f"is not of the group {_group(top.gid)}", lambda item: item.gid != top.gid),
    ):
        broken = [item.path for item in (top, *below) if breaks(item)]
        if broken:
            more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
            problems.append(f"{broken[0]} {what}{more}")
    return tuple(problems)


def require_contract(cache: Path, groups: Collection[int]) -> None:
    """Check a shared cache; change nothing.

    Args:
        cache: Its directory, which exists.
        groups: The groups of the person who shall use it.

    Raises:
        CacheError: It breaks the contract; the hint says what its owner would run.
    """
    found = observe_shared(cache)
    problems = breaches(found, groups)
    if not problems:
        return
    group = _group(found[0].gid)
    join = (
        [] if found[0].gid in groups else [f"`sudo usermod -aG {group} $USER`, then log in again."]
    )
    mend = (
        f"Its owner runs `chgrp -R {group} {cache} && chmod -R g+rwX {cache} && "
        f"find {cache} -type d -exec chmod g+s {{}} +`."
    )
    raise CacheError(
        f"The DVC cache {cache} is to be shared by a group, but {'; '.join(problems)}.",
        hint=" ".join([*join, *([mend] if len(problems) > len(join) else [])]),
    )


def _below(cache: Path) -> Iterator[Path]:
    for layout in ("files", "files/md5"):
        if (cache / layout).is_dir():
            yield cache / layout
    shards = cache / "files" / "md5"
    if shards.is_dir():
        yield from sorted(Path(entry.path) for entry in os.scandir(shards) if entry.is_dir())


def _directory(path: Path) -> SharedDirectory:
    status = path.stat()
    return SharedDirectory(path, status.st_gid, stat.S_IMODE(status.st_mode))


def _group(gid: int) -> str:
    import grp  # noqa: PLC0415  not on Windows

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:  # a group of another machine, by its number
        return str(gid)
