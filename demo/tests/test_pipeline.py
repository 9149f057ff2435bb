"""The pipeline as a person runs it, with real git and real DVC: three versions, and back again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from desk import PROJECT
from versions import STEPS, make_repository

if TYPE_CHECKING:
    from versions import Repository

STAGES = ("compose", "make", "validate", "train", "evaluate")
DATA, MODEL = "data/cats_dogs", "pipeline/train/checkpoints"


@dataclass(frozen=True)
class History:
    """What the repository held as each version was tagged, and what each step said."""

    repository: Repository
    held: dict[str, dict[str, str]]
    told: dict[str, list[str]]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Return three versions: the first, one with more data, and the better one of a sweep."""
    repository = make_repository(tmp_path_factory.mktemp("history"))
    told: dict[str, list[str]] = {}
    held: dict[str, dict[str, str]] = {}
    name = ""
    for step in STEPS:
        told.setdefault(step, []).append(repository.step(step, name))
        if step.startswith("dvc exp show"):
            told["shown"] = [repository.dvc("exp", "show", "--json")]
            found = experiments(told["shown"][0])
            name = next(name for name, each in found if loss_of(each) == "focal")
        if step.startswith("git tag"):
            held[step.rpartition(" ")[2]] = repository.hashes(DATA, MODEL)
    held["checked out"] = repository.hashes(DATA, MODEL)
    repository.git("checkout", "--quiet", "main")
    repository.dvc("checkout")
    return History(repository, held, told)


def experiments(shown: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the name and the facts of each experiment that `dvc exp show --json` tells of."""
    found = []
    for baseline in json.loads(shown):
        for each in baseline.get("experiments") or ():
            (state,) = each["revs"]
            assert each["executor"]["state"] == "success", each
            found.append((state["name"], state["data"]))
    return found


def loss_of(experiment: dict[str, Any]) -> str:
    return str(experiment["params"]["params.yaml"]["data"]["choose"]["loss"])


def ran(told: str) -> list[str]:
    """Return the stages that DVC says it ran."""
    return [stage for stage in STAGES if f"Running stage '{stage}'" in told]


def test_a_stage_reads_files_that_are_there() -> None:
    """Seconds, where the versions take minutes: a module that moved is named at once."""
    stages = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
    read = {name for stage in stages.values() for name in stage.get("deps", ())}
    modules = {name for name in read if name.startswith("starter/")}
    assert "starter/training.py" in modules
    assert {name for name in modules if not (PROJECT / name).exists()} == set()


def test_every_version_comes_back_bit_by_bit(history: History) -> None:
    repository, held = history.repository, history.held
    names = [f"{MODEL}/best.ckpt", f"{MODEL}/last.ckpt"]
    assert len(held["v1"]) == 64 + 1 + 2  # the pictures, their recipe, the checkpoints
    assert len(held["v2"]) == 80 + 1 + 2
    assert all(held["v1"][name] != held["v2"][name] != held["v3"][name] for name in names)
    assert held["checked out"] == held["v1"]
    for version in ("v2", "v1", "v3"):
        repository.git("checkout", "--quiet", version)
        repository.dvc("checkout")
        assert repository.hashes(DATA, MODEL) == held[version], version
        assert "up to date" in repository.dvc("status")
    repository.git("checkout", "--quiet", "main")


def test_only_what_follows_from_a_change_runs_again(history: History) -> None:
    told = history.told
    assert [ran(each) for each in told["dvc repro"]] == [list(STAGES), ["evaluate"]]
    assert ran(told["dvc exp run -S data.draw=2400"][0]) == list(STAGES)
    assert ran(told["dvc exp run --run-all"][0]) == ["compose", "train"]
    assert ran(history.repository.dvc("repro")) == []
    assert history.repository.git("status", "--porcelain") == ""


def test_what_differs_between_versions_is_told(history: History) -> None:
    repository, told = history.repository, history.told
    assert "pipeline/validate/metrics.json" in told["dvc metrics diff v1 v2"][0]
    assert "cross_entropy" in told["dvc params diff v2 v3"][0]

    def diff(what: str, old: str, new: str) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(repository.dvc(what, "diff", "--json", old, new))
        return parsed

    grown = diff("metrics", "v1", "v2")
    assert grown["pipeline/validate/metrics.json"]["samples"] == {"old": 64, "new": 80, "diff": 16}
    assert "test/loss" in grown["pipeline/evaluate/metrics.json"]
    changed = diff("params", "v2", "v3")
    assert changed["params.yaml"]["choose.loss"] == {"old": "cross_entropy", "new": "focal"}
    composed = changed["pipeline/config.yaml"]
    assert composed["loss._target_"]["new"].endswith(".losses.Focal")
    assert composed["loss.gamma"]["new"] == 2.0
    assert "data.draw" not in composed
    page = repository.project / "dvc_plots" / "index.html"
    text = page.read_text(encoding="utf-8")
    assert all(words in text for words in ("val/accuracy", "train/loss", "predicted", "v1", "v3"))
    pictures = {path.name for path in page.parent.glob("static/*")}
    assert {f"{rev}_pipeline_train_pictures_val_confusion.png" for rev in ("v1", "v3")} <= pictures
    assert repository.git("status", "--porcelain") == ""


def test_a_sweep_trains_each_choice(history: History) -> None:
    found = dict(experiments(history.told["shown"][0]))
    assert {loss_of(each) for each in found.values()} == {"focal", "arcface"}
    losses = [
        each["metrics"]["pipeline/train/metrics.json"]["data"]["val/loss"]
        for each in found.values()
    ]
    assert losses[0] != losses[1]


def test_the_record_names_the_data_by_its_hash(history: History) -> None:
    repository = history.repository
    lock = yaml.safe_load((repository.project / "dvc.lock").read_text())
    (data,) = lock["stages"]["make"]["outs"]
    record = repository.json("pipeline/train/record.json")
    assert record["facts"]["data"][DATA] == data["md5"]
    assert record["config"]["data"]["draw"] == 80
    assert "loss=focal" in record["overrides"]


def test_what_is_out_of_range_starts_nothing(history: History) -> None:
    told = history.repository.dvc("exp", "run", "-S", "+optimizer.lr=99", code=255)
    assert "optimizer.lr is 99.0: it must be > 0 and <= 10." in told
    assert "HINT  For example optimizer.lr=" in told
    assert ran(told) == ["compose"]
    history.repository.git("checkout", "--quiet", ".")


def test_nothing_is_learnt_from_data_that_is_not_in_order(history: History) -> None:
    repository = history.repository
    repository.change("validation", smallest=65)
    told = repository.dvc("repro", code=255)
    assert f"{DATA} has 80 problems:" in told
    assert "train/cat/00000.png: 64 pixels, fewer than smallest=65." in told
    assert ran(told) == ["compose", "validate"]
    problems = repository.project / "pipeline/validate/problems.csv"
    assert len(problems.read_text().splitlines()) == 1 + 80
    repository.git("checkout", "--quiet", ".")
    assert ran(repository.dvc("repro")) == []
