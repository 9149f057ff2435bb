"""Where a disk store writes what is unfinished: a directory for each writer, locked as it lives."""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import tempfile
import threading
from pathlib import Path

INCOMING = ".slipway-incoming"
_LOCK = "lock"
_TRIES = 100


class Incoming:
    """The unfinished objects of one writer below ``root``, and those that others left over.

    A killed writer loses the lock on its directory; a slow one does not.
    """

    def __init__(self, root: Path) -> None:
        self._top = root / INCOMING
        self._own: Path | None = None
        self._lock = -1
        self._making = threading.Lock()
        self._numbers = itertools.count()

    def make_file(self, name: str) -> tuple[int, str]:
        """Make a new file; return its descriptor and path.

        Raises:
            OSError: It cannot be made.
        """
        with self._making:
            path = f"{self._own or self._make_own()}/{name}-{next(self._numbers)}"
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            return os.open(path, flags, 0o600), path

    def _make_own(self) -> Path:
        """Make the own directory; other migrations may take away what is empty or not locked yet.

        Raises:
            OSError: It cannot be made, or is taken away each time.
        """
        for left in reversed(range(_TRIES)):
            try:
                self._top.mkdir(exist_ok=True)
                directory = Path(tempfile.mkdtemp(dir=self._top))
                lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            except (FileExistsError, FileNotFoundError):
                if not left:
                    raise
                continue
            if _try_lock(lock):
                self._own, self._lock = directory, lock
                return directory
            os.close(lock)
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(self._top))

    def clean(self) -> int:
        """Remove what writers that are gone left over; return how many files these had begun.

        The own directory goes as well if nothing is being written.

        Raises:
            OSError: Something cannot be removed.
        """
        with self._making:
            if self._own is not None and _entries(self._own) == [self._own / _LOCK]:
                (self._own / _LOCK).unlink()
                _remove_if_empty(self._own)
                os.close(self._lock)
                self._own = None
        removed = sum(
            _remove_unlocked(directory)
            for directory in _entries(self._top)
            if directory != self._own
        )
        _remove_if_empty(self._top)
        return removed


class FileSystemSync:
    """The wait until what threads have written is on the disk: one wait for all that wait by then.

    An error of the disk is told to one open file only, so it is kept, for whoever waits after it.

    Args:
        directory: Any that is on the file system.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._changed = threading.Condition()
        self._begun = self._done = 0
        self._failure: OSError | None = None

    def wait(self) -> None:
        """Return once all that was written before the call is on the disk.

        Since Linux 5.8 it tells of what could not be written, too.

        Raises:
            OSError: It cannot be written.
        """
        with self._changed:
            serves_me = self._begun + 1  # the first that begins from here on
            while self._done < serves_me and self._failure is None:
                if self._done == self._begun:
                    self._begin()
                else:
                    self._changed.wait()
            if self._failure is not None:
                raise self._failure

    def _begin(self) -> None:
        """Sync for all that wait by now; others may begin to wait meanwhile."""
        self._begun += 1
        self._changed.release()
        failure: OSError | None = OSError(errno.EINTR, os.strerror(errno.EINTR))
        try:
            _sync_file_system(self._directory)
            failure = None
        except OSError as error:
            failure = error
        finally:
            self._changed.acquire()
            self._done, self._failure = self._begun, self._failure or failure
            self._changed.notify_all()


def _sync_file_system(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(directory))
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Return once the names in ``directory`` are on the disk.

    Raises:
        OSError: They cannot be written.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove_unlocked(directory: Path) -> int:
    """Remove the directory of a writer that is gone; return how many objects it had begun.

    Another migration may be doing the same. What only another user may open stays.
    """
    try:
        lock = os.open(directory / _LOCK, os.O_RDWR)
    except FileNotFoundError:  # it is being made, or was when its writer died
        _remove_if_empty(directory)
        return 0
    except PermissionError:
        return 0
    try:
        if not _try_lock(lock):
            return 0
        begun = [path for path in _entries(directory) if path.name != _LOCK]
        for path in [*begun, directory / _LOCK]:
            path.unlink(missing_ok=True)
        _remove_if_empty(directory)
        return len(begun)
    finally:
        os.close(lock)


def _remove_if_empty(directory: Path) -> None:
    """Remove it, unless somebody else has begun to use it again, or has removed it."""
    try:
        directory.rmdir()
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ENOTEMPTY}:
            raise


def _try_lock(descriptor: int) -> bool:
    """Lock an open file; return whether that succeeded, and the file still has a name."""
    import fcntl  # noqa: PLC0415  not on Windows, where the rest of this module can be imported

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0
