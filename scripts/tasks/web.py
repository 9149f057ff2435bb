"""Servers inside that a browser looks at."""
# ruff: noqa: PLC0415  imports stand in the tasks, so that listing them stays instant
# ruff: noqa: FBT001, FBT002  invoke reads options off signatures

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from invoke.tasks import task

from scripts import console
from scripts.console import exit_on_error
from scripts.tasks import ROOT

if TYPE_CHECKING:
    from invoke.context import Context


@task(help={"stop": "end it", "no-open": "only print its address"})
def jupyter(_: Context, stop: bool = False, no_open: bool = False) -> None:
    """Start JupyterLab inside, and open it.

    Example: ./inv jupyter
    """
    serve("jupyter", None, stop=stop, no_open=no_open)


@task(
    help={
        "logdir": "what to show; lightning_logs, runs or outputs if not given",
        "stop": "end it",
        "no-open": "only print its address",
    }
)
def tensorboard(_: Context, logdir: str = "", stop: bool = False, no_open: bool = False) -> None:
    """Start TensorBoard inside, and open it.

    Example: ./inv tensorboard --logdir outputs
    """
    serve("tensorboard", Path(logdir) if logdir else None, stop=stop, no_open=no_open)


def serve(
    name: str, shows: Path | None = None, page: str = "", *, stop: bool = False, no_open: bool
) -> None:
    """Start a server inside and open it in the browser, or end it."""
    from scripts.console import web as view
    from scripts.container import bringup, web

    with exit_on_error(), console.progress() as progress:
        settings, docker = bringup.connect(ROOT)
        if stop:
            console.say(web.stop_server(settings, docker, name, progress))
            return
        server = web.start_server(settings, docker, name, progress, shows=shows, page=page)
        progress.say(view.server_line(server))
        console.show(view.server_view(server))
        if not no_open:
            web.open_browser(server)
