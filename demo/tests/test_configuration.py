"""What is wrong with a configuration is told before anything starts, with what would be right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from omegaconf import OmegaConf

from starter import schema
from starter.errors import ConfigError
from starter.ranges import Range, check_ranges

if TYPE_CHECKING:
    from desk import Desk
    from forked import Ended


def _refused(ended: Ended, *told: str) -> None:
    assert ended.code == 2, ended.err
    assert ended.err.startswith("ERROR ")
    assert "Traceback" not in ended.err
    for words in told:
        assert words in ended.err, ended.err


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("loss=arcfac", "Did you mean loss=arcface?"),
        ("los=arcface", "Did you mean loss?"),
        ("data.num_worker=3", "Did you mean data.num_workers?"),
        ("loss.margn=3", "Did you mean loss.margin?"),
        ("optimizr.lr=3", "Did you mean optimizer.lr?"),
        ("trainer.max_epoch=3", "Did you mean trainer.max_epochs?"),
        ("experiment=cat_dogs", "Did you mean experiment=cats_dogs?"),
        ("trainer=null", "trainer=null: an option is chosen by its name"),
        ("hydra/launcher=null", "hydra/launcher=null: an option"),
        ("optimizer.lr=abc", "optimizer.lr=abc: Value 'abc' of type 'str' could not be"),
        ("data.augment=7.5", "data.augment=7.5: Value '7.5'"),
        ("name=a b(c", "quoted twice"),
        ("loss", "loss: this is no KEY=VALUE."),
        ("loss={margn: 1}", "loss.margn: there is no such key"),
        ("+trainer.max_epochs=1", "without `+`, its value is changed"),
        ("resume=/nowhere", "there is no run in /nowhere"),
    ],
)
def test_what_does_not_compose_leaves_nothing(desk: Desk, word: str, told: str) -> None:
    _refused(desk.run("train", *desk.places(), word), told)
    assert list(desk.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("optimizer.lr=50",),
            (
                "optimizer.lr is 50.0: it must be > 0 and <= 10",
                "HINT  For example optimizer.lr=0.0",
            ),
        ),
        (("~model", "optimizer=[]"), ("model, optimizer has no value", "model=...")),
        (
            ("data.batch_size=0", "loss=arcface", "loss.margin=9"),
            ("data.batch_size is 0: it must be >= 1", "loss.margin is 9.0: it must be >= 0 and <"),
        ),
        (
            ("+trainer.max_epoch=3",),
            ("trainer.max_epoch: `lightning.Trainer` has no such", "Did you mean trainer.max_ep"),
        ),
        (("+trainer.gradient_clip_val=-1",), ("trainer.gradient_clip_val is -1.0",)),
        (("trainer.max_epochs=few",), ("trainer.max_epochs: Value 'few'",)),
        (("+sed=3",), ("sed: `train` has no such key", "Did you mean seed?", "experiment.sed")),
        (("data=folder",), ("data.dir has no value", "data.dir=...")),
        (("model.width=${nothing}",), ("model.width cannot be resolved", "nothing")),
        (("ckpt_path=/nowhere.ckpt",), ("ckpt_path=/nowhere.ckpt: there is no such file",)),
        (
            ("logger=wandb", "logger.wandb.offline=false"),
            ("there is no W&B key for api.wandb.ai", "WANDB_API_KEY"),
        ),
    ],
)
def test_what_is_refused_says_so_in_its_record(
    desk: Desk, words: tuple[str, ...], told: tuple[str, ...]
) -> None:
    ended = desk.run("train", *desk.places("run"), *words, HOME=str(desk.folder), WANDB_API_KEY="")
    _refused(ended, *told)
    record = desk.record("run")
    assert record["status"] == "failed"
    assert told[0] in record["error"]
    assert not (desk.folder / "data").exists()


def test_a_run_that_never_began_is_no_answer_and_in_nobody_s_way(desk: Desk) -> None:
    for word, where in (("~data", "one"), ("data=folder", "two")):
        assert desk.run("train", *desk.places(f"runs/{where}"), word).code == 2
        assert desk.record(f"runs/{where}")["status"] == "failed"
    for command in (("infer", "text=hello"), ("evaluate",)):
        _refused(desk.run(*command, *desk.places()), "There is no complete run with a checkpoint")
    _refused(desk.run("rerun", "runs/one"), "is a failed run of `train`")


def test_values_of_ones_own_are_added_and_recorded(desk: Desk) -> None:
    ended = desk.train(
        "run", "+experiment.lr=5", "optimizer.lr=${experiment.lr}", "+trainer.fast_dev_run=True",
        "data.num_workers=1", "trainer.deterministic=True",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    config = desk.record("run")["config"]
    assert config["experiment"] == {"lr": 5}
    assert config["optimizer"]["lr"] == 5
    assert config["trainer"]["fast_dev_run"] is True


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "infer takes one of img_path, text, text_path; given: none"),
        (("img_path=a", "text=b"), "given: img_path, text"),
        (("img_pat=a",), "Did you mean img_path?"),
        (("text=hello",), "There is no complete run with a checkpoint"),
    ],
)
def test_infer_says_what_it_takes(desk: Desk, words: tuple[str, ...], told: str) -> None:
    _refused(desk.run("infer", *desk.places(), *words), told)


def test_evaluate_refuses_what_is_no_checkpoint(desk: Desk, shared: Desk) -> None:
    whole = shared.folder / "runs/first/checkpoints/best.ckpt"
    folder = shared.folder / "runs/first"
    _refused(
        desk.run("evaluate", *desk.places("run"), f"ckpt_path={folder}"), f"Did you mean {whole}?"
    )
    half = desk.folder / "half.ckpt"
    half.write_bytes(whole.read_bytes()[:-1000])
    _refused(desk.run("evaluate", *desk.places("run"), f"ckpt_path={half}"), "not a whole one")
    _refused(desk.run("evaluate", *desk.places("run"), "split=all"), "one of train, val, test")
    ended = shared.run(
        "train", *shared.places("runs/misfit"), "logger=none", f"ckpt_path={whole}", "data.draw=96",
        "model.width=8",
    )  # fmt: skip
    _refused(ended, "ckpt_path does not fit the model", "size mismatch")


def test_every_option_is_within_its_own_ranges() -> None:
    for options in schema.OPTIONS.values():
        for option in options.values():
            config = OmegaConf.structured(option)
            for key in config:
                if OmegaConf.is_interpolation(config, key):
                    config[key] = 64 if key != "dir" else "here"
            check_ranges(OmegaConf.create({"option": config}))


def test_a_range_says_itself() -> None:
    assert str(Range(above=0, at_most=1)) == "> 0 and <= 1"
    assert str(Range(one_of=("a", "b"))) == "one of a, b"
    assert Range(at_least=0, below=1).allows(0)
    assert not Range(at_least=0, below=1).allows(1)
    assert Range(above=0).allows(None)


def test_values_from_a_checkpoint_get_their_ranges_back() -> None:
    plain = OmegaConf.create(
        {"_target_": "starter.data.pictures.PictureData", "dir": "d", "batch_size": 0}
    )
    with pytest.raises(ConfigError, match="batch_size is 0"):
        check_ranges(OmegaConf.create({"seed": 1, "data": schema.typed("data", plain)}))
    with pytest.raises(ConfigError, match="no option of data"):
        schema.typed("data", OmegaConf.create({"_target_": "starter.nowhere.Data"}))
