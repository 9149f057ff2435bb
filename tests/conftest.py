"""What all tests share: what they need is looked for, and faults are counted."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.faults.tally import Tally
from tests.needs import require

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has what it runs in the background ignore Ctrl-C, and so would all that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_TALLY = pytest.StashKey[Tally]()


@pytest.fixture(autouse=True, scope="session")
def _own_dvc_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what DVC learns of a test's files out of the workspace's own state."""
    os.environ["DVC_SITE_CACHE_DIR"] = str(tmp_path_factory.mktemp("dvc"))
    # What it would start in the background (statistics, a look for updates) writes into .dvc/tmp at
    # some later moment, and takes as long as the command itself; the first also in containers.
    os.environ["DVC_DAEMON"] = os.environ["DVC_NO_ANALYTICS"] = "1"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is rarely needed, unless `./inv test --all` asks for it."""
    if os.environ.get("SLIPWAY_TEST_ALL"):
        return
    rare = [item for item in items if item.get_closest_marker("rare")]
    if rare:
        config.hook.pytest_deselected(items=rare)
        items[:] = [item for item in items if item not in rare]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for tool in marker.args:
            require(tool)


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Tally:
    """Return what counts the faults that are tried; the counts are printed at the end."""
    return request.config.stash.setdefault(_TALLY, Tally())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what one of several processes counted (`pytest --numprocesses`) to the whole."""
    counted = getattr(node, "workeroutput", {}).get("tally", {})
    node.config.stash.setdefault(_TALLY, Tally()).add(counted)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand this process's counts to the one that started it, if there is one."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["tally"] = session.config.stash.get(_TALLY, Tally()).as_plain()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    lines = config.stash.get(_TALLY, Tally()).lines()
    if lines:
        terminalreporter.section("faults survived")
        terminalreporter.write("\n".join([*lines, ""]))
