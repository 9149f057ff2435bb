"""A search of the demo, looked at in a real browser: its page, and its curves in TensorBoard."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest

from scripts import process
from tests.integration.proxy_site import free_port
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker", "browser")

SEE = Path(__file__).parent / "browser" / "see.js"
PORT = free_port("127.0.0.1")
WORDS = (
    "hparams_search=cats_dogs", "data.draw=96", "data.batch_size=16", "model.width=4",
    "trainer.max_epochs=2", "hydra.sweeper.n_trials=3", "logger=tensorboard", "test=false",
    "metric=val/loss",  # of which no two are alike, so that importance has something to explain
)  # fmt: skip


@pytest.fixture(scope="module")
def searched(workspace: Workspace) -> Iterator[Workspace]:
    workspace.write_env(PORTS=f"{PORT}:6006")
    workspace.up()
    done = workspace.inv("train", "--", *WORDS)
    assert done.returncode == 0, said(done)
    yield workspace
    workspace.inv("tensorboard", "--stop")


def see(kind: str, url: str, **asked: str) -> str:
    asked = {"chromium": shutil.which("chromium") or "", "kind": kind, "url": url, **asked}
    return process.run(["node", str(SEE)], stdin=json.dumps(asked), timeout_s=150).stdout.strip()


def test_the_page_shows_the_best_first_then_the_plots(searched: Workspace, tmp_path: Path) -> None:
    folder = searched.root / "demo/runs/cats_dogs/search"
    done = searched.inv("sweep", "--", str(folder), "--json")
    assert done.returncode == 0, said(done)
    told: dict[str, Any] = json.loads(done.stdout)
    best = told["best"]
    page = folder / "sweep.html"
    seen = json.loads(see("search", page.as_uri(), screenshot=str(tmp_path / "seen.png")))
    assert seen["heading"] == f"val/loss {best['value']:.4f} by trial {best['number']}"
    assert seen["top"] < 100
    assert seen["plots"] == dict.fromkeys(
        ["History", "Importance", "Parallel coordinates", "Epochs"], True
    )
    assert seen["rows"] == 3
    assert Path(unquote(urlsplit(seen["link"]).path)) == folder / str(best["number"])
    assert not seen["overflows"]
    assert (seen["fetched"], seen["errors"]) == ([], [])


def test_tensorboard_shows_the_curves_of_the_trials(searched: Workspace, tmp_path: Path) -> None:
    runs = searched.root / "demo/runs"
    done = searched.inv("tensorboard", "--no-open", "--logdir", str(runs))
    assert done.returncode == 0, said(done)
    shown = see(
        "curve", f"{done.stdout.strip()}?tagFilter=val%2Floss#timeseries", tag="val/loss",
        screenshot=str(tmp_path / "seen.png"),
    )  # fmt: skip
    assert "cats_dogs/search/" in shown
