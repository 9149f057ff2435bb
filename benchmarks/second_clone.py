"""How long the first `./inv up` of a second clone takes, beside another version's.

    python -m benchmarks.second_clone [--runs N] [--than COMMIT]

Each run clones the committed work into a new directory, and brings it up from nothing but what
clones before it left on this machine; the first run of each version is not counted. Runs of the two
alternate, so that a busy machine slows both. Afterwards all is taken down.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.container.plan import project_name
from scripts.process import run

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]


def main(argv: Sequence[str]) -> None:
    """Measure both and print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--than", default="15542b9", help="the commit to compare with")
    options = parser.parse_args(argv)
    elapsed_s: dict[str, list[float]] = {"HEAD": [], options.than: []}
    for _ in range(options.runs + 1):
        for commit, times in elapsed_s.items():
            times.append(first_up_s(commit))
            print(f"{commit:<10} {times[-1]:6.2f} s", flush=True)
    medians = [statistics.median(times[1:]) for times in elapsed_s.values()]
    for commit, median in zip(elapsed_s, medians):
        print(f"{commit:<10} {median:6.2f} s, median of {options.runs}")
    print(f"{'ratio':<10} {medians[0] / medians[1]:6.2f}")


def first_up_s(commit: str) -> float:
    """Clone, bring up, take down; return how long bringing up took."""
    with tempfile.TemporaryDirectory(prefix="slipway-clone-") as directory:
        clone = Path(directory).resolve() / "project"
        run(["git", "clone", "--quiet", "--no-checkout", str(ROOT), str(clone)])
        named = run(["git", "rev-parse", commit], cwd=ROOT).stdout.strip()
        run(["git", "checkout", "--quiet", named], cwd=clone)
        (clone / ".env").write_text("PORTS=none\n", encoding="utf-8")
        started = time.perf_counter()
        run(["./inv", "up", "--yes"], cwd=clone)
        took_s = time.perf_counter() - started
        run(["./inv", "down"], cwd=clone)
        own = f"slipway-dev:{project_name(clone)}"  # as former versions called it
        run(["docker", "image", "rm", own], check=False)
        return took_s


if __name__ == "__main__":
    main(sys.argv[1:])
