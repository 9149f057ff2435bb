"""The text classifier: trained, asked, and begun from weights that others have trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from desk import Desk


def test_the_text_classifier_trains_and_answers(desk: Desk) -> None:
    ended = desk.run(
        "train", "experiment=sentences", *desk.places("runs/text"), "data.make=400",
        "trainer.max_epochs=1", "logger=none", "loss=focal", "model.hidden=16",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert (desk.folder / "runs/text/pictures/test_samples.png").is_file()
    ended = desk.run("infer", *desk.places(), "text=The old cats sleeps.")
    assert ended.code == 0, ended.err
    assert ended.out.startswith(("Class: Acceptable, Prob", "Class: Unacceptable, Prob"))
    (desk.folder / "lines.txt").write_text("The cat sleeps.\n\nCat the sleeps.\n")
    ended = desk.run("infer", *desk.places(), "text_path=lines.txt", "csv_path=lines.csv")
    assert ended.code == 0, ended.err
    assert len((desk.folder / "lines.csv").read_text().splitlines()) == 3
    ended = desk.run("infer", *desk.places(), f"img_path={desk.folder}")
    assert ended.code == 2
    assert "no complete run" in ended.err


def test_pretrained_weights_are_one_override_away(desk: Desk, tmp_path: Path) -> None:
    """A folder of Transformers, as `save_pretrained` writes it, stands for a name on the hub."""
    from transformers import BertConfig, BertModel, BertTokenizerFast  # noqa: PLC0415  slow

    folder = tmp_path / "bert"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "dog", "."]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(vocab_file=str(tmp_path / "vocab.txt")).save_pretrained(folder)
    BertModel(
        BertConfig(
            vocab_size=len(words), hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16,
        )
    ).save_pretrained(folder)  # fmt: skip
    ended = desk.run(
        "train", "experiment=sentences", *desk.places("runs/pretrained"), "data.make=64",
        "trainer.max_epochs=1", "logger=none", f"model.pretrained={folder}",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    folder.rename(tmp_path / "gone")  # the checkpoint needs it no more
    ended = desk.run("infer", *desk.places(), "text=The cat.")
    assert ended.code == 0, ended.err
