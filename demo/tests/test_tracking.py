"""What a run leaves behind: in W&B's, TensorBoard's and CSV files, and in its record."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from desk import PROJECT, Desk
from starter import facts
from starter.record import _came_of_ctrl_c, read_record, write_json

if TYPE_CHECKING:
    from pathlib import Path


def test_wandb_keeps_metrics_and_pictures_offline(shared: Desk) -> None:
    from wandb.proto import wandb_internal_pb2  # noqa: PLC0415  slow
    from wandb.sdk.internal.datastore import DataStore  # noqa: PLC0415  slow

    folder = shared.folder / "runs/first/wandb"
    files = list(folder.glob("offline-run-*/*.wandb"))
    assert len(files) == 1
    store = DataStore()
    store.open_for_scan(str(files[0]))
    keys, ended = set(), False
    while True:
        data = store.scan_data()
        if data is None:
            break
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        keys |= {item.key or item.nested_key[0] for item in record.history.item}
        ended = ended or record.HasField("exit")
    assert {"val/accuracy", "test/f1", "test/confusion", "val/samples"} <= keys
    store.close()
    assert ended
    assert len(list(folder.glob("offline-run-*/files/media/images/test/*.png"))) == 2


def test_tensorboard_keeps_metrics_and_pictures(shared: Desk) -> None:
    from tensorboard.backend.event_processing import event_accumulator  # noqa: PLC0415  slow

    events = event_accumulator.EventAccumulator(str(shared.folder / "runs/first/tensorboard"))
    events.Reload()
    assert {"val/accuracy", "train/loss", "test/f1"} <= set(events.Tags()["scalars"])
    assert {"val/confusion", "val/samples", "test/confusion", "test/samples"} == set(
        events.Tags()["images"]
    )


def test_csv_keeps_metrics_and_the_folder_pictures(shared: Desk) -> None:
    run = shared.folder / "runs/first"
    with (run / "csv/version_0/metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = shared.metrics("runs/first")
    assert float(next(row["test/accuracy"] for row in rows if row["test/accuracy"])) == (
        pytest.approx(expected["test/accuracy"])
    )
    assert {path.name for path in (run / "pictures").iterdir()} == {
        f"{split}_{what}.png" for split in ("val", "test") for what in ("confusion", "samples")
    }


def test_the_record_holds_what_repeats_a_run(shared: Desk) -> None:
    record = shared.record("runs/first")
    assert record["status"] == "complete"
    assert record["metrics"] == shared.metrics("runs/first")
    assert record["command"].startswith("train data.draw=96")
    assert record["config"]["model"]["width"] == 4
    assert record["seed"] == 1
    assert (shared.folder / "runs/first" / record["checkpoint"]).is_file()
    environment = record["facts"]["environment"]
    locks = [path / "environment.lock" for path in PROJECT.parents]
    lock = next((path for path in locks if path.is_file()), None)
    expected = hashlib.sha256(lock.read_bytes()).hexdigest() if lock else None
    assert environment["lock_sha256"] == expected
    assert environment["packages"]["torch"]
    assert record["facts"]["hardware"]["processors"] >= 1


def test_git_and_dvc_are_told_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, run = tmp_path / "project", tmp_path / "run"
    project.mkdir()
    run.mkdir()

    def git(*words: str) -> None:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        subprocess.run(["git", *identity, *words], cwd=project, check=True, capture_output=True)

    monkeypatch.setenv("SLIPWAY_IMAGE_ID", "sha256:1234")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert facts.observe(run, project)["git"]["commit"] is None
    (project / "code.py").write_text("x = 1\n")
    (project / "data.dvc").write_text("outs:\n- md5: aa11.dir\n  path: data\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    clean = facts.observe(run, project)
    assert len(clean["git"]["commit"]) == 40
    assert clean["git"]["changed"] is False
    assert clean["data"] == {"data": "aa11.dir"}
    assert clean["environment"]["image_id"] == "sha256:1234"
    assert not (run / "git.diff").exists()
    (project / "code.py").write_text("x = 2\n")
    (project / "new.py").write_text("")
    changed = facts.observe(run, project)
    assert changed["git"]["changed"] is True
    assert changed["git"]["untracked"] == ["new.py"]
    git("checkout", "code.py")
    (project / "new.py").unlink()
    git("apply", str(run / "git.diff"))
    assert (project / "code.py").read_text() == "x = 2\n"
    assert (project / "new.py").exists()


def test_a_record_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_json(path, {"status": "running"})
    with pytest.raises(TypeError):
        write_json(path, {"status": object()})
    assert json.loads(path.read_text()) == {"status": "running"}
    assert [each.name for each in tmp_path.iterdir()] == ["record.json"]


def test_a_record_of_a_process_that_is_gone_says_killed(shared: Desk, tmp_path: Path) -> None:
    record = {**shared.record("runs/first"), "status": "running"}
    write_json(tmp_path / "record.json", record)
    assert read_record(tmp_path)["status"] == "killed"


def test_a_library_that_fails_as_it_is_broken_off_is_no_failure() -> None:
    def draw() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise AttributeError("eventson")  # as Matplotlib does

    with pytest.raises(AttributeError) as raised:
        draw()
    assert _came_of_ctrl_c(raised.value)
    circular = AttributeError("eventson")
    circular.__cause__ = RuntimeError()
    circular.__cause__.__cause__ = circular
    assert not _came_of_ctrl_c(circular)
