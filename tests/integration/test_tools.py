"""Requirements, call graphs, profiles and new projects, as a person asks for them."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from scripts import process
from scripts.analysis.profiling import command_samples
from tests.integration.proxy_site import free_port
from tests.integration.test_web import see
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.needs("docker")

SNAKEVIZ_PORT = free_port("127.0.0.1")
BUSY = """
import sys, time
print("ready", flush=True)
end = time.monotonic() + float(sys.argv[1])
def spin():
    while time.monotonic() < end:
        sum(range(1000))
spin()
sys.exit(int(sys.argv[2]))
"""


SPIN = "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass"


@pytest.fixture(scope="module")
def site(workspace: Workspace) -> Iterator[Workspace]:
    workspace.write_env(PORTS=f"{SNAKEVIZ_PORT}:8090")
    workspace.up()
    (workspace.root / "busy.py").write_text(BUSY)
    yield workspace
    workspace.inv("profile", "--stop")


def test_this_repository_is_clean_and_a_new_import_is_not(site: Workspace) -> None:
    done = site.inv("reqs")
    assert done.returncode == 0, said(done)
    assert "Nothing is missing, undeclared or unused" in said(done)
    path = site.root / "scripts" / "extra.py"
    path.write_text("import dateutil\nimport no_such_module\n")
    try:
        found = site.inv("reqs")
        assert found.returncode == 10
        assert "1 missing, 1 undeclared" in said(found)
        assert found.stderr.count("HINT ") == 1
        content = site.json("reqs")
        assert [finding["kind"] for finding in content["findings"]] == ["missing", "undeclared"]
        path.write_text("def f(:\n")
        part = site.inv("reqs", "--", "scripts/extra.py")
        assert part.returncode == 10
        assert "scripts/extra.py line 1: invalid syntax" in said(part)
    finally:
        path.unlink()


def test_a_call_graph_is_drawn(site: Workspace) -> None:
    done = site.inv("callgraph", "--to", "calls.svg", "--", "scripts/environment")
    assert done.returncode == 0, said(done)
    assert "check_requirements" in (site.root / "calls.svg").read_text()
    assert site.inv("callgraph").returncode == 0
    assert (site.root / ".slipway" / "callgraph.svg").exists()
    outside = site.inv("callgraph", "--to", "/tmp/calls.svg")  # noqa: S108  it is refused
    assert outside.returncode == 2
    assert "outside the workspace" in said(outside)


@pytest.mark.parametrize("code", ["0", "3"])
def test_a_flame_graph_is_taken_without_any_capability(site: Workspace, code: str) -> None:
    capabilities = site.inv("exec", "--", "grep", "CapBnd", "/proc/self/status").stdout
    assert int(capabilities.split()[1], 16) == 0
    done = site.inv("profile", "--to", "flames.svg", "--", "python", "busy.py", "1", code)
    assert done.returncode == int(code), said(done)
    picture = (site.root / "flames.svg").read_text()
    assert "spin (busy.py:" in picture
    samples = command_samples(picture)
    assert samples > 10
    assert f"flames.svg: {samples} samples" in said(done)
    assert list((site.root / ".slipway" / "recordings").iterdir()) == []


def test_a_place_that_cannot_be_written_is_told_before_the_command_runs(site: Workspace) -> None:
    (site.root / "taken.svg").mkdir()
    done = site.inv("profile", "--to", "taken.svg", "--", "touch", "ran-before")
    assert done.returncode == 1
    assert "taken.svg: Is a directory" in said(done)
    assert not (site.root / "ran-before").exists()


def test_a_command_that_ends_at_once_keeps_its_code_and_is_told_of(site: Workspace) -> None:
    for command, code in (("true", 3), ("false", 1)):
        done = site.inv("profile", "--", command)
        assert done.returncode == code
        assert "before a sample of it was taken" in said(done)
        assert done.stderr.count("HINT ") == 1
    missing = site.inv("profile", "--", "no-such-program")
    assert missing.returncode == 3
    assert "`no-such-program` cannot be started inside" in said(missing)


def test_ctrl_c_on_a_terminal_ends_the_command_and_draws_what_was_seen(site: Workspace) -> None:
    inv = [sys.executable, "-m", "invoke", "--search-root", str(site.root), "profile"]
    command = [*inv, "--to", "broken.svg", "--", "python", "busy.py", "600", "0"]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(site.root)
        os.execv(command[0], command)  # noqa: S606  in a terminal of its own
    printed = b""
    deadline = time.monotonic() + 120
    pressed = False
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 1)[0]:
            try:
                printed += os.read(terminal, 65536)
            except OSError:  # the other end is gone
                break
        if b"ready" in printed and not pressed:
            time.sleep(1.5)
            os.write(terminal, b"\x03")
            pressed = True
    status = os.waitpid(child, 0)[1]
    assert os.WEXITSTATUS(status) == 130, printed.decode()
    assert b"broken.svg" in printed
    assert command_samples((site.root / "broken.svg").read_text()) > 10
    running = process.run(["docker", "top", site.container_id(), "-eo", "pid,args"]).stdout
    assert "busy.py" not in running


def test_every_call_is_counted_and_shown_by_snakeviz(site: Workspace) -> None:
    done = site.inv("profile", "--cprofile", "--no-open", "--", "python", "busy.py", "0.2", "5")
    assert done.returncode == 5, said(done)
    url = done.stdout.strip().splitlines()[-1]
    (profile,) = (site.root / ".slipway" / "profiles").glob("busy-*.prof")
    assert url == f"http://127.0.0.1:{SNAKEVIZ_PORT}/snakeviz/{quote(str(profile), safe='')}"
    page = process.run(["curl", "-s", "--noproxy", "*", url]).stdout
    assert f"<title>{profile.stem}</title>" in page
    assert "spin" in page
    again = site.inv(
        "profile",
        "--cprofile",
        "--no-open",
        "--to",
        "again.prof",
        "--",
        "python",
        "busy.py",
        "0",
        "0",
    )
    assert "SnakeViz runs already" in said(again)
    assert "SnakeViz is stopped" in said(site.inv("profile", "--stop"))
    assert "SnakeViz did not run" in said(site.inv("profile", "--stop"))


@pytest.mark.needs("browser")
def test_snakeviz_is_seen_in_a_real_browser(site: Workspace, tmp_path: Path) -> None:
    site.up()
    options = ["--cprofile", "--no-open", "--to", "seen.prof"]
    done = site.inv("profile", *options, "--", "python", "busy.py", "0.2", "0")
    assert done.returncode == 0, said(done)
    url = done.stdout.splitlines()[-1]  # the command printed before
    shown = see("calls", url, name="spin", screenshot=str(tmp_path / "seen.png"))
    seen = json.loads(shown)
    assert "busy.py" in seen["row"]
    assert "(spin)" in seen["row"]
    assert seen["asked"] > 3
    assert seen["elsewhere"] == [], "and nobody else is asked for scripts"


def test_a_port_that_is_not_published_is_told_before_the_command_runs(site: Workspace) -> None:
    site.write_env(PORTS="none")
    site.up()
    done = site.inv("profile", "--cprofile", "--", "touch", "ran")
    assert done.returncode == 4
    assert "does not publish port 8090" in said(done)
    assert not (site.root / "ran").exists()


def test_a_new_project_trains_infers_and_passes_tests_of_its_own(site: Workspace) -> None:
    done = site.inv("new", "cat-or-dog")
    assert done.returncode == 0, said(done)
    again = site.inv("new", "cat-or-dog")
    assert again.returncode == 2
    assert "exists already" in said(again)
    shown = site.inv("exec", "--", "cat-or-dog/bin/train", "--help")
    assert shown.returncode == 0, said(shown)
    assert re.search(r"train .*KEY=VALUE", said(shown))
    # All of them are demo/'s, which run inside under its own name; a part, with a whole training,
    # shows that the new one holds.
    chosen = [f"cat-or-dog/tests/test_{name}.py" for name in ("losses", "data", "train")]
    options = ["-q", "-k", "(test_losses or test_data or infer) and not evaluate"]
    tested = site.inv("exec", "--", "python", "-m", "pytest", *options, *chosen)
    assert tested.returncode == 0, said(tested)[-3000:]


def test_who_is_not_root_may_look_at_their_own_command(ada: int, adas_workspace: Workspace) -> None:
    adas_workspace.up()
    done = adas_workspace.inv("profile", "--to", "flames.svg", "--", "python", "-c", SPIN)
    assert done.returncode == 0, said(done)
    picture = adas_workspace.root / "flames.svg"
    assert picture.stat().st_uid == ada
    assert command_samples(picture.read_text()) > 10


def test_each_task_explains_itself_with_an_example(site: Workspace) -> None:
    for task in ("reqs", "callgraph", "profile", "new"):
        shown = site.inv("--help", task)
        assert f"Example: ./inv {task}" in said(shown)
