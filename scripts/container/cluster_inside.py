"""What `./inv ray` asks Ray itself, in the head's container.

Run as ``python -m scripts.container.cluster_inside REQUEST``; speaks the protocol of
:mod:`scripts.links.worker`.
"""

from __future__ import annotations

import socket
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
    """Wait until so many nodes answer, no more and no fewer; return those that do at last.

    A list is not enough: for half a minute it goes on naming a node that was lost.
    """
    import ray  # noqa: PLC0415  a second and more

    until = time.monotonic() + within_s
    alive: list[dict[str, Any]] = []
    while time.monotonic() < until:
        if not ray.is_initialized():
            with suppress(ConnectionError):  # the head does not listen yet
                ray.init("localhost:6379", log_to_driver=False, logging_level="error")
        else:
            listed = [node for node in ray.nodes() if node["Alive"]]
            alive = _answering(listed, until) if len(listed) == expected else []
            if alive:
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


def _answering(listed: list[dict[str, Any]], until: float) -> list[dict[str, Any]]:
    """Return the nodes if each one does what it is asked, else none."""
    import ray  # noqa: PLC0415  as above
    from ray.exceptions import RayError  # noqa: PLC0415  as above
    from ray.util.scheduling_strategies import (  # noqa: PLC0415  as above
        NodeAffinitySchedulingStrategy,
    )

    ask = ray.remote(num_cpus=0, max_retries=0)(_hostname)
    answers = []
    for node in listed:
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        answers.append(ask.options(scheduling_strategy=there).remote())
    try:
        names = ray.get(answers, timeout=max(1.0, until - time.monotonic()))
    except RayError:
        return []
    return listed if names == [node["NodeManagerHostname"] for node in listed] else []


def _hostname() -> str:
    return socket.gethostname()


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1:], {"nodes": nodes}))
