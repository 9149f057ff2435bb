"""A clean-up from its first look to its report, with the person's answer between plan and apply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from scripts.errors import SettingsError
from scripts.gc.apply import remove_objects
from scripts.gc.model import Keep
from scripts.gc.observe import plan_gc
from scripts.gc.outcome import Report
from scripts.gc.plan import Plan, Request
from scripts.gc.verify import verify
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from scripts.gc.site import Site
    from scripts.progress import Progress


def read_request(keep: str, *, not_in_remote: bool) -> Request:
    """Return what was asked for.

    Raises:
        SettingsError: ``keep`` is none of the words for it.
    """
    try:
        return Request(Keep(keep.lower()), not_in_remote)
    except ValueError as error:
        raise SettingsError(
            f"--keep {keep} is not known.",
            hint=f"It is one of {', '.join(word.value for word in Keep)}.",
        ) from error


def run_gc(
    site: Site,
    request: Request,
    *,
    confirm: Callable[[Plan], bool],
    progress: Progress | None = None,
) -> Report:
    """Plan, ask, remove what the plan says if the answer is yes, and verify.

    Args:
        site: The project, its cache, the remote and the other projects.
        request: What to keep.
        confirm: Shows the plan and answers whether to carry it out.
        progress: Where to tell what is going on.

    Returns:
        The report. The caller shows it, then asks ``require_clean``.

    Raises:
        CacheError: It cannot be told what a project needs, or another DVC command runs.
        StoreError: The remote cannot be asked.
    """
    progress = progress or SilentProgress()
    plan = plan_gc(site, request, progress=progress)
    if not confirm(plan) or not plan.removals:
        return Report(plan)
    outcomes = remove_objects(plan, site, progress=progress)
    return verify(plan, outcomes, site, progress)
