"""Runs that are broken off, by a kill or by a person: they go on to what they would have been."""

from __future__ import annotations

import signal

import pytest

from desk import TINY, Desk, await_seen


def test_a_killed_run_goes_on_to_the_same_metrics(desk: Desk) -> None:
    words = ("trainer.max_epochs=4", "model.dropout=0.5", "data.num_workers=1")
    assert desk.train("runs/unbroken", *words).code == 0
    process = desk.start("train", *TINY, *desk.places("runs/killed"), "logger=none", *words)
    checkpoint = desk.folder / "runs/killed/checkpoints/last.ckpt"
    log = desk.folder / "runs/killed/train.log"
    await_seen(lambda: checkpoint.is_file() and "epoch 3/4" in log.read_text())
    process.kill()
    process.communicate()
    assert desk.record("runs/killed")["status"] == "running"
    assert not (desk.folder / "runs/killed/metrics.json").exists()
    ended = desk.run("train", f"resume={desk.folder}/runs/killed")
    assert ended.code == 0, ended.err
    assert desk.metrics("runs/killed") == desk.metrics("runs/unbroken")
    record = desk.record("runs/killed")
    assert record["status"] == "complete"
    assert [each["status"] for each in record["earlier"]] == ["killed"]
    assert "epoch 1/4" not in ended.out
    # As one that was killed after its last epoch: nothing is left to train.
    assert desk.run("train", f"resume={desk.folder}/runs/killed").code == 0
    assert desk.metrics("runs/killed") == desk.metrics("runs/unbroken")
    ended = desk.run("train", f"resume={desk.folder}/runs/killed", "trainer.max_epochs=2")
    assert ended.code == 2
    assert "trainer.max_epochs=2" in ended.err
    assert "4 epochs behind it" in ended.err


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_ended_says_how_to_go_on(desk: Desk, sent: signal.Signals, code: int) -> None:
    process = desk.start(
        "train", *TINY, *desk.places("runs/stopped"), "logger=none", "trainer.max_epochs=1000"
    )
    log = desk.folder / "runs/stopped/train.log"
    await_seen(lambda: log.is_file() and "epoch 1/" in log.read_text())
    process.send_signal(sent)
    _, err = process.communicate(timeout=120)
    assert process.returncode == code
    assert "train resume=RUN" in err
    assert desk.record("runs/stopped")["status"] == "interrupted"
