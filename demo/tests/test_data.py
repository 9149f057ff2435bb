"""The data: made the same each time, seen in an order that follows from seed and epoch alone."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from starter.data import drawing, grammar
from starter.data.encoders import PictureEncoder, SentenceEncoder, encoder_of
from starter.data.making import make_pictures, make_sentences
from starter.data.pictures import PictureData
from starter.data.sampling import EpochSampler
from starter.data.sentences import SentenceData
from starter.errors import DataError
from starter.optimizers import rate_at

if TYPE_CHECKING:
    from pathlib import Path


def _hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _pictures(folder: Path, **changed: object) -> PictureData:
    settings: dict[str, object] = {
        "size": 32, "augment": True, "draw": 32, "batch_size": 8, "num_workers": 0, "seed": 1,
    }  # fmt: skip
    data = PictureData(dir=str(folder), **{**settings, **changed})  # type: ignore[arg-type]
    data.prepare_data()
    data.setup()
    return data


def test_pictures_are_the_same_each_time_and_follow_their_seed(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make_pictures(tmp_path / name, count=24, again=False, seed=seed)
    assert _hashes(tmp_path / "a") == _hashes(tmp_path / "b")
    assert set(_hashes(tmp_path / "a").values()).isdisjoint(_hashes(tmp_path / "c").values())
    assert len(list(tmp_path.glob("a/train/cat/*.png"))) == 9


def test_no_colour_tells_cats_from_dogs() -> None:
    means = {
        kind: np.mean(
            [np.asarray(drawing.draw_picture(kind, seed=0, index=i)) for i in range(300)],
            axis=(0, 1, 2),
        )
        for kind in drawing.CLASSES
    }
    assert np.abs(means["cat"] - means["dog"]).max() < 8


def test_sentences_are_the_same_each_time_and_stand_in_one_split(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_sentences(tmp_path / name, count=400, again=False)
    assert _hashes(tmp_path / "a") == _hashes(tmp_path / "b")
    lines = [
        line
        for split in ("train", "val", "test")
        for line in (tmp_path / "a" / f"{split}.csv").read_text().splitlines()[1:]
    ]
    assert len({line.rpartition(",")[0] for line in lines}) == len(lines) == 400


def test_no_sentence_is_both_acceptable_and_not() -> None:
    made = [grammar.make_sentence(seed=0, index=index) for index in range(20_000)]
    acceptable = {each.text for each in made if each.label}
    unacceptable = {each.text for each in made if not each.label}
    assert acceptable.isdisjoint(unacceptable)


def test_the_tokenizer_is_the_same_each_time_and_survives_a_checkpoint(tmp_path: Path) -> None:
    def data() -> SentenceData:
        made = SentenceData(
            dir=str(tmp_path / "s"), make=400, hub_name=None, hub_subset=None, tokenizer=None,
            vocabulary=256, max_length=24, batch_size=8, num_workers=0, seed=1,
        )  # fmt: skip
        made.prepare_data()
        made.setup()
        return made

    first, second = data(), data()
    assert first.encoder.describe() == second.encoder.describe()
    again = encoder_of(first.encoder.describe())
    assert isinstance(again, SentenceEncoder)
    batch = first.encoder.encode(["The cat sleeps.", "These old dogs admire themselves."])
    assert again.encode(["The cat sleeps."])["input_ids"].tolist()[0] == [
        number for number in batch["input_ids"][0].tolist() if number
    ]
    assert first.encoder.decode(batch)[1] == "these old dogs admire themselves ."


@pytest.mark.parametrize("workers", [0, 2])
def test_the_order_follows_from_seed_and_epoch_alone(tmp_path: Path, workers: int) -> None:
    make_pictures(tmp_path / "d", count=32, again=False)

    def epoch(number: int, *, seed: int = 1) -> list[torch.Tensor]:
        loader = _pictures(tmp_path / "d", seed=seed, num_workers=workers).train_dataloader()
        loader.sampler.set_epoch(number)  # type: ignore[attr-defined]
        return [pixels for pixels, _ in loader]

    fresh = torch.cat(epoch(3))
    data = _pictures(tmp_path / "d", num_workers=0)
    loader = data.train_dataloader()
    for number in range(4):  # as an unbroken run gets there
        loader.sampler.set_epoch(number)  # type: ignore[attr-defined]
        seen = torch.cat([pixels for pixels, _ in loader])
    torch.testing.assert_close(seen, fresh, rtol=0, atol=0)
    assert not torch.equal(fresh, torch.cat(epoch(2)))
    assert not torch.equal(fresh, torch.cat(epoch(3, seed=2)))


def test_processes_share_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    def shares(*, shuffle: bool) -> list[list[int]]:
        sampler = EpochSampler(11, seed=1, shuffle=shuffle)
        found = []
        for rank in (0, 1):
            monkeypatch.setattr("starter.data.sampling._process", lambda rank=rank: (rank, 2))
            found.append([place.index for place in sampler])
            assert len(found[-1]) == len(sampler)
        return found

    first, second = shares(shuffle=False)
    assert sorted(first + second) == list(range(11))
    first, second = shares(shuffle=True)
    assert len(first) == len(second) == 6
    assert set(first + second) == set(range(11))


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path) -> None:
    make_pictures(tmp_path / "d", count=24, again=False)
    make_pictures(tmp_path / "d", count=24, again=False)
    with pytest.raises(DataError, match="was made from"):
        make_pictures(tmp_path / "d", count=32, again=False)
    make_pictures(tmp_path / "d", count=32, again=True)
    (tmp_path / "own" / "train").mkdir(parents=True)
    with pytest.raises(DataError, match="was not made here"):
        make_pictures(tmp_path / "own", count=32, again=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "own"]


def test_what_is_encoded_can_be_shown() -> None:
    encoder = PictureEncoder(32)
    pixels = np.asarray(drawing.draw_picture("cat", seed=0, index=0, size=32))
    shown = encoder.decode(encoder.encode([pixels]))[0]
    np.testing.assert_allclose(shown * 255, pixels, atol=0.01)


def test_the_rate_rises_and_falls() -> None:
    rates = [rate_at(step, steps=100, warmup=0.1) for step in range(101)]
    assert rates.index(max(rates)) == 10
    assert all(a < b for a, b in zip(rates[:10], rates[1:11]))
    assert all(a > b for a, b in zip(rates[10:], rates[11:]))
    assert rates[0] > 0
    assert rates[100] == 0
