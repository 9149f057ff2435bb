"""The worker as the host starts it: a process, its lines, its end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import CacheError
from scripts.links.answers import Answers
from scripts.links.checkout import Overview
from scripts.links.model import Probed
from scripts.links.relinked import Relinked
from scripts.links.repair import Repaired
from scripts.progress import SilentProgress
from tests.contract.link_checkouts import FILES, isolate, make_checkout

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))


def start(cwd: Path, **request: object) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "scripts.links.worker", json.dumps(request)]
    return subprocess.Popen(
        argv,
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ask(cwd: Path, **request: object) -> dict[str, Any]:
    answers = Answers(SilentProgress())
    with start(cwd, **request) as started:
        out, err = started.communicate()
    assert started.returncode == 0, err
    for line in out.splitlines():
        json.loads(line)  # nothing else is on standard output
        answers.take(line)
    return answers.result()


def test_each_call_answers_with_what_its_class_reads(tmp_path: Path) -> None:
    root = make_checkout(tmp_path, "copy").root
    overview = Overview.from_json(ask(root, call="tracked", contents=True, link_types=["hardlink"]))
    assert overview.root == str(root)
    assert overview.troubled == {"copied": len(FILES)}
    relinked = Relinked.from_json(ask(root, call="relink", link_types=["hardlink"]))
    assert relinked.changed == {"hardlink": len(FILES)}
    repaired = Repaired.from_json(ask(root, call="repair", link_types=["hardlink"]))
    assert repaired.mended == ()
    probed = Probed.from_json(
        ask(root, call="probe", cache=str(root / ".dvc/cache"), workspace=str(root), visible=[])
    )
    assert probed.works("copy")


def test_a_directory_that_is_not_there_inside_is_told(tmp_path: Path) -> None:
    visible = [str(tmp_path), str(tmp_path / "only outside")]
    with pytest.raises(CacheError, match="only outside") as raised:
        ask(tmp_path, call="probe", cache=str(tmp_path), workspace=str(tmp_path), visible=visible)
    assert raised.value.hint


def test_an_error_of_the_project_crosses_as_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="not a DVC project"):
        ask(tmp_path, call="tracked")


def test_a_bug_ends_it_with_a_traceback(tmp_path: Path) -> None:
    with start(tmp_path, call="no such call") as started:
        out, err = started.communicate()
    assert started.returncode == 1
    assert "KeyError" in err
    assert out == ""


def test_the_probe_reads_neither_dvc_nor_anything_else_slow(tmp_path: Path) -> None:
    request = json.dumps({"call": "probe", "cache": str(tmp_path), "workspace": str(tmp_path)})
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "scripts.links.worker", request],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "scripts.links.probe" in imported
    assert not {"dvc", "fsspec", "asyncio", "docker", "networkx"} & imported


def test_it_ends_with_the_host_s_process_and_not_before() -> None:
    code = (
        "import sys, time\n"
        "from scripts.links import worker\n"
        "def slow(progress):\n"
        "    progress.say('began')\n"
        "    time.sleep(60)\n"
        "    return {}\n"
        "worker.CALLS['slow'] = slow\n"
        'sys.exit(worker.serve([\'{"call": "slow", "attended": true}\']))\n'
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as started:  # fmt: skip
        assert started.stdin is not None
        assert started.stdout is not None
        assert "began" in started.stdout.readline()
        time.sleep(0.3)
        assert started.poll() is None
        started.stdin.close()
        last = started.stdout.read()
        assert started.wait(timeout=10) == 130
    assert json.loads(last)["error"]["kind"] == "KeyboardInterrupt"
