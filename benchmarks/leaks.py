"""How long `./inv leaks` takes, beside `docker save` alone, which is the engine's part of it.

    python -m benchmarks.leaks [--runs N]

The container of this workspace must be up. The secrets are made up: five, in every form. Searched
the first time, and again for the same secrets; file by file with one pattern, as it once was, for
comparison. The runs alternate, so that a busy machine slows all of them.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import process
from scripts.container.needles import forms
from scripts.container.overlay import written_image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).resolve().parents[1]
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAPLANTED7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "planted/secret+7f3a9c<1>",
    "HF_TOKEN": "hf_plantedsecret5c1b",
    "WANDB_API_KEY": "planted-wandb-0d4e8b",
    "UV_INDEX": "https://ada:planted-index-5b1e@index.test/simple",
}


def main(argv: Sequence[str]) -> None:
    """Measure all four and print the median of each, and its ratio to `docker save`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args(argv)
    image = written_image(ROOT)
    elapsed_s: dict[str, list[float]] = {}
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as cache:
            measured: dict[str, Callable[[], None]] = {
                "docker save": lambda: save(image),
                "./inv leaks": lambda: leaks(cache),
                "./inv leaks, again": lambda: leaks(cache),
                "file by file, one pattern": lambda: by_file(image),
            }
            for name, measure in measured.items():
                started = time.perf_counter()
                measure()
                elapsed_s.setdefault(name, []).append(time.perf_counter() - started)
    medians = {name: statistics.median(times) for name, times in elapsed_s.items()}
    for name, median in medians.items():
        print(f"{name:<28} {median:6.1f} s   {median / medians['docker save']:5.2f}")


def save(image: str) -> None:
    """Let the engine hand out an image, and drop it."""
    with process.streamed(["docker", "save", image]) as stream:
        while stream.read(1 << 20):
            pass


def leaks(cache: str) -> None:
    """Search as a person does, whose record is in ``cache``."""
    command = [sys.executable, "-m", "invoke", "leaks"]
    process.run(command, cwd=ROOT, env={**os.environ, **SECRETS, "XDG_CACHE_HOME": cache})


def by_file(image: str) -> None:
    """Take every layer apart and search each file for one pattern of all forms."""
    needles = [re.escape(form) for value in SECRETS.values() for form in forms(value)]
    pattern = re.compile(b"|".join(needles))
    with process.streamed(["docker", "save", image]) as stream, \
            tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 20) as saved:  # fmt: skip
        for member in saved:
            layer = saved.extractfile(member) if member.isreg() else None
            if layer is None or member.size < (1 << 20):
                continue
            with tarfile.open(fileobj=layer, mode="r|", bufsize=1 << 20) as files:
                for file in files:
                    content = files.extractfile(file) if file.isreg() else None
                    while content is not None and (chunk := content.read(4 << 20)):
                        pattern.search(chunk)


if __name__ == "__main__":
    main(sys.argv[1:])
