"""Data is looked at before a model sees it: all that is wrong is told, with the file and a hint."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from omegaconf import DictConfig
from PIL import Image

from starter.data.making import make_pictures, make_sentences
from starter.data.tables import table_of_pictures, table_of_sentences
from starter.errors import ConfigError, DataError
from starter.params import spelled_out, words_of
from starter.schema import PictureFolder, Validation, typed
from starter.validation import validate

if TYPE_CHECKING:
    from pathlib import Path

    from desk import Desk


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    make_pictures(tmp_path / "photos", count=48, again=False)
    return tmp_path / "photos"


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    make_sentences(tmp_path / "sentences", count=64, again=False)
    return tmp_path / "sentences"


def _look(folder: Path, **asked: Any) -> dict[str, set[str]]:
    """Return what is wrong with each sample, by its place in the folder."""
    read = table_of_sentences if (folder / "train.csv").exists() else table_of_pictures
    samples, classes = read(folder)
    found: dict[str, set[str]] = {}
    for each in validate(samples, classes, str(folder), Validation(**asked)):
        told = each.told.replace(f"{folder}/", "")
        found.setdefault(each.sample.replace(f"{folder}/", ""), set()).add(told)
    return found


def test_what_is_made_here_is_in_order(photos: Path, sentences: Path) -> None:
    assert _look(photos) == _look(sentences) == {}


def test_pictures_that_cannot_be_used(photos: Path) -> None:
    def spoil(name: str, content: bytes | Image.Image) -> None:
        if isinstance(content, bytes):
            (photos / name).write_bytes(content)
        else:
            content.save(photos / name)

    whole = (photos / "train/dog/00001.png").read_bytes()
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 90, 3), dtype=np.uint8))
    spoil("train/dog/00001.png", whole[: len(whole) // 2])
    spoil("train/dog/00003.png", b"a dog, honestly")
    spoil("train/cat/00000.png", b"")
    spoil("val/cat/00036.png", Image.new("RGB", (64, 64), (90, 91, 92)))
    spoil("val/dog/00037.png", noise)
    found = _look(photos, largest=80)
    assert {name: len(told) for name, told in found.items()} == {
        "train/dog/00001.png": 1, "train/dog/00003.png": 1, "train/cat/00000.png": 1,
        "val/cat/00036.png": 1, "val/dog/00037.png": 2,
    }  # fmt: skip
    assert found["train/dog/00001.png"] == {"cannot be read as a picture: image file is truncated"}
    assert "cannot identify image file" in found["train/dog/00003.png"].pop()
    assert found["val/cat/00036.png"].pop().startswith("blank: dark and bright differ by 0,")
    assert found["val/dog/00037.png"] == {
        "8 pixels, fewer than smallest=16",
        "90 pixels, more than largest=80",
    }


def test_a_picture_that_stands_in_two_places(photos: Path) -> None:
    # Another format, the same pixels: the test would be won by heart.
    with Image.open(photos / "train/cat/00002.png") as picture:
        picture.save(photos / "test/cat/copy.bmp")
    shutil.copy(photos / "val/dog/00037.png", photos / "val/cat/copy.png")
    assert _look(photos) == {
        "train/cat/00002.png": {"test/cat/copy.bmp of another split is the same"},
        "test/cat/copy.bmp": {"train/cat/00002.png of another split is the same"},
        "val/dog/00037.png": {"val/cat/copy.png has another label and is the same"},
        "val/cat/copy.png": {"val/dog/00037.png has another label and is the same"},
    }


def test_classes_that_are_missing_strange_or_uneven(photos: Path) -> None:
    for path in [*photos.glob("val/cat/*"), *sorted(photos.glob("test/dog/*"))[1:]]:
        path.unlink()
    (photos / "test/horse").mkdir()
    shutil.move(str(photos / "train/dog/00001.png"), photos / "test/horse/1.png")
    uneven = "another class has 3 times as many, more than imbalance=2"
    assert _look(photos, imbalance=2) == {
        "val, class cat": {"there are no samples", uneven},
        "test, class dog": {uneven},
        "test/horse/1.png": {"the label is 'horse': it must be one of cat, dog"},
    }
    for split in ("train", "val", "test"):
        (photos / split / "dog").rename(photos / split / "{dog}")
    assert _look(photos)["test/horse/1.png"] == {
        "the label is 'horse': it must be one of cat, {dog}"
    }
    shutil.rmtree(photos / "val")
    with pytest.raises(DataError, match="photos/val cannot be read"):
        _look(photos)


def test_sentences_that_cannot_be_used(sentences: Path) -> None:
    train, val = sentences / "train.csv", sentences / "val.csv"
    lines = train.read_text(encoding="utf-8").splitlines()
    lines[1:4] = ["The cat sleeps.,2", ",1", f"{'very ' * 30}old,1"]
    train.write_text("\n".join(lines), encoding="utf-8")
    first = val.read_text(encoding="utf-8").splitlines()[1].rpartition(",")
    text, label = first[0], "01"[first[2] == "0"]
    val.write_text(f"{val.read_text(encoding='utf-8')}{text},{label}\n", encoding="utf-8")
    assert _look(sentences, longest=30) == {
        "train.csv, row 1": {"the label is '2': it must be one of 0, 1"},
        "train.csv, row 2": {"there is no sentence"},
        "train.csv, row 3": {"31 words, more than longest=30"},
        "val.csv, row 1": {"val.csv, row 9 has another label and is the same"},
        "val.csv, row 9": {"val.csv, row 1 has another label and is the same"},
    }
    train.write_text("sentence;label\nThe cat sleeps.;1\n", encoding="utf-8")
    with pytest.raises(DataError, match="has no column `sentence`"):
        _look(sentences)
    train.write_bytes(b"sentence,label\n\xff,1\n")
    with pytest.raises(DataError, match=r"train.csv cannot be read as CSV"):
        _look(sentences)


def test_the_command_names_the_file_and_ends_with_8(desk: Desk, photos: Path) -> None:
    words = ("validate-data", "data=folder", f"data.dir={photos}", "validation.report=report")
    ended = desk.run(*words)
    assert ended.code == 0, ended.err
    assert ended.out == (
        "48 samples of 2 classes: train 36, val 6, test 6. Nothing is wrong with them.\n"
    )
    assert desk.metrics("report")["samples"] == 48
    for path in photos.glob("train/dog/*"):
        path.write_bytes(path.read_bytes()[:-900])
    ended = desk.run(*words)
    assert ended.code == 8
    assert f"{photos}/train/dog/00001.png: cannot be read as a picture" in ended.err
    assert "and 8 more." in ended.err
    assert "HINT  Mend or remove" in ended.err
    assert "Traceback" not in ended.err
    assert len((desk.folder / "report/problems.csv").read_text().splitlines()) == 1 + 18


def test_params_are_the_words_that_train_would_get(tmp_path: Path) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser  # noqa: PLC0415  slow

    params: dict[str, Any] = {
        "choose": {"loss": "arcface", "experiment": None},
        "seed": 3,
        "loss": {"margin": 0.01},
        "texts": {
            f"t{number}": text
            for number, text in enumerate(
                ("it's {so} [called]=\\", 'a "b"\\\'', "null", "1,3", "", "über: ä", "a, b", "#")
            )
        },
        "list": [1, "a b", None, True],
    }
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    words = words_of(path)
    assert words[:4] == ["loss=arcface", "experiment=null", "++seed=3", "++loss.margin=0.01"]
    parsed = OverridesParser.create().parse_overrides(words[4:])
    read = {each.key_or_group: each.value() for each in parsed}
    assert read.pop("list") == params["list"]
    assert {f"texts.{name}": text for name, text in params["texts"].items()} == read
    assert spelled_out(["a=1", f"params={path}", "b=2"]) == ["a=1", *words, "b=2"]


def test_params_that_cannot_be_read(tmp_path: Path, desk: Desk) -> None:
    path = tmp_path / "params.yaml"
    with pytest.raises(ConfigError, match="does not exist"):
        words_of(path)
    for text, told in (("a: [", "cannot be read as YAML"), ("- 1", "holds no `key: value`")):
        path.write_text(text)
        with pytest.raises(ConfigError, match=told):
            words_of(path)
    path.write_text("choose: arcface")
    with pytest.raises(ConfigError, match="choose is 'arcface'"):
        words_of(path)
    path.write_text("choose: {loss: arcfase}\n")
    ended = desk.run("compose", "params.yaml", "config.yaml")
    assert ended.code == 2
    assert "HINT  Did you mean loss=arcface?" in ended.err
    path.write_text("choose: {loss: arcface}\nloss: {margn: 0.3}\n")
    ended = desk.run("compose", "params.yaml", "config.yaml")
    assert ended.code == 2
    assert "loss.margn: there is no such key." in ended.err
    assert "Did you mean loss.margin?" in ended.err
    assert not (tmp_path / "config.yaml").exists()


def test_settings_of_a_folder_are_read_back_as_such() -> None:
    plain = {**DictConfig(PictureFolder(dir="/photos", seed=1))}
    assert typed("data", DictConfig(plain)).draw == 0  # which `cats_dogs` would refuse
