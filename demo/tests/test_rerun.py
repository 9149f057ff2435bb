"""`rerun --as-recorded`: the code and data of then, whatever has become of them since."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from desk import PROJECT, Desk, await_seen
from starter import facts

_WORDS = (
    "experiment=mine", "data.draw=48", "data.batch_size=16", "trainer.max_epochs=1",
    "callbacks=none", "logger=none",
)  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Return a copy of this project, not at the top of its repository, with a run `runs/then`.

    The run was made from a commit, a change to a file, a file that git does not have, and data that
    DVC tracks. Since then all four have become something else.
    """
    top = tmp_path_factory.mktemp("lab")
    desk = Desk(top / "work", top / "work")
    for name in ("bin", Path(facts.__file__).parent.name):
        shutil.copytree(
            PROJECT / name, desk.project / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    # `data/` is git-ignored in a project; here DVC keeps its files of a data set in git.
    (desk.project / ".gitignore").write_text("/runs/\n__pycache__/\n")
    _git(top, "init", "--quiet")
    _dvc(desk.folder, "init", "--quiet", "--subdir")
    _dvc(desk.folder, "config", "cache.dir", "../elsewhere/cache", "--local")
    _draw(desk)
    _commit(top, "first")
    schema = next(desk.project.glob("*/schema.py"))
    was = schema.read_text()
    schema.write_text(was.replace("width: int = ranged(16,", "width: int = ranged(6,"))
    assert schema.read_text() != was
    _write_experiment(desk, lr=0.02)
    (desk.project / ".env").write_text("KEY=hidden")
    (desk.project / "secrets.yaml").write_text("key: hidden")
    ended = desk.run("train", *_WORDS, "hydra.run.dir=runs/then")
    assert ended.code == 0, ended.err
    schema.write_text(was)
    _write_experiment(desk, lr=0.0001)
    _replace_pictures(desk)
    _commit(top, "second")
    return desk


def test_the_record_has_code_that_git_had_not_and_no_secrets(lab: Desk) -> None:
    git = lab.record("runs/then")["facts"]["git"]
    package = next(lab.project.glob("*/schema.py")).parent.name
    assert git["untracked_in_diff"] == [f"work/{package}/configs/experiment/mine.yaml"]
    assert git["project"] == "work/"
    diff = (lab.folder / "runs/then/git.diff").read_text()
    assert "ranged(6," in diff
    assert "+  lr: 0.02" in diff
    assert "hidden" not in diff


def test_todays_code_differs_and_that_of_then_repeats(lab: Desk) -> None:
    ended = lab.run("rerun", "runs/then", "--to", "runs/today")
    assert ended.code == 1
    assert "note  git.commit was " in ended.out
    assert "note  data.data/cats_dogs was " in ended.out
    assert "rerun --as-recorded RUN" in ended.err
    before = _state(lab)
    ended = lab.run("rerun", "--as-recorded", "runs/then")
    assert ended.code == 0, ended.out + ended.err
    assert "note  work/secrets.yaml was not in git" in ended.out
    assert "note  git.commit" not in ended.out
    assert "note  git.diff_sha256" not in ended.out
    assert "note  data" not in ended.out
    assert lab.metrics("runs/then_again1") == lab.metrics("runs/then")
    again = lab.record("runs/then_again1")["facts"]
    then = lab.record("runs/then")["facts"]
    assert again["git"]["diff_sha256"] == then["git"]["diff_sha256"]
    assert again["data"] == then["data"]
    assert _state(lab) == before


def test_ctrl_c_leaves_no_worktree(lab: Desk) -> None:
    before = _state(lab)
    process = lab.start("rerun", "--as-recorded", "runs/then", "--to", "runs/stopped")
    await_seen((lab.folder / "runs/stopped/record.json").is_file)
    assert len(_git(lab.folder, "worktree", "list").splitlines()) == 2
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 130
    assert lab.record("runs/stopped")["status"] == "interrupted"
    assert _state(lab) == before


def test_code_that_cannot_be_brought_back_is_told(lab: Desk) -> None:
    before = _state(lab)
    run = lab.folder / "runs/spoilt"
    shutil.copytree(lab.folder / "runs/then", run)
    record = lab.record("runs/then")
    git = record["facts"]["git"]

    def told(**changed: object) -> str:
        record["facts"]["git"] = {**git, **changed}
        (run / "record.json").write_text(json.dumps(record))
        ended = lab.run("rerun", "--as-recorded", "runs/spoilt")
        assert ended.code == 2, ended.err
        assert "Traceback" not in ended.err
        assert "HINT" in ended.err
        return ended.err

    assert f"Commit {'1' * 40}, which {run} was made from, is not in" in told(commit="1" * 40)
    assert "names no commit: git is gone" in told(commit=None, reason="git is gone")
    assert "by too much to be kept" in told(diff=None)
    diff = run / "git.diff"
    content = diff.read_bytes().replace(b"ranged(16,", b"ranged(17,")
    diff.write_bytes(content)
    assert f"{diff} is damaged" in told()
    assert f"{diff} does not apply to commit" in told(
        diff_sha256=hashlib.sha256(content).hexdigest()
    )
    taken = lab.folder / "runs/spoilt_again1_code"
    taken.mkdir()
    assert f"{taken} exists already" in told()
    taken.rmdir()
    diff.unlink()
    assert f"{diff}, which says what differed from the commit, cannot be read" in told()
    assert _state(lab) == before


def _state(lab: Desk) -> list[str]:
    """Return what a person would notice of their checkout: index, files, worktrees, stash."""
    asked = (("status", "--porcelain"), ("worktree", "list"), ("stash", "list"), ("diff", "HEAD"))
    folders = sorted(path.name for path in lab.folder.glob("runs/*_code"))
    return [*(_git(lab.folder, *words) for words in asked), *folders]


def _write_experiment(desk: Desk, *, lr: float) -> None:
    configs = next(desk.project.glob("*/configs"))
    (configs / "experiment/mine.yaml").write_text(
        f"# @package _global_\noptimizer:\n  lr: {lr}\n", encoding="utf-8"
    )


def _draw(desk: Desk) -> None:
    made = desk.run("make-data", "cats_dogs", "--count", "48")
    assert made.code == 0, made.err
    _dvc(desk.folder, "add", "--quiet", "data/cats_dogs")


def _replace_pictures(desk: Desk) -> None:
    for picture in sorted(desk.folder.glob("data/cats_dogs/*/dog/*"))[::2]:
        other = next(picture.parents[1].glob("cat/*"))
        picture.unlink()
        shutil.copyfile(other, picture)
    _dvc(desk.folder, "add", "--quiet", "data/cats_dogs")


def _commit(top: Path, message: str) -> None:
    _git(top, "add", "--", ":!work/secrets.yaml", ":!work/.env", ".")
    _git(top, "-c", "user.name=Ada", "-c", "user.email=a@example.org", "commit", "-qm", message)


def _git(folder: Path, *words: str) -> str:
    return _run(folder, "git", *words)


def _dvc(folder: Path, *words: str) -> str:
    return _run(folder, sys.executable, "-m", "dvc", *words)


def _run(folder: Path, *words: str) -> str:
    ended = subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
