"""Trials on Ray, as a person runs them: at once, failing, lost, broken off."""

from __future__ import annotations

import json
import os
import pickle
import signal
from datetime import datetime
from typing import Any

import pytest

from desk import TINY, Desk, await_seen
from starter.errors import StarterError, TrainingError
from starter.trials import connecting, running

LOCAL = ("hydra/launcher=ray_local", "+hydra.launcher.ray.init.num_cpus=2")


def test_trials_run_at_once_and_one_that_fails_is_named(desk: Desk) -> None:
    ended = desk.run(
        "train", "-m", *LOCAL, *TINY, *_places(desk), "optimizer=sgd",
        "optimizer.lr=0.01,0.02,5,0.03", "callbacks=none",
    )  # fmt: skip
    assert ended.code == 9, ended.err
    assert "4 trials, 2 at once, on 1 node of Ray" in ended.out
    assert "#2 failed: The loss is nan at batch" in ended.out
    assert "ERROR The loss is nan at batch" in ended.err
    assert "HINT  Lower optimizer.lr (now 5)" in ended.err
    assert "Traceback" not in ended.err
    records = [desk.record(f"sweep/{number}") for number in range(4)]
    statuses = [record["status"] for record in records]
    assert statuses == ["complete", "complete", "failed", "complete"]
    assert all(desk.metrics(f"sweep/{number}")["test/accuracy"] >= 0 for number in (0, 1, 3))
    first, second = records[:2]
    assert _at_once(first, second)
    assert {record["facts"]["hardware"]["threads"] for record in records} == {"1"}
    assert first["command"].startswith("train -m hydra/launcher=ray_local")
    assert first["directory"] == str(desk.folder)
    assert "optimizer.lr=0.01" in first["overrides"]


def test_a_lost_trial_goes_on_and_ctrl_c_ends_all(desk: Desk) -> None:
    process = desk.start(
        "train", "-m", *LOCAL, *TINY, *_places(desk), "optimizer.lr=0.001,0.002",
        "trainer.max_epochs=100000",
    )  # fmt: skip
    try:
        logs = [desk.folder / f"sweep/{number}/train.log" for number in range(2)]
        await_seen(lambda: all("epoch 2/" in log.read_text() for log in logs), process)
        os.kill(desk.record("sweep/1")["process"]["pid"], signal.SIGKILL)
        await_seen(lambda: bool(desk.record("sweep/1")["earlier"]), process)
        last = logs[1].read_text().count("epoch ")
        await_seen(lambda: logs[1].read_text().count("epoch ") > last + 1, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, out + err
    assert "train resume=RUN" in err
    records = [desk.record(f"sweep/{number}") for number in range(2)]
    ends = [(record["status"], record["error"]) for record in records]
    assert [status for status, _ in ends] == ["interrupted", "interrupted"], ends
    assert [each["status"] for each in records[1]["earlier"]] == ["killed"]
    assert logs[1].read_text().count("epoch 1/") == 1  # it went on, it did not begin anew


@pytest.mark.rare  # trials at once are shown above, pruning in test_search.py
def test_a_search_prunes_with_two_trials_at_once(desk: Desk) -> None:
    ended = desk.run(
        "train", "hparams_search=cats_dogs", *LOCAL, *TINY[:-1], *desk.places(), "logger=none",
        "~callbacks.pictures", "hydra.sweeper.n_jobs=2", "hydra.sweeper.n_trials=4",
        "hydra/sweeper/sampler=grid", "optimizer.lr=choice(0.01,0.02)", "model.dropout=0",
        "loss=focal", "trainer.max_epochs=choice(2,40)",
        "hydra.sweeper.pruner._target_=optuna.pruners.ThresholdPruner",
        "~hydra.sweeper.pruner.n_startup_trials", "+hydra.sweeper.pruner.lower=2",
        "hydra.sweeper.pruner.n_warmup_steps=7",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert ended.out.count("2 trials, 2 at once, on 1 node of Ray") == 2
    records = [desk.record(f"runs/cats_dogs/search/{number}") for number in range(4)]
    assert {(each["config"]["trainer"]["max_epochs"], each["status"]) for each in records} == {
        (2, "complete"), (40, "pruned"),
    }  # fmt: skip
    assert _at_once(*records[:2])
    assert _at_once(*records[2:])
    ended = desk.run("sweep", "runs/cats_dogs/search", "--json")
    assert json.loads(ended.out)["counts"] == {"complete": 2, "pruned": 2, "failed": 0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hydra/launcher=ray_cluster"], "ray://127.0.0.1:9: no Ray cluster answers there"),
        (["hydra/launcher=ray_local", "trainer=gpu"], "hydra.launcher.ray.remote.num_gpus=1"),
    ],
)
def test_what_cannot_be_is_said_at_once(desk: Desk, words: list[str], said: str) -> None:
    ended = desk.run(
        "train", "-m", *words, *_places(desk), "seed=1,2", RAY_ADDRESS="ray://127.0.0.1:9"
    )
    assert ended.code == 2
    assert said in ended.err
    assert not list(desk.folder.glob("sweep/*/record.json"))


def test_a_cluster_that_starts_no_process_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def init(**given: Any) -> None:
        asked.append(given["address"])
        if len(asked) != 2:
            raise ConnectionAbortedError("RuntimeError: Starting Ray client server failed. See x.")

    monkeypatch.setattr("ray.init", init)
    monkeypatch.setattr(connecting, "_require_answer", lambda _address: None)
    connecting.connect({"address": "ray://head:10001"})
    assert len(asked) == 2
    with pytest.raises(StarterError, match="ray://head:10001 starts no process") as told:
        connecting.connect({"address": "ray://head:10001"})
    assert len(asked) == 5
    assert "ray_client_server_" in told.value.hint


def test_errors_survive_the_way_to_another_process() -> None:
    error = running._portable(TrainingError("The loss is nan.", hint="Lower optimizer.lr."))
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    assert (again.text, again.hint) == ("The loss is nan.", "Lower optimizer.lr.")

    class Stubborn(Exception):
        def __init__(self, code: int, text: str) -> None:
            super().__init__(f"{code} {text}")

    stubborn = running._portable(Stubborn(7, "no"))
    assert str(pickle.loads(pickle.dumps(stubborn))) == "Stubborn: 7 no"  # noqa: S301  our own bytes


def _places(desk: Desk) -> list[str]:
    return [*desk.places(), f"hydra.sweep.dir={desk.folder}/sweep", "logger=none"]


def _at_once(*records: dict[str, Any]) -> bool:
    """Tell whether runs overlapped, in processes of their own."""
    began = max(datetime.fromisoformat(record["started"]) for record in records)
    ended = min(datetime.fromisoformat(record["finished"]) for record in records)
    return began < ended and len({record["process"]["pid"] for record in records}) == len(records)
