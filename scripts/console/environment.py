"""How the environment looks: what a new lock changes, as rich renderables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from scripts.environment.lock import LockChange


def lock_view(changes: Sequence[LockChange]) -> RenderableType:
    """Return one row per package that is now pinned differently."""
    if not changes:
        return Text("Nothing to do: the locks already hold what is asked for.", style="green")
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("lock", "package", "before", "now"):
        table.add_column(column)
    for change in changes:
        table.add_row(change.lock, change.package, change.before or "-", change.after or "-")
    return table
