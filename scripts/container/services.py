"""Services beside the one that a person works in: the object store of the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.container.compose import run_compose

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.progress import Progress

OBJECT_STORE = "object-store"
SERVICES = (OBJECT_STORE,)
"""Their names are their host names inside."""
DEMO_ENDPOINT = f"http://{OBJECT_STORE}:8080"
"""Where the object store is inside; on the host it is published on 127.0.0.1."""
DEMO_ACCESS_KEY = "slipway:demo"
DEMO_SECRET_KEY = "slipway-demo"  # noqa: S105  no secret: it opens a store that only this machine reaches


def start_object_store(root: Path, progress: Progress) -> None:
    """Build and start the object store, and wait until it answers; nothing if it does already.

    Args:
        root: The workspace, whose ``.slipway/compose.yml`` is there.
        progress: Told what happens.

    Raises:
        ContainerError: It cannot be built or started; the hint says what helps.
        CommandFailed: Likewise, for a reason that is not known.
    """
    with progress.phase("starting the object store"):
        run_compose(
            root,
            ["--profile", "demo", "up", "--detach", "--build", "--wait", OBJECT_STORE],
            follow=lambda _line: None,
        )
