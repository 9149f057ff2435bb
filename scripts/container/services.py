"""Services beside the one that a person works in: the object store of the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.container.bringup import ports_of
from scripts.container.model import OBJECT_STORE
from scripts.container.plan import project_name
from scripts.crossing.network import require_free
from scripts.settings.values import Port

if TYPE_CHECKING:
    from scripts.container.engine import Engine
    from scripts.progress import Progress
    from scripts.settings import Settings

_CONTAINER_PORT = 8080
DEMO_ENDPOINT = f"http://{OBJECT_STORE}:{_CONTAINER_PORT}"
"""Where the object store is inside; on the host it is published on 127.0.0.1."""
DEMO_ACCESS_KEY = "slipway:demo"
DEMO_SECRET_KEY = "slipway-demo"  # noqa: S105  no secret: it opens a store that only this machine reaches


def start_object_store(settings: Settings, engine: Engine, progress: Progress) -> None:
    """Build and start the object store, and wait until it answers; nothing if it does already.

    Args:
        settings: Name the workspace, whose ``.slipway/compose.yml`` is there, and the port.
        engine: The engine to start it on.
        progress: Told what happens.

    Raises:
        ContainerError: It cannot be built or started; the hint says what helps.
        CommandFailed: Likewise, for a reason that is not known.
    """
    port = Port(_CONTAINER_PORT, settings.container.object_store_port)
    running = engine.container(project_name(settings.root), OBJECT_STORE)
    require_free([port], held=ports_of(running), key="OBJECT_STORE_PORT")
    with progress.phase("starting the object store"):
        engine.compose(
            settings.root,
            ["--profile", "demo", "up", "--detach", "--build", "--wait", OBJECT_STORE],
            follow=lambda _line: None,
            secrets=settings.network.indexes.for_build(),
        )
