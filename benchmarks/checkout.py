"""How long `dvc checkout` takes inside the container and on the host, and what it adds to the disk.

    python -m benchmarks.checkout [--filesystem btrfs|xfs|ext4] [--files N] [--runs N]

As root: it mounts a file system of its own, clones this repository into it beside a shared cache,
and brings a container up there. Beside it runs the container that people write themselves, with
workspace and cache mounted at two places. The checkouts alternate, so that a busy machine slows
them all; each begins with none of the data in the workspace and none of the cache in memory, DVC's
own program read. The host's DVC runs on the Python that runs this: with another version than the
container's 3.9, the ratio is also one of two Pythons.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from scripts.process import run
from tests.filesystems import KINDS, MIB, mounted
from tests.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

NAIVE = "slipway-benchmark-naive"
NAIVE_PLACES = ("/naive/project", "/naive/cache")


def main(argv: Sequence[str]) -> None:
    """Measure, for each link type that the file system has, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filesystem", choices=KINDS, default="btrfs")
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--file-bytes", type=int, default=70_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args(argv)
    data_bytes = options.files * options.file_bytes
    with mounted(options.filesystem, size_bytes=3 * data_bytes + 2048 * MIB) as place:
        project = Workspace(place / "team" / "project")
        cache = place / "team" / "cache"
        cache.mkdir()
        try:
            prepare(project, cache, options.files, options.file_bytes)
            for link_type in ("reflink", "hardlink"):
                if link_type == "reflink" and options.filesystem == "ext4":
                    continue
                measure(project, cache, link_type, data_bytes, options.runs)
            whole_report(project)
        finally:
            run(["docker", "rm", "--force", NAIVE], check=False)
            project.remove()


def prepare(project: Workspace, cache: Path, files: int, file_bytes: int) -> None:
    """Bring the container up and let DVC track ``files`` files."""
    project.write_env(DVC_CACHE_DIR=str(cache))
    project.up()
    require(project, "dvc-init")
    for number in range(files):
        path = project.root / "data" / f"{number % 100:02}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(file_bytes))
    require(project, "exec", "--", "dvc", "add", "--quiet", "data")


def measure(project: Workspace, cache: Path, link_type: str, data_bytes: int, runs: int) -> None:
    """Check the data out in turns on the host, inside, and in the naive container."""
    require(project, "cache", "--use", link_type, "--yes")
    start_naive(project, cache)
    naive = ["docker", "exec", "--workdir", NAIVE_PLACES[0], NAIVE, "dvc"]
    inside = ["docker", "exec", "--workdir", str(project.root), project.container_id(), "dvc"]
    sides: dict[str, Callable[..., object]] = {
        "host": lambda *words: run([sys.executable, "-m", "dvc", *words], cwd=project.root),
        "inside": lambda *words: run([*inside, *words]),
        "two mounts": lambda *words: run_naive(project, [*naive, *words], link_type),
    }
    elapsed_s: dict[str, list[float]] = {name: [] for name in sides}
    added_bytes: dict[str, int] = {}
    names = list(sides)
    for turn in range(runs):
        # Each follows each: what one leaves behind is not always the same one to suffer.
        for name in (*names[turn % 3 :], *names[: turn % 3]):
            dvc = sides[name]
            shutil.rmtree(project.root / "data")
            free_before = settle(project.root)
            dvc("checkout", "--help")
            started = time.perf_counter()
            dvc("checkout", "--quiet")
            elapsed_s[name].append(time.perf_counter() - started)
            added_bytes[name] = free_before - settle(project.root)
    print(f"\n{link_type}: `dvc checkout` of {data_bytes / 1e9:.1f} GB, medians of {runs}")
    medians = {name: statistics.median(elapsed_s[name]) for name in names}
    for name, median in medians.items():
        share = added_bytes[name] / data_bytes
        print(
            f"  {name:<11} {median:6.2f} s   {median / medians['host']:5.2f} x the host"
            f"   {added_bytes[name] / 1e6:8.1f} MB more on disk ({share:.1%})"
        )


def start_naive(project: Workspace, cache: Path) -> None:
    """Start the container that people write: workspace and cache mounted at two places."""
    run(["docker", "rm", "--force", NAIVE], check=False)
    mounts = zip((project.root, cache), NAIVE_PLACES)
    volumes = [word for source, target in mounts for word in ("--volume", f"{source}:{target}")]
    image = project.image
    run(
        [
            "docker",
            "run",
            "--detach",
            "--init",
            "--name",
            NAIVE,
            *volumes,
            image,
            "sleep",
            "infinity",
        ]
    )


def run_naive(project: Workspace, command: Sequence[str], link_type: str) -> None:
    """Run DVC in the naive container, whose cache is elsewhere; put the configuration back."""
    local = project.root / ".dvc" / "config.local"
    before = local.read_text(encoding="utf-8")
    text = f"[cache]\n    dir = {NAIVE_PLACES[1]}\n    type = {link_type},copy\n"
    local.write_text(text, encoding="utf-8")
    try:
        run(command)
    finally:
        local.write_text(before, encoding="utf-8")


def whole_report(project: Workspace) -> None:
    """Time `./inv cache` on the whole project, and the probe in it."""
    started = time.perf_counter()
    report = project.json("cache")
    print(f"\n./inv cache: {time.perf_counter() - started:.2f} s")
    probe = report["probe_s"]
    print(f"  the probe in it: outside {probe['outside'] * 1000:.0f} ms,", end=" ")
    print(f"inside {probe['inside'] * 1000:.0f} ms")


def settle(root: Path) -> int:
    """Write everything out, forget what is in memory, and return the free bytes."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3", encoding="ascii")
    return os.statvfs(root).f_bfree * os.statvfs(root).f_frsize


def require(project: Workspace, *arguments: str) -> None:
    """Run a task of Slipway's, which must work."""
    done = project.inv(*arguments)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
