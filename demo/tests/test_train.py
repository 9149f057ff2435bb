"""Commands as a person runs them: train, evaluate, infer; the same twice; many at once."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from desk import PROJECT, Desk


def test_a_run_leaves_what_was_learnt_and_measured(shared: Desk) -> None:
    run = shared.folder / "runs/first"
    names = {path.name for path in run.iterdir()}
    assert {"record.json", "metrics.json", "checkpoints", "pictures", "train.log"} <= names
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    metrics = shared.metrics("runs/first")
    assert {"train/loss", "val/accuracy", "test/f1", "test/matthews", "best/val/accuracy"} <= set(
        metrics
    )
    assert "epoch 2/2" in (run / "train.log").read_text()


def test_evaluate_finds_the_newest_run_and_measures_the_same(shared: Desk) -> None:
    ended = shared.run("evaluate", *shared.places("runs/measured"))
    assert ended.code == 0, ended.err
    expected = shared.metrics("runs/first")
    measured = shared.metrics("runs/measured")
    assert measured["test/accuracy"] == expected["test/accuracy"]
    assert measured["test/loss"] == pytest.approx(expected["test/loss"], abs=1e-5)
    assert f"test/accuracy: {expected['test/accuracy']:.4f}" in ended.out
    assert shared.record("runs/measured")["checkpoint"].endswith("runs/first/checkpoints/best.ckpt")


def test_evaluate_looks_at_other_data(shared: Desk) -> None:
    ended = shared.run(
        "evaluate", *shared.places("runs/elsewhere"), "split=val", "data=folder",
        f"data.dir={shared.folder}/data/cats_dogs", "data.size=64",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert "val/accuracy: " in ended.out


def test_infer_prints_the_two_best_classes(shared: Desk) -> None:
    picture = next((shared.folder / "data/cats_dogs/test/cat").iterdir())
    out, loaded = shared.imports("infer", *shared.places(), f"img_path={picture}")
    assert "torch" in loaded
    assert loaded.isdisjoint({"lightning", "torchmetrics", "transformers", "torchvision"})
    found = [line.split(", Probability: ") for line in out.splitlines()]
    assert {name for name, _ in found} == {"Class: Cat", "Class: Dog"}
    first, second = (float(value) for _, value in found)
    assert first >= second
    assert first + second == pytest.approx(1, abs=2e-4)


def test_infer_writes_a_csv_for_a_folder(shared: Desk) -> None:
    folder = shared.folder / "data/cats_dogs/test"
    answers = shared.folder / "answers.csv"
    ended = shared.run(
        "infer", *shared.places(), f"img_path={folder}", f"csv_path={answers}", "batch_size=5"
    )
    assert ended.code == 0, ended.err
    with answers.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(Path(row["sample"]) for row in rows) == sorted(folder.glob("*/*.png"))
    assert {row["class"] for row in rows} <= {"cat", "dog"}
    assert all(0.5 <= float(row["probability"]) <= 1 for row in rows)


def test_the_same_command_gives_the_same_metrics_and_rerun_says_so(shared: Desk) -> None:
    ended = shared.run("rerun", str(shared.folder / "runs/first"), "--to", "runs/repeated")
    assert ended.code == 0, ended.err + ended.out
    assert shared.metrics("runs/repeated") == shared.metrics("runs/first")
    assert "repeats" in ended.out
    changed = shared.folder / "runs/changed"
    changed.mkdir()
    record = shared.record("runs/first")
    record["metrics"]["test/loss"] += 0.1
    (changed / "record.json").write_text(json.dumps(record))
    ended = shared.run("rerun", str(changed), "--to", "runs/again")
    assert ended.code == 1
    assert "test/loss: " in ended.err


def test_many_runs_by_list_and_glob(desk: Desk) -> None:
    ended = desk.run(
        "train", "-m", "experiment=glob(*)", "loss=glob(*,exclude=[soft*,focal])", "logger=none",
        "trainer.max_epochs=1", "+trainer.limit_train_batches=1", "+trainer.limit_val_batches=1",
        "test=false", "callbacks.pictures.samples=2", *desk.places(),
        f"hydra.sweep.dir={desk.folder}/sweep",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    records = [desk.record(f"sweep/{number}") for number in range(4)]
    assert {(each["config"]["name"], each["config"]["loss"]["_target_"]) for each in records} == {
        (name, f"starter.losses.{loss}")
        for name in ("cats_dogs", "sentences")
        for loss in ("ArcFace", "CrossEntropy")
    }
    assert {each["status"] for each in records} == {"complete"}
    ended = desk.run("sweep", "sweep", "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["counts"] == {"complete": 4, "pruned": 0, "failed": 0}
    assert all({"experiment", "loss"} == set(trial["params"]) for trial in told["trials"])
    best = max(record["metrics"]["best/val/accuracy"] for record in records)
    assert told["best"]["value"] == best


def test_two_processes_train_together(desk: Desk) -> None:
    ended = desk.train("runs/ddp", "trainer=ddp_cpu", "logger=csv")
    assert ended.code == 0, ended.err
    assert desk.record("runs/ddp")["status"] == "complete"
    assert desk.metrics("runs/ddp")["val/loss"] > 0


def test_help_teaches_and_loads_nothing_slow(desk: Desk) -> None:
    for name in ("train", "evaluate", "infer", "validate-data"):
        out, loaded = desk.imports(name, "--help")
        assert "Begin with" in out
        assert loaded.isdisjoint({"torch", "lightning", "transformers", "matplotlib", "pandas"})
    assert "arcface" in desk.run("train", "--help").out


def test_every_command_of_pyproject_is_in_bin() -> None:
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    scripts = text.partition("[project.scripts]")[2].partition("\n\n")[0]
    named = dict(line.split(" = ") for line in scripts.strip().splitlines())
    assert set(named) == {path.name for path in (PROJECT / "bin").iterdir()}
    for name, entry in named.items():
        module = entry.strip('"').partition(":")[0]
        assert f"from {module} import main" in (PROJECT / "bin" / name).read_text()
