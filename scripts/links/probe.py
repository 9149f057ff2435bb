"""Probe: each link type really tried, and timed, between the cache and the workspace.

Nothing but a real attempt tells: two bind mounts of one file system have one ``st_dev`` and cannot
be hardlinked. Runs on either side of the wall; imports little, so that it takes milliseconds.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from scripts.errors import CacheError
from scripts.links.extents import own_bytes
from scripts.links.model import LINK_TYPES, Attempt, Measurement, Probed

if TYPE_CHECKING:
    from collections.abc import Iterator

FICLONE = 0x40049409
"""See ``man 2 ioctl_ficlone``."""
PROTECTED_MODE = 0o444
"""What DVC gives an object in its cache."""
SCRATCH = ".slipway"
"""Where in the workspace the attempts are made; git ignores it."""
_LINK_MAX_UNKNOWN = 127
"""What glibc answers where it does not know the file system: on btrfs, which allows 65,535."""
_PREFIX = ".slipway-probe-"
_CONTENT = b"slipway" * 1171  # two blocks: btrfs keeps what is smaller among its own records
_REASONS = {
    errno.EXDEV: "the cache and the workspace are on two file systems or two mounts",
    errno.ENOTSUP: "the file system has none",
    errno.ENOTTY: "the file system has none",
    errno.EINVAL: "the file system has none",
    errno.EPERM: "the file system refuses it",
    errno.EMLINK: "the object has as many names as the file system allows",
}
_STORAGE_ERRORS = {
    errno.ENOSPC: ("is full", "Free some space there; `./inv gc` shows what the cache can spare."),
    errno.EDQUOT: ("is at your quota", "Free some space, or ask for more."),
    errno.EROFS: ("is read-only", "Mount it read-write, or choose another DVC_CACHE_DIR."),
    errno.EACCES: ("may not be written by you", "Look at `ls -ld` of it, or ask its owner."),
    errno.ENOENT: ("does not exist", "Is its disk mounted? `./inv dvc-init` sets a cache up."),
    errno.EIO: ("cannot be written", "The disk reports an error; look at `dmesg`."),
}


@dataclass(frozen=True)
class Scratch:
    """Two directories to try in: one in the cache, one in the workspace."""

    cache: Path
    workspace: Path


def hardlink(source: str, target: str) -> None:
    """Make ``target`` a further name of ``source``."""
    os.link(source, target)


def reflink(source: str, target: str) -> None:
    """Make ``target`` a file that shares the bytes of ``source`` until one of them is written."""
    import fcntl  # noqa: PLC0415  not on Windows, where `up` shall run too

    with open(source, "rb") as read:  # noqa: PTH123  done by the thousand
        written = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            fcntl.ioctl(written, FICLONE, read.fileno())
        except BaseException:
            os.unlink(target)  # noqa: PTH108
            raise
        finally:
            os.close(written)


def copy(source: str, target: str) -> None:
    """Make ``target`` a file of its own with the bytes of ``source``."""
    shutil.copyfile(source, target)


MAKE: dict[str, Callable[[str, str], None]] = {
    "reflink": reflink,
    "hardlink": hardlink,
    "symlink": os.symlink,
    "copy": copy,
}
"""How each link type is made: object, file in the workspace."""


def existing(directory: Path) -> Path:
    """Return ``directory``, or the nearest above it that exists: where it would be made."""
    while not directory.exists():
        directory = directory.parent
    return directory


@contextmanager
def scratch(cache: Path, workspace: Path) -> Iterator[Scratch]:
    """Make two directories to try in, and remove them.

    Args:
        cache: The DVC cache; where it does not exist yet, the nearest directory above it.
        workspace: The workspace.

    Raises:
        CacheError: One of them cannot be written.
    """
    made: list[Path] = []
    try:
        for named, directory in (("The DVC cache", existing(cache)), ("The workspace", workspace)):
            try:
                parent = directory if named != "The workspace" else directory / SCRATCH
                parent.mkdir(exist_ok=True)
                made.append(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)))
            except OSError as error:
                raise storage_error(error, named, directory) from error
        yield Scratch(*made)
    finally:
        for directory in made:
            shutil.rmtree(directory, ignore_errors=True)


def storage_error(error: OSError, named: str, directory: Path) -> CacheError:
    """Return what to tell a person of a directory that cannot be written."""
    said, hint = _STORAGE_ERRORS.get(
        error.errno or 0, (f"cannot be used: {error.strerror}", "Look at `ls -ld` of it.")
    )
    return CacheError(f"{named}, {directory}, {said}.", hint=hint)


def reason_of(error: OSError) -> str:
    """Return why a link cannot be made, for a person."""
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


def filesystem_of(directory: Path) -> str:
    """Return the kind of file system that a directory is on (``btrfs``), empty if not known."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return ""
    kind, longest = "", -1
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        escaped, name = line.split(" ")[1:3]
        place = Path(re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), escaped))
        within = place == directory or place in directory.parents
        if within and len(place.parts) >= longest:
            kind, longest = name, len(place.parts)
    return kind


