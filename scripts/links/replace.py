"""Put one file in the place of another, so that a kill at any moment leaves one of them whole."""

from __future__ import annotations

import errno
import itertools
import os
import re
import secrets
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.links.probe import MAKE, PROTECTED_MODE, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scripts.links.checkout import TrackedFile

_PREFIX = ".slipway-link-"
_LEFT_BEHIND = re.compile(re.escape(_PREFIX) + "[0-9a-f]{16}")
_EVERYWHERE = frozenset({errno.EXDEV, errno.ENOTSUP, errno.ENOTTY, errno.ENOSYS})
"""What one file of a directory is told, the others would be told as well."""
_FALL = _EVERYWHERE | {errno.EINVAL, errno.EPERM, errno.EMLINK}
"""What makes a link type impossible for a file, so that the next one is tried."""


@dataclass(frozen=True)
class Replaced:
    """What became of one file.

    Attributes:
        link_type: What it is now; empty if it is as it was.
        status: Its status, links followed, from before it was put in place.
        reason: Why it is not of the first type wanted; empty if it is.
        is_impossible: Whether none of the types wanted could be made for it.
    """

    link_type: str = ""
    status: os.stat_result | None = None
    reason: str = ""
    is_impossible: bool = False


class Replacer:
    """Replaces files by links of the first type that works for each.

    Args:
        link_types: What a file may become, the most wanted first.
        allow_copy: Whether a file may become a copy where that is not what is wanted first.
    """

    def __init__(self, link_types: Sequence[str], *, allow_copy: bool) -> None:
        self.link_types = tuple(link_types)
        self.allow_copy = allow_copy
        self.copy_mode = 0o666 & ~_umask()
        self._run, self._numbers = secrets.token_hex(4), itertools.count()
        self._impossible: dict[tuple[str, str], str] = {}

    def replace(self, file: TrackedFile, *, expected: os.stat_result | None = None) -> Replaced:
        """Give a file a link of the first type that works for it.

        Args:
            file: The file; its object is there and right.
            expected: What ``os.lstat`` said when its content was found right; a file that has
                changed since is left alone. ``None`` replaces whatever is there.

        Raises:
            OSError: The disk is full, read-only or refuses; the file is as it was.
        """
        directory = os.path.dirname(file.path)  # noqa: PTH120  done by the thousand
        reason = ""
        for link_type in self.link_types:
            if link_type == "copy" and reason and not self.allow_copy:
                return Replaced(reason=reason, is_impossible=True)
            if file.state.is_as_wanted(link_type, file.size_bytes):
                return Replaced(link_type, None, reason)
            known = self._impossible.get((link_type, directory))
            if known:
                reason = reason or known
                continue
            try:
                status = self._replace(file, directory, link_type, expected)
            except FileNotFoundError:
                return Replaced(reason="it, or its object, vanished meanwhile")
            except OSError as error:
                if error.errno not in _FALL:
                    raise
                told = f"no {link_type}: {reason_of(error)}"
                if error.errno in _EVERYWHERE:
                    self._impossible[link_type, directory] = told
                reason = reason or told
                continue
            if status is None:
                return Replaced(reason="it changed meanwhile")
            return Replaced(link_type, status, reason)
        return Replaced(reason=reason, is_impossible=True)

    def _replace(
        self,
        file: TrackedFile,
        directory: str,
        link_type: str,
        expected: os.stat_result | None,
    ) -> os.stat_result | None:
        temporary = f"{directory}/{_PREFIX}{self._run}{next(self._numbers):08x}"
        # An object may itself be a link, where a cache of DVC 2 was migrated.
        source = os.path.realpath(file.object_path) if link_type == "hardlink" else file.object_path
        is_empty_name = link_type == "hardlink" and os.stat(source).st_size == 0  # noqa: PTH116
        try:
            MAKE["copy" if is_empty_name else link_type](source, temporary)
            if link_type in ("reflink", "copy") or is_empty_name:
                os.chmod(temporary, self._mode(file))  # noqa: PTH101
            else:
                self._protect(source, is_executable=file.is_executable)
            status = os.stat(temporary)  # noqa: PTH116
            is_unchanged = expected is None or _is_unchanged(file.path, expected)
            if is_unchanged:
                os.replace(temporary, file.path)  # noqa: PTH105
        except BaseException:
            _remove(temporary)
            raise
        if link_type == "hardlink" or not is_unchanged:
            _remove(temporary)  # replacing a name by another name of the same file does nothing
        return status if is_unchanged else None

    def _mode(self, file: TrackedFile) -> int:
        """Return the mode of a file of its own: writable, and executable if it was or should be."""
        mode = self.copy_mode
        try:
            was_executable = bool(os.stat(file.path).st_mode & 0o111)  # noqa: PTH116
        except OSError:
            was_executable = False
        # Reading and executing go together, as for a shell's umask.
        return mode | (mode & 0o444) >> 2 if was_executable or file.is_executable else mode

    def _protect(self, source: str, *, is_executable: bool) -> None:
        """Give an object DVC's protection; where that is refused, DVC goes on as well."""
        mode = PROTECTED_MODE | (stat.S_IXUSR if is_executable else 0)
        with suppress(OSError):
            now = stat.S_IMODE(os.stat(source).st_mode)  # noqa: PTH116
            if now not in (mode, PROTECTED_MODE | stat.S_IXUSR):
                os.chmod(source, mode)  # noqa: PTH101


@contextmanager
def make_beside(path: str, source: str, link_types: Sequence[str]) -> Iterator[str]:
    """Make a file beside ``path`` of the first type that works; it is gone if nobody renames it.

    Raises:
        OSError: None of the types works.
    """
    temporary = f"{os.path.dirname(path)}/{_PREFIX}{secrets.token_hex(8)}"  # noqa: PTH120
    try:
        for link_type in link_types:
            try:
                MAKE[link_type](source, temporary)
                break
            except OSError as error:
                if error.errno not in _FALL or link_type == link_types[-1]:
                    raise
        yield temporary
    finally:
        _remove(temporary)


def remove_left_behind(directories: Iterable[str]) -> int:
    """Remove what a killed run left in these directories, and return how many files that were.

    Such a file is a link or a copy that never got its name; nothing else has such a name.

    Raises:
        OSError: A directory cannot be read or written.
    """
    removed = 0
    for directory in directories:
        try:
            with os.scandir(directory) as found:
                names = [entry.name for entry in found if _LEFT_BEHIND.fullmatch(entry.name)]
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            os.unlink(f"{directory}/{name}")  # noqa: PTH108
            removed += 1
    return removed


def _is_unchanged(path: str, expected: os.stat_result) -> bool:
    try:
        now = os.lstat(path)
    except FileNotFoundError:
        return False
    seen = ("st_ino", "st_mode", "st_size", "st_mtime_ns")
    return all(getattr(now, name) == getattr(expected, name) for name in seen)


def _remove(temporary: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(temporary)  # noqa: PTH108


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
