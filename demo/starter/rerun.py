"""`rerun RUN`: repeats a run from its record, and compares the metrics."""

from __future__ import annotations

import argparse
import math
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starter import facts
from starter.commands import PROJECT, exit_on_error
from starter.errors import EXIT_INTERRUPTED, ConfigError, StarterError
from starter.record import COMPLETE, read_record
from starter.recorded_data import check_out_data, data_words, tracked_data
from starter.resuming import LAST
from starter.words import alone, quoted
from starter.worktrees import recorded_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_CLOSE = 1e-5
"""How far metrics may differ: other processors add up in another order."""
_ASIDE = ("branch", "diff", "untracked", "untracked_in_diff")
"""Facts of git that say nothing of the code, or the same as others do."""


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="rerun", description=__doc__.split(": ")[1])
    parser.add_argument("run", type=Path, help="the run's folder, below runs/")
    parser.add_argument(
        "--as-recorded",
        action="store_true",
        help="with the code and data of then, in a git worktree that is removed afterwards; "
        "without, with today's",
    )
    parser.add_argument("--keep-code", action="store_true", help="leave that worktree there")
    parser.add_argument(
        "--to", type=Path, help="the new run's folder; beside the old one, if not given"
    )
    given = parser.parse_args()
    if given.keep_code and not given.as_recorded:
        parser.error("--keep-code goes with --as-recorded")
    _end_as_by_ctrl_c()
    with exit_on_error():
        run: Path = given.run.resolve()
        new = (given.to or next_free(run)).resolve()
        repeat(run, new, as_recorded=given.as_recorded, keep_code=given.keep_code)


def repeat(run: Path, new: Path, *, as_recorded: bool = False, keep_code: bool = False) -> None:
    """Repeat a run and compare.

    Args:
        run: Its folder.
        new: The folder of the repetition.
        as_recorded: Use the code and data of then.
        keep_code: Leave the worktree with them there.

    Raises:
        ConfigError: It was not a training run that ended well, or its code is gone.
        StarterError: The run fails now, or its metrics differ.
    """
    record = read_record(run)
    if record["kind"] != "train" or record["status"] != COMPLETE:
        raise ConfigError(
            f"{run} is a {record['status']} run of `{record['kind']}`.",
            hint="Only a complete run of `train` can be compared; `train resume=RUN` goes on.",
        )
    kept = [word for word in record["overrides"] if not _is_of_a_place(word, run)]
    with ExitStack() as stack:
        project = PROJECT
        if as_recorded:
            place = new.with_name(f"{new.name}_code")
            git = record["facts"]["git"]
            project = stack.enter_context(recorded_code(run, git, place, keep=keep_code))
            for name in not_recorded(git):
                print(f"note  {name} was not in git, and so is not in the record", flush=True)
            checked_out = check_out_data(project, tracked_data(record))
            kept += data_words(record, project if checked_out else None)
        now = facts.observe(run, project, keep_diff=False)
        for line in differences(record["facts"], now):
            print(f"note  {line}", flush=True)
        _train(project, [*alone(kept), f"hydra.run.dir={quoted(new)}"], record["directory"], new)
    different = compare(record["metrics"], read_record(new)["metrics"])
    if different:
        raise StarterError(
            f"{', '.join(different)}: {new} differs from {run}.",
            hint="The notes above say what else differs: code, data, environment or machine."
            + (
                "" if as_recorded else " `rerun --as-recorded RUN` takes the code and data of then."
            ),
        )
    print(f"{new} repeats {run}.")


def _is_of_a_place(word: str, run: Path) -> bool:
    """Tell whether a word says where the run was: its folder, or its checkpoint to go on from."""
    own = str(Path(run.name) / LAST)
    return word.startswith("hydra.") or (
        word.startswith("ckpt_path=") and word.rstrip("'").endswith(own)
    )


def _train(project: Path, words: Sequence[str], directory: str, new: Path) -> None:
    """Run a project's `train`; where this process is to end, it is told, and awaited."""
    command = project / "bin" / "train"
    if not command.is_file():
        raise ConfigError(f"The code of then has no {command.relative_to(project.parent)}.")
    folder = Path(directory)
    process = subprocess.Popen(
        [sys.executable, str(command), *words],
        cwd=folder if folder.is_dir() else project,
        start_new_session=True,  # Ctrl-C reaches it through here, once
    )
    interrupted = False
    while process.poll() is None:
        try:
            process.wait()
        except KeyboardInterrupt:
            interrupted = True
            process.send_signal(signal.SIGINT)
    if interrupted:
        raise SystemExit(EXIT_INTERRUPTED)  # `train` has said so
    if process.returncode:
        raise StarterError(f"The run in {new} ended with exit code {process.returncode}.")


def _end_as_by_ctrl_c() -> None:
    """Let a signal to end, or a terminal that closes, leave nothing behind."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Print both runs' metrics, and return the names of those that differ."""
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
    return different


def not_recorded(git: Mapping[str, Any]) -> list[str]:
    """Return the files and folders of then that neither git nor the record has."""
    kept = git.get("untracked_in_diff", ())
    inside = [name for name in git.get("untracked", ()) if name.startswith(git.get("project", ""))]
    return [name for name in inside if not any(each.startswith(name) for each in kept)]


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield in what code, data, environment and machine differ from those of a record."""
    for group, values in before.items():
        for key, old in values.items():
            new = now[group].get(key)
            if key not in _ASIDE and new != old:
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
