"""JupyterLab, TensorBoard and SnakeViz: started inside, answered for and opened outside."""

from __future__ import annotations

import http.client
import os
import sys
import tempfile
import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from scripts.container.bringup import find_running
from scripts.container.inside import ask_inside, is_inside
from scripts.crossing.paths import workspace_target
from scripts.errors import ContainerError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.container.engine import Engine
    from scripts.container.model import ContainerFacts
    from scripts.progress import Progress
    from scripts.settings import Settings
    from scripts.settings.values import Port

INSIDE = "scripts.container.web_inside"
JUPYTER, TENSORBOARD, SNAKEVIZ = "jupyter", "tensorboard", "snakeviz"
PORTS = {JUPYTER: 8888, TENSORBOARD: 6006, SNAKEVIZ: 8090}
"""Where each one listens inside."""
_TITLES = {JUPYTER: "JupyterLab", TENSORBOARD: "TensorBoard", SNAKEVIZ: "SnakeViz"}
LOG_DIRECTORIES = ("lightning_logs", "runs", "outputs")
"""Where Lightning, PyTorch's SummaryWriter and Hydra write by themselves."""
_REACHED_WITHIN_S = 15.0
_SHOWING = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
"""Variables that say that there is a display, or a browser that needs none."""


@dataclass(frozen=True)
class Server:
    """A server that answers, and the address under which it does: JupyterLab's holds its token."""

    title: str
    url: str
    shows: str
    ran: bool


def start_server(
    settings: Settings, engine: Engine, name: str, progress: Progress, *,
    shows: Path | None = None, page: str = "",
) -> Server:  # fmt: skip
    """Start a server inside unless it runs there, and wait until it answers here.

    Args:
        settings: Name the workspace.
        engine: The engine that the container runs on.
        name: ``JUPYTER``, ``TENSORBOARD`` or ``SNAKEVIZ``.
        progress: Told what is waited for.
        shows: The directory that it shows, in the workspace; ``None`` for the workspace
            (JupyterLab, SnakeViz), or for the first of ``LOG_DIRECTORIES`` that is there
            (TensorBoard).
        page: What of it to open; empty for its first page.

    Raises:
        SettingsError: There is no such directory in the workspace, or another one is shown.
        ContainerError: The container does not run or does not publish the port, or the server
            ended or does not answer.
    """
    if is_inside():
        raise SettingsError(
            f"`inv {name}` starts it from outside.", hint=f"Inside, run `{name}` itself."
        )
    container = find_running(settings.root, engine)
    port = _published(container, name)
    directory = _directory(settings.root, name, shows)
    request = {"call": "start", "name": name, "port": port.container_port, "shows": directory}
    with progress.phase(f"starting {_TITLES[name]}"):
        answer = ask_inside(settings, container, request, progress, module=INSIDE)
        if not _answers_within(port, _REACHED_WITHIN_S):
            raise _unreachable(settings, container, name, port, progress)
    if answer["shows"] != directory:
        raise SettingsError(
            f"{_TITLES[name]} runs already, and shows {answer['shows']}.",
            hint=f"`./inv {name} --stop` ends it; then start it for {directory}.",
        )
    path = f"lab?token={answer['token']}" if name == JUPYTER else page
    return Server(_TITLES[name], f"http://{_address(port)}/{path}", directory, ran=answer["ran"])


def stop_server(settings: Settings, engine: Engine, name: str, progress: Progress) -> str:
    """End a server inside, if it runs; return what to tell the person.

    Raises:
        ContainerError: The container does not run.
    """
    container = find_running(settings.root, engine)
    request = {"call": "stop", "name": name}
    answer = ask_inside(settings, container, request, progress, module=INSIDE)
    return f"{_TITLES[name]} " + ("is stopped." if answer["ran"] else "did not run.")


def open_browser(server: Server, environ: Mapping[str, str] = os.environ) -> bool:
    """Open a server's address where something can show it; tell whether that was tried.

    The browser is given a file that leads there, which only its owner may read: others may see
    a browser's command line.
    """
    if sys.platform == "linux" and not any(environ.get(key) for key in _SHOWING):
        return False
    descriptor, name = tempfile.mkstemp(prefix="slipway-", suffix=".html")
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(f'<meta http-equiv="refresh" content="0; url={server.url}">\n')
    return webbrowser.open(Path(name).as_uri())


def require_published(root: Path, engine: Engine, name: str) -> None:
    """Check that a server could be reached, before something long is done that it shall show.

    Raises:
        ContainerError: The container does not run, or does not publish the port.
    """
    _published(find_running(root, engine), name)


def profile_page(root: Path, profile: Path) -> str:
    """Return the page on which SnakeViz shows a profile of the workspace."""
    inside = f"{workspace_target(root)}/{profile.resolve().relative_to(root).as_posix()}"
    return f"snakeviz/{quote(inside, safe='')}"


def _published(container: ContainerFacts, name: str) -> Port:
    wanted = PORTS[name]
    for port in container.ports:
        if port.container_port == wanted:
            return port
    published = [f"{port.host_address}:{port.host_port}:{port.container_port}"
                 for port in container.ports]  # fmt: skip
    raise ContainerError(
        f"The container does not publish port {wanted}, where {_TITLES[name]} listens.",
        hint=f"Write PORTS={','.join([*published, str(wanted)])} into .env, then `./inv up`.",
    )


def _directory(root: Path, name: str, shows: Path | None) -> str:
    """Return the directory inside that a server shows."""
    workspace = workspace_target(root)
    if shows is None and name in (JUPYTER, SNAKEVIZ):
        return workspace
    if shows is None:
        shows = next((root / name for name in LOG_DIRECTORIES if (root / name).is_dir()), None)
        if shows is None:
            raise SettingsError(
                f"There is none of {', '.join(LOG_DIRECTORIES)} in the workspace yet.",
                hint="Train first, or name the directory with the logs: --logdir DIR.",
            )
    path = shows.resolve()
    if not path.is_dir() or root not in (path, *path.parents):
        raise SettingsError(
            f"{shows} is no directory of the workspace.", hint=f"Choose one below {root}."
        )
    relative = path.relative_to(root).as_posix()
    return workspace if relative == "." else f"{workspace}/{relative}"


def _answers_within(port: Port, seconds: float) -> bool:
    """Wait until the server, which answers inside, answers where it is published."""
    deadline = time.monotonic() + seconds
    while not _answers(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _answers(port: Port) -> bool:
    connection = http.client.HTTPConnection(_address(port), timeout=5)  # through no proxy
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _unreachable(
    settings: Settings, container: ContainerFacts, name: str, port: Port, progress: Progress
) -> ContainerError:
    request = {"call": "last_lines", "name": name}
    answer = ask_inside(settings, container, request, progress, module=INSIDE)
    shown = "".join(f"\n  {line}" for line in answer["lines"])
    return ContainerError(
        f"{_TITLES[name]} answers inside, but not on {_address(port)}.{shown}",
        hint="`./inv net` shows what is published; `./inv down` and `./inv up` publish it anew.",
    )


def _address(port: Port) -> str:
    wildcards = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  where it was published
    address = wildcards.get(port.host_address, port.host_address)
    return f"[{address}]:{port.host_port}" if ":" in address else f"{address}:{port.host_port}"
