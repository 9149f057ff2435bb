"""What came of a search: its trials, the best first; read from a study, or from records alone."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState, create_trial

from starter.changes import RECORD
from starter.errors import ConfigError
from starter.record import COMPLETE, FAILED, PRUNED, RUNNING, read_record, value_of
from starter.search import study as studies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from optuna.study import Study
    from optuna.trial import FrozenTrial

STUDY = "study.db"
_ENDS = {TrialState.COMPLETE: COMPLETE, TrialState.PRUNED: PRUNED, TrialState.FAIL: FAILED}
_STATES = {COMPLETE: TrialState.COMPLETE, PRUNED: TrialState.PRUNED}
_NO_VALUES = ("trial", "ckpt_path")
"""Words that a search adds to a run, which differ and were not searched."""
_ORDER = (COMPLETE, PRUNED, RUNNING)


@dataclass(frozen=True)
class Row:
    """A trial: how it ended, what it measured with which values, and where its run is."""

    number: int
    status: str
    value: float | None
    params: Mapping[str, Any]
    epochs: int | None
    elapsed_s: float | None
    run: Path
    reason: str = ""


@dataclass(frozen=True)
class Summary:
    """A search; its rows stand in order, the best first."""

    folder: Path
    study: Study
    metric: str
    rows: Sequence[Row]

    @property
    def best(self) -> Row | None:
        """The best of the trials that were completed."""
        return next((row for row in self.rows if row.status == COMPLETE), None)

    @property
    def counts(self) -> dict[str, int]:
        """How many trials stand in each way; those that may always be asked for are there."""
        counts = {COMPLETE: 0, PRUNED: 0, FAILED: 0}
        for row in self.rows:
            counts[row.status] = counts.get(row.status, 0) + 1
        return counts

    @property
    def params(self) -> list[str]:
        """The names of what was searched."""
        return list(dict.fromkeys(name for row in self.rows for name in row.params))

    def as_json(self) -> dict[str, Any]:
        """Return all of it for programs."""
        rows = [{**vars(row), "run": str(row.run), "params": dict(row.params)} for row in self.rows]
        numbers = [row.number for row in self.rows]
        return {
            "folder": str(self.folder),
            "study": self.study.study_name,
            "metric": self.metric,
            "direction": self.study.direction.name.lower(),
            "counts": self.counts,
            "best": rows[numbers.index(self.best.number)] if self.best else None,
            "trials": rows,
        }


def newest_sweep(runs_dir: Path) -> Path:
    """Return the folder of the search, or of the several runs, that was begun last.

    Raises:
        ConfigError: There is none.
    """
    found = [path for name in (STUDY, "multirun.yaml") for path in runs_dir.rglob(name)]
    if not found:
        raise ConfigError(
            f"There is no search in {runs_dir}.",
            hint="Run `train hparams_search=cats_dogs` first, or name the folder of one.",
        )
    return max(found, key=lambda path: path.stat().st_mtime).parent


def read_summary(folder: Path) -> Summary:
    """Read what came of a search, or of several runs of one command.

    Raises:
        ConfigError: The folder holds neither, or the study cannot be read.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder.", hint="Searches are below runs/.")
    if (folder / STUDY).is_file():
        return _of_study(folder)
    runs = sorted((path.parent for path in folder.glob(f"*/{RECORD}")), key=_place)
    if not runs:
        raise ConfigError(
            f"{folder} holds no search: neither {STUDY} nor folders of runs.",
            hint="Name the folder that holds the runs 0, 1, 2 ...; without, it is the newest.",
        )
    return _of_records(folder, runs)


def _of_study(folder: Path) -> Summary:
    url = f"sqlite:///{folder / STUDY}"
    study = studies.load(url)
    with studies.explained(url):
        trials = study.trials
    rows = [_row_of_trial(trial, folder / str(trial.number)) for trial in trials]
    metric = study.user_attrs.get(studies.ABOUT, {}).get("metric", "value")
    return Summary(folder, study, metric, _ranked(rows, study))


def _row_of_trial(trial: FrozenTrial, run: Path) -> Row:
    record = read_record(run) if (run / RECORD).is_file() else None
    # A trial that is not over is as its run is: in training, interrupted, killed.
    status = _ENDS.get(trial.state) or (record["status"] if record else RUNNING)
    return Row(
        number=trial.number,
        status=status,
        value=trial.value,
        params=trial.params,
        epochs=max(trial.intermediate_values, default=-1) + 1,
        elapsed_s=_elapsed_s(record) if record else None,
        run=run,
        reason=str(trial.system_attrs.get(studies.WHY, "")),
    )


def _of_records(folder: Path, runs: Sequence[Path]) -> Summary:
    """Read a summary of runs that no study chose: what differs between them are their values."""
    records = [read_record(run) for run in runs]
    words = [dict(word.partition("=")[::2] for word in each["overrides"]) for each in records]
    names = list(dict.fromkeys(name for each in words for name in each))
    differ = [name for name in names if len({each.get(name) for each in words}) > 1]
    varied = [name for name in differ if name not in _NO_VALUES]
    choices = {
        name: CategoricalDistribution(sorted({each.get(name, "") for each in words}))
        for name in varied
    }
    optuna.logging.set_verbosity(logging.WARNING)
    study = optuna.create_study(study_name=folder.name, direction="maximize")
    rows = []
    metric = str(records[0]["config"].get("metric", "value"))
    for number, (run, record, given) in enumerate(zip(runs, records, words)):
        params = {name: given.get(name, "") for name in varied}
        value = value_of(record["metrics"], metric)
        status = FAILED if record["status"] == COMPLETE and value is None else record["status"]
        state = _STATES.get(status, TrialState.FAIL)
        told = value if state.is_finished() and state != TrialState.FAIL else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.add_trial(
                create_trial(state=state, value=told, params=params, distributions=choices)
            )
        rows.append(
            Row(number, status, value, params, None, _elapsed_s(record), run, record["error"] or "")
        )
    return Summary(folder, study, metric, _ranked(rows, study))


def _ranked(rows: Sequence[Row], study: Study) -> list[Row]:
    """Return rows in order: what is complete by its value, then the others."""
    sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1

    def rank(row: Row) -> tuple[int, float, int]:
        group = _ORDER.index(row.status) if row.status in _ORDER else len(_ORDER)
        return group, 0.0 if row.value is None else sign * row.value, row.number

    return sorted(rows, key=rank)


def _elapsed_s(record: Mapping[str, Any]) -> float:
    """Return how long a run was trained, in all its attempts that ended by themselves."""
    return sum(each["elapsed_s"] or 0.0 for each in [*record["earlier"], record])


def _place(run: Path) -> tuple[int, str]:
    return (int(run.name) if run.name.isdigit() else -1, run.name)
