"""A source without any DVC object: more likely a wrong place than a remote that lost all."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from scripts.errors import StoreError
from scripts.migration.stores.incoming import INCOMING
from scripts.report import count_text

if TYPE_CHECKING:
    from scripts.migration.opening import Stores
    from scripts.migration.plan import Plan

_NAMES_TOLD = 5


def require_dvc_store(plan: Plan, stores: Stores) -> None:
    """Do nothing if the source holds DVC objects, or if nothing is missing without them.

    Args:
        plan: The plan of the migration.
        stores: The project and its remotes.

    Raises:
        StoreError: Something is needed, and the source holds none; the message tells what it holds.
    """
    missing = plan.counts["missing"]
    if not missing or next(iter(stores.source.list_objects()), None) is not None:
        return
    source = stores.source
    names = [name for name in islice(source.list_top(), _NAMES_TOLD + 2) if name != f"{INCOMING}/"]
    more = " ..." if len(names) > _NAMES_TOLD else ""
    told = f"holds {', '.join(names[:_NAMES_TOLD])}{more}, and" if names else "is empty: it holds"
    needed = count_text(missing, "object")
    raise StoreError(
        f"{source.name} ({source.place}) {told} no DVC object, but {needed} must come from it.",
        hint=f"Is its disk mounted, and its path whole? `dvc remote modify {source.name} url ...` "
        "mends its address.",
    )
