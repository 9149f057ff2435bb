"""How long the image takes to build: cold, beside a naive Dockerfile, and with one package more.

    python -m benchmarks.image_build [--base IMAGE] [--ca FILE] [--limit MINUTES]

Every build starts without a layer and with an empty package cache of its own, so nobody's cache is
emptied for it; images, layers and caches are removed at the end. It takes 20 GB of disk and half an
hour, nearly all of it pip's search for versions that fit together.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from scripts.crossing.network import find_ca_bundle
from scripts.environment.lock import read_pins
from scripts.errors import CommandFailed, SlipwayError
from scripts.process import run
from scripts.report import duration_text
from scripts.settings import read_settings

ROOT = Path(__file__).resolve().parents[1]
CONTEXT = ("Dockerfile", ".dockerignore", "apt.txt", "environment.lock", "environment.txt")

NAIVE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ARG LIMIT_S
COPY environment.txt constraints.txt /
RUN --mount=type=secret,id=ca \\
    if [ -f /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi \\
    && python3 -m venv /opt/environment \\
    && /opt/environment/bin/pip install --no-cache-dir --upgrade pip \\
    && timeout ${LIMIT_S} /opt/environment/bin/pip install --no-cache-dir \\
        -r /environment.txt -c /constraints.txt
"""
"""What is written without a second thought, with a new pip and no cache left in the layer."""

ADDED = """\
cowsay==6.1 \\
    --hash=sha256:274b1e6fc1b966d53976333eb90ac94cb07a450a700b455af9fbdf882244b30a
"""
"""One small package of pure Python, as `./inv lock` would pin it."""


@dataclass(frozen=True)
class Bench:
    """What all builds of one run share."""

    name: str
    base: str
    ca: Path | None

    def build(self, tag: str, context: Path, *options: str) -> float:
        """Build an image and return how many seconds that took."""
        secret = ["--secret", f"id=ca,src={self.ca}"] if self.ca else []
        start = time.perf_counter()
        run(
            ["docker", "build", "--progress", "plain", "--tag", f"{self.name}:{tag}",
             "--build-arg", f"BASE_IMAGE={self.base}", *secret, *options, str(context)],
            env={"DOCKER_BUILDKIT": "1"},
        )  # fmt: skip
        return time.perf_counter() - start

    def remove(self, tags: tuple[str, ...], kept: frozenset[str]) -> None:
        """Remove images, and of BuildKit's cache what is not in ``kept``."""
        images = [f"{self.name}:{tag}" for tag in tags]
        run(["docker", "image", "rm", "--force", *images], check=False)
        left = cache_records() - kept
        while left:  # a record goes only after those that stand on it
            for record in left:
                run(["docker", "builder", "prune", "--force", "--filter", f"id={record}"])
            before, left = left, left & cache_records()
            if left == before:
                return


def main(argv: list[str]) -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.image_build")
    parser.add_argument("--base", help="base image of both builds; by default BASE_IMAGE's")
    parser.add_argument("--ca", type=Path, help="certificates (PEM); by default the host's")
    parser.add_argument("--skip-naive", action="store_true", help="measure Slipway's builds only")
    parser.add_argument(
        "--limit", type=float, default=30, help="minutes after which pip's search is stopped"
    )
    options = parser.parse_args(argv)
    settings = read_settings(ROOT).container
    bench = Bench(
        name=f"slipway-benchmark-{uuid.uuid4().hex[:8]}",
        base=options.base or settings.base_image,
        ca=options.ca or find_ca_bundle(settings.ca_bundle, os.environ),
    )
    pins = read_pins((ROOT / "environment.lock").read_text(encoding="utf-8"))
    versions = "".join(f"{name}=={version}\n" for name, (version,) in pins.items())
    with tempfile.TemporaryDirectory(prefix="slipway-benchmark-") as directory:
        first_s, added_s = measure_ours(bench, Path(directory) / "first")
        show("Slipway, one small package added", added_s)
        show("Slipway, cold", first_s)
        if options.skip_naive:
            return
        # The second time after the others: what else the machine does changes in the meantime.
        limit_s = options.limit * 60
        naive_s = measure_naive(bench, Path(directory) / "naive", "", limit_s)
        over = "> " if naive_s >= limit_s else ""
        show("naive: pip install -r, cold", naive_s, over=over)
        told_s = measure_naive(bench, Path(directory) / "told", versions, limit_s)
        show("the same, told the lock's versions", told_s)
        second_s, _ = measure_ours(bench, Path(directory) / "second")
        show("Slipway, cold, again", second_s)
    cold_s = (first_s + second_s) / 2
    show("naive : Slipway", naive_s / cold_s, "x", over=over)
    show("naive, told versions : Slipway", told_s / cold_s, "x")


def measure_ours(bench: Bench, context: Path) -> tuple[float, float]:
    """Return the seconds of a cold build, and of the next one with a package more."""
    context.mkdir()
    for name in CONTEXT:
        shutil.copyfile(ROOT / name, context / name)
    dockerfile = context / "Dockerfile"
    text, mounts = re.subn(
        r"--mount=type=cache,target=(\S+?)(?=[,\s])",
        rf"--mount=type=cache,id={bench.name}\1,target=\1",
        dockerfile.read_text(encoding="utf-8"),
    )
    if not mounts:
        raise SlipwayError("Dockerfile has no cache mount to give an empty cache to.")
    dockerfile.write_text(text, encoding="utf-8")
    kept = cache_records()
    try:
        cold_s = bench.build("cold", context, "--no-cache")
        with (context / "environment.lock").open("a", encoding="utf-8") as stream:
            stream.write(ADDED)
        added_s = bench.build("added", context)
        program = "import cowsay, torch"
        run(["docker", "run", "--rm", f"{bench.name}:added", "python", "-c", program])
    finally:
        bench.remove(("cold", "added"), kept)
    return cold_s, added_s


def measure_naive(bench: Bench, context: Path, constraints: str, limit_s: float) -> float:
    """Return the seconds of a cold build as most people would write it, or until it was stopped.

    With ``constraints`` pip is told the versions: then it installs what Slipway does, and does not
    search for versions that fit together.
    """
    context.mkdir()
    shutil.copyfile(ROOT / "environment.txt", context / "environment.txt")
    (context / "constraints.txt").write_text(constraints, encoding="utf-8")
    (context / "Dockerfile").write_text(NAIVE, encoding="utf-8")
    kept = cache_records()
    start = time.perf_counter()
    try:
        return bench.build("naive", context, "--no-cache", "--build-arg", f"LIMIT_S={limit_s:g}")
    except CommandFailed:
        elapsed_s = time.perf_counter() - start
        if elapsed_s < limit_s:  # it failed for a reason of its own
            raise
        return elapsed_s
    finally:
        bench.remove(("naive",), kept)


def cache_records() -> frozenset[str]:
    """Return the names of all that BuildKit's cache holds."""
    answer = run(["docker", "buildx", "du", "--verbose"])
    return frozenset(re.findall(r"^ID:\s+(\S+)", answer.stdout, re.MULTILINE))


def show(what: str, value: float, unit: str = "", *, over: str = "") -> None:
    """Print one row, at once: the next may take minutes. ``over`` marks what was stopped."""
    text = f"{value:.1f} {unit}" if unit else duration_text(value)
    print(f"{what:<36}{over + text:>16}", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SlipwayError as error:
        sys.exit(f"{error.message}\n{error.hint}".strip())
