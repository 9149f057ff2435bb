"""A search as a person runs it: killed, interrupted, gone on with; looked at; what is wrong."""

from __future__ import annotations

import json
import signal
import sqlite3
from typing import Any

import pytest

from desk import TINY, Desk, await_seen

SPACE = ("optimizer.lr=choice(0.01,10)", "trainer.max_epochs=choice(1,40)")
SEARCH = (
    "train", "hparams_search=cats_dogs", *TINY[:3], "model.dropout=0", "loss=cross_entropy",
    "optimizer=sgd", "logger=none", "callbacks.pictures.every_n_epochs=100", *SPACE,
    "+trainer.limit_val_batches=1", "hydra.sweeper.n_trials=3",
    "hydra.sweeper.max_failure_rate=0.5",
    # With this seed: one epoch, then 40 of them, then 40 at a rate that ends in no number.
    "hydra.sweeper.sampler.seed=83",
    "hydra.sweeper.pruner._target_=optuna.pruners.ThresholdPruner",
    "~hydra.sweeper.pruner.n_startup_trials", "+hydra.sweeper.pruner.lower=2",
    "hydra.sweeper.pruner.n_warmup_steps=7",
)  # fmt: skip
FOLDER = "runs/cats_dogs/search"


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk where a search was killed in its second trial, then interrupted, and then ended."""
    desk = Desk(tmp_path_factory.mktemp("searched"))
    log = desk.folder / FOLDER / "1" / "train.log"

    process = desk.start(*SEARCH, *desk.places())
    await_seen(lambda: "epoch 2/40" in log.read_text(), process)
    process.kill()
    process.communicate()
    assert [state for state, *_ in _trials(desk)] == ["COMPLETE", "RUNNING"]
    assert desk.record(f"{FOLDER}/1")["status"] == "running"
    before = (_trials(desk)[0], desk.record(f"{FOLDER}/0"))

    process = desk.start(*SEARCH, *desk.places())
    await_seen(lambda: "epoch 4/40" in log.read_text(), process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "The same command goes on" in err
    assert desk.record(f"{FOLDER}/1")["status"] == "interrupted"

    ended = desk.run(*SEARCH, *desk.places())
    assert ended.code == 0, ended.err
    assert (_trials(desk)[0], desk.record(f"{FOLDER}/0")) == before, "it was done already"
    return desk


def test_a_search_goes_on_where_it_was_broken_off(searched: Desk) -> None:
    trials = _trials(searched)
    assert [state for state, *_ in trials] == ["COMPLETE", "PRUNED", "FAIL"]
    assert [params["trainer.max_epochs"] for _, _, params in trials] == [0, 1, 1]
    record = searched.record(f"{FOLDER}/1")
    assert record["status"] == "pruned"
    assert [each["status"] for each in record["earlier"]] == ["killed", "interrupted"]
    assert not (searched.folder / FOLDER / "1/metrics.json").exists()
    lines = (searched.folder / FOLDER / "1/train.log").read_text().splitlines()
    epochs = [line.split("epoch ")[1].split("/")[0] for line in lines if "epoch " in line]
    assert list(dict.fromkeys(epochs)) == [str(number) for number in range(1, 9)]
    # An epoch's line comes before its checkpoint: a kill in between costs that epoch.
    assert epochs.count("1") == epochs.count("3") == 1
    assert trials[1][1] == list(range(8)), "each was reported"
    failed = searched.record(f"{FOLDER}/2")
    assert failed["status"] == "failed"
    assert failed["error"].startswith("TrainingError: The loss is ")
    value = searched.metrics(f"{FOLDER}/0")["best/val/accuracy"]
    results = (searched.folder / FOLDER / "optimization_results.yaml").read_text()
    assert f"best_value: {value}" in results


def test_a_second_run_repeats_nothing(searched: Desk) -> None:
    before = _trials(searched), _files(searched)
    ended = searched.run(*SEARCH, *searched.places())
    assert ended.code == 0, ended.err
    assert "3 of 3 trials are done" in ended.out
    assert (_trials(searched), _files(searched)) == before


def test_what_came_of_it_is_shown(searched: Desk) -> None:
    ended = searched.run("sweep", FOLDER)
    assert ended.code == 0, ended.err
    assert "1 complete, 1 pruned, 1 failed" in ended.out
    lines = [line.split() for line in ended.out.splitlines()]
    assert [line[:2] for line in lines if line[0] in "012"] == [
        ["0", "complete"], ["1", "pruned"], ["2", "failed"],
    ]  # fmt: skip
    page = searched.folder / FOLDER / "sweep.html"
    assert str(page) in ended.out
    text = page.read_text(encoding="utf-8")
    assert 'href="1/"' in text
    assert "TrainingError: The loss is " in text
    ended = searched.run("sweep", FOLDER, "--json", "--to", "elsewhere.html")
    told = json.loads(ended.out)
    assert told["counts"] == {"complete": 1, "pruned": 1, "failed": 1}
    assert told["best"]["params"] == {"optimizer.lr": 0.01, "trainer.max_epochs": 1}
    assert told["best"]["value"] == searched.metrics(f"{FOLDER}/0")["best/val/accuracy"]
    assert [trial["epochs"] for trial in told["trials"]][:2] == [1, 8]
    assert 'href="runs/cats_dogs/search/0/"' in (searched.folder / "elsewhere.html").read_text()


def test_a_trial_is_a_run_of_its_own_as_well(searched: Desk) -> None:
    before = _trials(searched)
    ended = searched.run("rerun", f"{FOLDER}/0", "--to", "runs/again")
    assert ended.code == 0, ended.err + ended.out
    assert _trials(searched) == before
    assert searched.record("runs/again")["config"]["trial"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["metric=val/loss"], "metric was val/accuracy, and is val/loss"),
        (["optimizer.lr=choice(0.01,1)"], "optimizer.lr had other values to search"),
        (["hydra.sweeper.direction=minimize"], "hydra.sweeper.direction was maximize"),
        (["hydra.sweeper.storage=sqlite:////no/such.db"], "hydra.sweeper.storage=sqlite:////no/su"),
        (["hparams_search=cat_dogs"], "Did you mean hparams_search=cats_dogs?"),
    ],
)
def test_what_does_not_fit_is_named(searched: Desk, words: list[str], said: str) -> None:
    before = _trials(searched)
    ended = searched.run(*SEARCH, *searched.places(), *words)
    assert ended.code == 2, ended.err
    assert said in ended.err
    assert "HINT " in ended.err
    assert _trials(searched) == before


def test_many_processes_leave_a_pruned_trial_together(searched: Desk) -> None:
    desk = searched
    ended = desk.run(
        *SEARCH, *desk.places(), "trainer=ddp_cpu", "trainer.max_epochs=2", "optimizer.lr=0.01",
        "model.width=choice(4,6)", "hydra.sweeper.n_trials=2", "hydra.sweeper.study_name=ddp",
        "hydra.sweeper.pruner.n_warmup_steps=0",
    )  # fmt: skip
    assert ended.code == 9, ended.err
    assert "None of the 2 trials was completed" in ended.err
    runs = {path.name for path in (desk.folder / "runs/cats_dogs").iterdir()}
    assert runs == {"search", "ddp"}, "the second process has no folder of its own"
    for number in range(2):
        assert desk.record(f"runs/cats_dogs/ddp/{number}")["status"] == "pruned"


def _trials(desk: Desk) -> list[tuple[str, list[int], dict[str, float]]]:
    """Return each trial of the study as its database has it: state, epochs reported, values.

    A value of several choices is the place of the one chosen.
    """
    trials = "select state, trial_id from trials order by number"
    epochs = "select step from trial_intermediate_values where trial_id = ? order by step"
    values = "select param_name, param_value from trial_params where trial_id = ?"
    with sqlite3.connect(desk.folder / FOLDER / "study.db") as database:
        return [
            (
                state,
                [step for (step,) in database.execute(epochs, [key])],
                dict(database.execute(values, [key])),
            )
            for state, key in database.execute(trials)
        ]


def _files(desk: Desk) -> dict[str, Any]:
    """Return when each file of the runs was written."""
    runs = [desk.folder / FOLDER / str(number) for number in range(3)]
    return {str(path): path.stat().st_mtime_ns for run in runs for path in run.rglob("*")}
