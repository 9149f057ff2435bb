"""How a Ray cluster looks: its nodes, and the words to use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table

from scripts.console.container import pairs

if TYPE_CHECKING:
    from rich.console import RenderableType

    from scripts.container.cluster import Cluster


def cluster_view(cluster: Cluster) -> RenderableType:
    """Return the nodes as Ray names them, and how to use them."""
    table = Table(box=box.SIMPLE_HEAD, title="Answered", title_justify="left", title_style="bold")
    table.add_column("node", no_wrap=True)
    table.add_column("address")
    table.add_column("CPUs", justify="right")
    for node in cluster.nodes:
        table.add_row(node.host, node.address, str(node.cpus))
    facts = pairs()
    words = "-- -m hydra/launcher=ray_cluster loss=cross_entropy,focal"
    facts.add_row(f"./inv train {words}", "trains on all of them at once")
    facts.add_row("./inv ray --stop", "ends them; so does `./inv down`")
    return Group(table, facts)
