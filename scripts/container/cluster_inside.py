"""What `./inv ray` asks Ray itself, in the head's container.

Run as ``python -m scripts.container.cluster_inside REQUEST``; speaks the protocol of
:mod:`scripts.links.worker`.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from scripts.links.worker import serve

if TYPE_CHECKING:
    from scripts.progress import Progress

ANSWERS_WITHIN_S = 120.0
"""A node reads a gigabyte of libraries; the disk may be cold, and the machine busy."""
_PAUSE_S = 0.5


def nodes(_: Progress, *, expected: int, within_s: float = ANSWERS_WITHIN_S) -> dict[str, Any]:
    """Wait until so many nodes are alive, no more and no fewer; return those that are at last."""
    import ray  # noqa: PLC0415  a second and more

    until = time.monotonic() + within_s
    alive: list[dict[str, Any]] = []
    while time.monotonic() < until:
        if not ray.is_initialized():
            with suppress(ConnectionError):  # the head does not listen yet
                ray.init("localhost:6379", log_to_driver=False, logging_level="error")
        else:
            alive = [node for node in ray.nodes() if node["Alive"]]
            if len(alive) == expected:
                break
        time.sleep(_PAUSE_S)
    return {
        "nodes": [
            {
                "host": node["NodeManagerHostname"],
                "address": node["NodeManagerAddress"],
                "cpus": node["Resources"].get("CPU", 0),
            }
            # The head first.
            for node in sorted(alive, key=lambda each: each["NodeManagerHostname"] != "ray-head")
        ]
    }


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1:], {"nodes": nodes}))