def probe(cache: Path, workspace: Path, *, files: int = 0, file_bytes: int = 0) -> Probed:
    """Try each link type between a cache and a workspace, and time those that work.

    Args:
        cache: The DVC cache.
        workspace: The workspace.
        files: How many links of each type to time; 0 for none.
        file_bytes: How large each of their objects is.

    Raises:
        CacheError: One of the directories cannot be written: it is full, say.
    """
    with scratch(cache, workspace) as place:
        return probe_in(place, files=files, file_bytes=file_bytes)


def probe_in(place: Scratch, *, files: int = 0, file_bytes: int = 0) -> Probed:
    """Do as :func:`probe` in a scratch that is there already."""
    started = time.perf_counter()
    attempts = tuple(_try(link_type, place) for link_type in LINK_TYPES)
    limit = os.pathconf(place.cache, "PC_LINK_MAX")
    elapsed_s = time.perf_counter() - started
    working = [item.link_type for item in attempts if item.works]
    return Probed(
        attempts,
        elapsed_s,
        0 if limit == _LINK_MAX_UNKNOWN else limit,
        tuple(measure(place, working, files, file_bytes)) if files else (),
    )


def measure(
    place: Scratch, link_types: list[str], files: int, file_bytes: int
) -> Iterator[Measurement]:
    """Yield what making ``files`` links of each type took, to objects of ``file_bytes`` bytes.

    Raises:
        CacheError: There is no room for it.
    """
    try:
        objects = _make_objects(place, files, file_bytes)
        for link_type in link_types:
            directory = place.workspace / f"timed-{link_type}"
            directory.mkdir()
            make = MAKE[link_type]
            targets = [str(directory / str(number)) for number in range(files)]
            started = time.perf_counter()
            for source, target in zip(objects, targets):
                make(source, target)
            elapsed_s = time.perf_counter() - started
            yield Measurement(link_type, files, elapsed_s, sum(map(own_bytes, targets)))
            shutil.rmtree(directory)
    except OSError as error:
        raise storage_error(error, "The disk of", place.workspace) from error


def _make_objects(place: Scratch, files: int, file_bytes: int) -> list[str]:
    directory = place.cache / "objects"
    directory.mkdir()
    objects = []
    for number in range(files):
        path = directory / str(number)
        path.write_bytes(os.urandom(file_bytes))
        path.chmod(PROTECTED_MODE)
        objects.append(str(path))
    write_out(directory)  # extents exist only once they are written, and shall not be on our clock
    return objects


def write_out(directory: Path) -> None:
    """Write out what the file system of ``directory`` holds back."""
    import ctypes  # noqa: PLC0415  the probe alone does not need it

    descriptor = os.open(directory, os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None)
        libc.syncfs(descriptor) if hasattr(libc, "syncfs") else os.sync()
    finally:
        os.close(descriptor)


def _try(link_type: str, place: Scratch) -> Attempt:
    source = place.cache / f"object-{link_type}"
    target = place.workspace / f"file-{link_type}"
    try:
        source.write_bytes(_CONTENT)
        source.chmod(PROTECTED_MODE)
    except OSError as error:
        raise storage_error(error, "The DVC cache", place.cache.parent) from error
    try:
        MAKE[link_type](str(source), str(target))
        leads_there = target.read_bytes() == _CONTENT
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise storage_error(error, "The workspace", place.workspace.parent) from error
        return Attempt(link_type, works=False, reason=reason_of(error), error=_name(error))
    if not leads_there:
        return Attempt(link_type, works=False, reason="it leads to other bytes")
    return Attempt(link_type, works=True, editable=_is_editable(target, source))


def _is_editable(target: Path, source: Path) -> bool:
    """Tell whether writing to the file is possible and leaves the object as it is."""
    if target.lstat().st_ino == source.lstat().st_ino or target.is_symlink():
        return False
    with target.open("r+b") as file:
        file.write(b"edited")
    return source.read_bytes() == _CONTENT


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "")
