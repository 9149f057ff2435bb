"""What `up` owes the DVC cache: its contract is checked, and the project is written down in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.container.model import ContainerPlan
    from scripts.settings import Settings


def require_shared(settings: Settings, plan: ContainerPlan) -> None:
    """Check a cache that a group shares; whose cache is their own has nothing to keep.

    Raises:
        CacheError: Its directory breaks the contract, or the person is not in its group.
    """
    cache = settings.cache_directory
    if not settings.cache_shared or not cache.is_dir() or os.name != "posix":
        return
    from scripts.links.shared import require_contract  # noqa: PLC0415  not on Windows

    require_contract(cache, {*plan.groups, plan.identity.gid})


def enrol(settings: Settings) -> None:
    """Write down in the cache that this project uses it, so that no `gc` takes what it needs.

    A workspace that is no DVC project needs nothing, and would stand in the way of others' `gc`.

    Raises:
        CacheError: The cache cannot be written.
    """
    cache = settings.cache_directory
    is_project = (settings.root / ".dvc").is_dir()
    if not (is_project and cache.is_dir()) or os.name != "posix":
        return
    from scripts.links.registry import register  # noqa: PLC0415  not on Windows

    register(cache, settings.root, settings.link_types)
