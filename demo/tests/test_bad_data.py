"""Data that cannot be used, losses that are no number, memory that is short: told, never traced."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from starter.data.folder import split_sizes
from starter.data.pictures import PictureData
from starter.errors import DataError, TrainingError
from starter.failures import explained_failures

if TYPE_CHECKING:
    from desk import Desk
    from forked import Ended


@pytest.fixture
def photos(desk: Desk, shared: Desk) -> Path:
    """Return a folder of pictures of one's own, to spoil."""
    return Path(shutil.copytree(shared.folder / "data/cats_dogs", desk.folder / "photos"))


def _train_on(desk: Desk, photos: Path, *words: str) -> Ended:
    return desk.run(
        "train", "data=folder", f"data.dir={photos}", "data.batch_size=16", "model.width=4",
        "trainer.max_epochs=1", "logger=none", *desk.places("run"), *words,
    )  # fmt: skip


def _failed(desk: Desk, ended: Ended, code: int, *told: str) -> None:
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err
    assert "Error executing job" not in ended.err
    for words in told:
        assert words in ended.err, ended.err
    record = desk.record("run")
    assert record["status"] == "failed"
    assert told[0] in record["error"]
    assert not (desk.folder / "run/metrics.json").exists()


def _refused(photos: Path, told: str) -> None:
    """Read a folder as training does; a command makes a message of any such error."""
    data = PictureData(
        dir=str(photos), size=64, augment=False, draw=0, batch_size=16, num_workers=0, seed=1
    )
    with pytest.raises(DataError, match=re.escape(f"{photos}{told}")) as raised:
        data.setup()
    assert raised.value.hint


@pytest.mark.parametrize(
    ("spoilt", "workers"), [("truncated", 0), ("truncated", 1), ("text", 0), ("empty", 1)]
)
def test_a_picture_that_cannot_be_read(desk: Desk, photos: Path, spoilt: str, workers: int) -> None:
    victim = sorted(photos.glob("train/dog/*"))[3]
    half = victim.read_bytes()[: victim.stat().st_size // 2]
    victim.write_bytes({"truncated": half, "text": b"a dog, honestly", "empty": b""}[spoilt])
    ended = _train_on(desk, photos, f"data.num_workers={workers}")
    _failed(desk, ended, 8, str(victim), "cannot be read as a picture", "HINT")


def test_a_class_without_pictures(desk: Desk, photos: Path) -> None:
    for path in photos.glob("val/cat/*"):
        path.unlink()
    _failed(desk, _train_on(desk, photos), 8, f"{photos}/val/cat holds no pictures")
    (photos / "val/cat").rmdir()
    _refused(photos, "/val/cat holds no pictures")


def test_classes_that_differ_and_a_folder_that_is_not_there(photos: Path) -> None:
    (photos / "test" / "horse").mkdir()
    _refused(photos, "/test/horse is a class that train/")
    _refused(photos / "typo", "/train cannot be read")


def test_a_label_outside_the_set(desk: Desk) -> None:
    made = desk.run("make-data", "sentences", "--count", "64", "--dir", "mine")
    assert made.code == 0, made.err
    assert split_sizes(64)["val"] == 8
    file = desk.folder / "mine/val.csv"
    lines = file.read_text().splitlines()
    lines[3] = lines[3].rpartition(",")[0] + ",2"
    file.write_text("\n".join(lines))
    (desk.folder / "mine/recipe.json").unlink()
    words = ("experiment=sentences", "data.make=0", f"data.dir={desk.folder}/mine", "logger=none")
    ended = desk.run("train", *words, *desk.places("run"))
    _failed(desk, ended, 8, "val, row 3: the label is 2", "0 (unacceptable), 1 (acceptable)")
    file.write_text("sentence;label\nThe cat sleeps.;1\n")
    ended = desk.run("train", *words, *desk.places("run"))
    _failed(desk, ended, 8, "has no column `sentence`")


def test_a_loss_that_is_no_number(desk: Desk) -> None:
    # Each step multiplies the weights by 1 - lr * weight_decay = -9.
    ended = desk.train(
        "run", "optimizer=sgd", "optimizer.lr=10", "optimizer.weight_decay=1", "optimizer.warmup=0",
        "trainer.max_epochs=40",
    )  # fmt: skip
    _failed(
        desk, ended, 9, "The loss is ", " of epoch ", "optimizer.lr (now 10)", "gradient_clip_val"
    )


def test_memory_that_is_short(desk: Desk) -> None:
    ended = desk.train("run", "data.size=1024", "model.width=1024", "data.batch_size=96")
    _failed(
        desk, ended, 9, "Memory is short: ", "GB at once cannot be had", "data.batch_size (now 96)"
    )


def test_what_torch_says_of_memory_is_understood() -> None:
    with pytest.raises(TrainingError, match="Memory is short"), explained_failures(8):
        torch.empty(2**60)
    with pytest.raises(TrainingError, match="Memory is short"), explained_failures(8):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    with pytest.raises(TrainingError, match="Memory is short"), explained_failures(8):
        raise MemoryError
    with pytest.raises(RuntimeError, match="inconsistent tensor size"), explained_failures(8):
        torch.ones(2) @ torch.ones(3)
