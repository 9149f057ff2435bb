"""Migrations in processes of their own, as the command runs them: to be killed, starved or seen."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from scripts import migration
from scripts.errors import SlipwayError
from scripts.migration.tuning import Tuning
from scripts.progress import SilentProgress
from tests.forked import SERVER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

    from scripts.progress import Phase

JOBS = 8
ENDS_WITHIN_S = 240


@dataclass(frozen=True)
class Wish:
    """A migration and what it is to suffer.

    Attributes:
        root: The project.
        source: The remote to read, by name.
        target: The remote to fill, by name.
        jobs: How many objects are in flight at once.
        dies_at: The phase boundary at which it kills itself, counted from 1: phase 1 begins, phase
            1 ends, phase 2 begins, and so on; 0 for never.
        rots_at: The phase boundary ("copying ends") at which a bit of ``rots`` flips.
        rots: A file; the modification time stays, as when a disk fails.
        open_files: How many files it may have open; 0 for the machine's own limit.
        unprivileged: Whether modes of files bind it, as they do not bind root.
        processes: Whether processes copy, as if there were thousands of objects: disk to disk, or
            between buckets of one server.
        lists_shards: Whether it lists buckets shard by shard, as if they held much more.
        in_parts: Whether what is large goes to a bucket in parts, as if it were larger by far.
    """

    root: Path
    source: str
    target: str
    jobs: int = JOBS
    dies_at: int = 0
    rots_at: str = ""
    rots: Path | None = None
    open_files: int = 0
    unprivileged: bool = False
    processes: bool = False
    lists_shards: bool = False
    in_parts: bool = False

    @property
    def tuning(self) -> Tuning:
        """What makes a few small objects do what many or large ones would."""
        tuning = Tuning()
        if self.processes:  # several lots for each
            tuning = replace(tuning, processes_from_objects=1, processes=2, lot_objects=5)
        if self.lists_shards:
            tuning = replace(tuning, page_objects=1)
        if self.in_parts:
            tuning = replace(tuning, most_whole_bytes=0)
        return tuning


@dataclass(frozen=True)
class Ending:
    """How a migration ended, as its caller sees it.

    Attributes:
        exit_code: As the command's.
        message: What a person is told if it is not 0.
        hint: And what to do.
        report: The JSON report, empty if it did not come to one.
        boundaries: The phase boundaries that it crossed: "copying begins".
        said: What else a person was told meanwhile.
    """

    exit_code: int
    message: str = ""
    hint: str = ""
    report: dict[str, Any] = field(default_factory=dict)
    boundaries: tuple[str, ...] = ()
    said: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return self.exit_code == 0 and self.report["complete"] is True

    @property
    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = self.report["counts"]
        return counts


class Running:
    """A migration at work."""

    def __init__(self, wish: Wish) -> None:
        self._ours, theirs = SERVER.Pipe()
        self._process = SERVER.Process(target=_migrate, args=(wish, theirs))
        self._process.start()
        theirs.close()
        assert self._ours.recv() == "begins"

    def kill(self) -> None:
        """Kill it at once, as a power cut would."""
        self._process.kill()

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGINT)

    def ended(self) -> Ending | None:
        """Wait for its end; return how it ended, or ``None`` if it was killed."""
        try:
            ending: Ending | str | None = (
                self._ours.recv() if self._ours.poll(ENDS_WITHIN_S) else "it did not end"
            )
        except EOFError:
            ending = None
        if isinstance(ending, str):
            self.kill()
        self._process.join(ENDS_WITHIN_S)
        assert not isinstance(ending, str), ending
        if ending is None:
            assert self._process.exitcode == -signal.SIGKILL
        self._process.close()
        self._ours.close()
        return ending


def migrate(wish: Wish) -> Ending:
    """Migrate, to the end."""
    ending = Running(wish).ended()
    assert ending is not None
    return ending


def run_apart(work: Any, *args: Any) -> Any:
    """Return ``work(*args)``, done in a process of its own; it must be a function of a module."""
    ours, theirs = SERVER.Pipe()
    process = SERVER.Process(target=_answer, args=(theirs, work, args))
    process.start()
    theirs.close()
    done, answer = ours.recv() if ours.poll(ENDS_WITHIN_S) else (False, "it did not end")
    ours.close()
    if not done:
        process.kill()
    process.join()
    process.close()
    assert done, answer
    return answer


def _answer(connection: Connection, work: Any, args: Any) -> None:
    try:
        answer = (True, work(*args))
    except Exception:  # noqa: BLE001  the test fails with it
        answer = (False, traceback.format_exc())
    connection.send(answer)


def _migrate(wish: Wish, connection: Connection) -> None:
    connection.send("begins")
    connection.send(migrate_here(wish))


def migrate_here(wish: Wish) -> Ending | str:
    """Migrate in this process; return how that ended, or the traceback of a bug."""
    if wish.open_files:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wish.open_files, most))
    if wish.unprivileged:
        give_up_capabilities()
    progress = _Boundaries(wish)
    report: dict[str, Any] = {}
    try:
        stores = migration.open_stores(wish.root, wish.source, wish.target, tuning=wish.tuning)
        stores = migration.paced(stores, migration.read_bandwidth(""))
        plan = migration.plan_migration(stores, jobs=wish.jobs, progress=progress)
        outcomes = migration.copy_objects(plan, stores, jobs=wish.jobs, progress=progress)
        done = migration.verify(plan, outcomes, stores, jobs=wish.jobs, progress=progress)
        report = done.as_json()
        migration.remember_complete(wish.root, stores, done, progress)
    except SlipwayError as error:
        return Ending(error.exit_code, error.message, error.hint, report, *progress.told)
    except Exception:  # noqa: BLE001  a bug; the test fails with it
        return traceback.format_exc()
    return Ending(0, "", "", report, *progress.told)


def give_up_capabilities() -> None:
    """Let root do from here on what the owner of its files may do, and no more."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3; this thread
    nothing = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, nothing):
        raise OSError(ctypes.get_errno(), "capset")


class _Boundaries(SilentProgress):
    """Notes where phases begin and end, and does there what is wished."""

    def __init__(self, wish: Wish) -> None:
        self.crossed: list[str] = []
        self.said: list[str] = []
        self._wish = wish

    @property
    def told(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return tuple(self.crossed), tuple(self.said)

    def say(self, message: str) -> None:
        self.said.append(message)

    @contextmanager
    def phase(
        self, name: str, *, total: int | None = None, unit: str = "objects"
    ) -> Iterator[Phase]:
        self._cross(f"{name} begins")
        with super().phase(name, total=total, unit=unit) as phase:
            yield phase
        self._cross(f"{name} ends")

    def _cross(self, boundary: str) -> None:
        self.crossed.append(boundary)
        if len(self.crossed) == self._wish.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if boundary == self._wish.rots_at and self._wish.rots:
            rot(self._wish.rots)


def rot(path: Path) -> None:
    """Flip a bit of a file, and of nothing else."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
