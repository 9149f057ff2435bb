"""`rerun RUN`: repeats a run from its record, and compares the metrics."""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starter import facts
from starter.commands import PROJECT, exit_on_error
from starter.errors import ConfigError, StarterError
from starter.record import COMPLETE, read_record
from starter.words import alone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CLOSE = 1e-5
"""How far metrics may differ: other processors add up in another order."""


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="rerun", description=__doc__.split(": ")[1])
    parser.add_argument("run", type=Path, help="the run's folder, below runs/")
    parser.add_argument(
        "--to", type=Path, help="the new run's folder; beside the old one, if not given"
    )
    given = parser.parse_args()
    with exit_on_error():
        run: Path = given.run.resolve()
        repeat(run, (given.to or next_free(run)).resolve())


def repeat(run: Path, new: Path) -> None:
    """Repeat a run and compare.

    Raises:
        ConfigError: It was not a training run that ended well.
        StarterError: The run fails now, or its metrics differ.
    """
    record = read_record(run)
    if record["kind"] != "train" or record["status"] != COMPLETE:
        raise ConfigError(
            f"{run} is a {record['status']} run of `{record['kind']}`.",
            hint="Only a complete run of `train` can be compared; `train resume=RUN` goes on.",
        )
    for line in differences(record["facts"], facts.observe(run, keep_diff=False)):
        print(f"note  {line}")
    kept = [word for word in record["overrides"] if not word.startswith(("hydra.", "ckpt_path="))]
    command = [
        sys.executable,
        str(PROJECT / "bin" / "train"),
        *alone(kept),
        f"hydra.run.dir='{new}'",
    ]
    ended = subprocess.run(command, cwd=record["directory"], check=False)
    if ended.returncode:
        raise StarterError(f"The run in {new} ended with exit code {ended.returncode}.")
    compare(record["metrics"], read_record(new)["metrics"], run, new)


def compare(before: Mapping[str, Any], now: Mapping[str, Any], run: Path, new: Path) -> None:
    """Print both runs' metrics.

    Raises:
        StarterError: They differ.
    """
    different = []
    for name in sorted({*before, *now}):
        old, repeated = before.get(name), now.get(name)
        same = old == repeated or (
            old is not None
            and repeated is not None
            and math.isclose(old, repeated, rel_tol=_CLOSE, abs_tol=_CLOSE)
        )
        print(f"{'same' if same else 'DIFFERS':8}{name:22}{old}  {repeated}")
        if not same:
            different.append(name)
    if different:
        raise StarterError(
            f"{', '.join(different)}: {new} differs from {run}.",
            hint="The notes above say what else differs: code, data, environment or machine.",
        )
    print(f"{new} repeats {run}.")


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield in what code, data, environment and machine differ from those of a record."""
    for group, values in before.items():
        for key, old in values.items():
            new = now[group].get(key)
            if key not in ("untracked", "branch", "diff") and new != old:
                yield f"{group}.{key} was {old}, and is {new}"
    for key in sorted(set(now["data"]) - set(before["data"])):
        yield f"data.{key} was not there"


def next_free(run: Path) -> Path:
    """Return a name for a repetition beside a run that is not taken."""
    number = 1
    while run.with_name(f"{run.name}_again{number}").exists():
        number += 1
    return run.with_name(f"{run.name}_again{number}")


if __name__ == "__main__":
    main()
