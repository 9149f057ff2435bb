"""How long it takes to find that nothing is to be done, beside peers on the same container.

    python -m benchmarks.nothing_to_do [--runs N] [--devcontainer PROGRAM]

`./inv up` with its proof from inside beside `devcontainer up`, and `./inv --list` beside a bare
`invoke --list` of one task. The container must run. Runs of the two alternate, so that a busy
machine slows both; the medians are compared.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.process import run

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]
DEVCONTAINER = ROOT / "tests" / "integration" / "devcontainer" / "node_modules" / ".bin"
BARE_TASKS = """\
from invoke.tasks import task


@task
def hello(_):
    "Say hello."
"""


def main(argv: Sequence[str]) -> None:
    """Measure both pairs and print their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--devcontainer", default=str(DEVCONTAINER / "devcontainer"))
    options = parser.parse_args(argv)
    inv = str(ROOT / "inv")
    compare(
        ("./inv up", [inv, "up"]),
        ("devcontainer up", [options.devcontainer, "up", "--workspace-folder", str(ROOT)]),
        options.runs,
    )
    with tempfile.TemporaryDirectory() as bare:
        (Path(bare) / "tasks.py").write_text(BARE_TASKS, encoding="utf-8")
        listing = [sys.executable, "-m", "invoke", "--search-root", bare, "--list"]
        compare(
            ("./inv --list", [inv, "--list"]),
            ("invoke --list, one task", listing),
            options.runs,
        )


def compare(ours: tuple[str, Sequence[str]], theirs: tuple[str, Sequence[str]], runs: int) -> None:
    """Run two commands in turns; print the median of each, in seconds, and their ratio."""
    elapsed_s: dict[str, list[float]] = {ours[0]: [], theirs[0]: []}
    for _ in range(runs + 1):
        for name, command in (ours, theirs):
            started = time.perf_counter()
            run(command, cwd=ROOT)
            elapsed_s[name].append(time.perf_counter() - started)
    medians = [statistics.median(times[1:]) for times in elapsed_s.values()]  # the first warms up
    for (name, _command), median in zip((ours, theirs), medians):
        print(f"{name:<28} {median:6.3f} s")
    print(f"{'ratio':<28} {medians[0] / medians[1]:6.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
