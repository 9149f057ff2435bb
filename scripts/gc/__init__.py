"""The guard of the DVC cache: remove what nobody needs and the remote provably has.

Belongs here: what ``./inv gc`` does. What projects need, how remotes are read and what counts as
proof are heart 2's; which projects use a cache is told by :mod:`scripts.links.registry`.

::

    site = open_site(root, remote)                   settings -> the cache, the remote, the others
    plan = plan_gc(site, request)                    observe, plan
    outcomes = remove_objects(plan, site)            apply
    report = verify(plan, outcomes, site)            verify, report
    report.require_clean()

:func:`run_gc` is these five lines, with a person's answer after the second.

What holds at any moment, however a run ends:

1. An object is removed only if the remote is proven to hold its bytes. A name proves nothing.
2. What another registered project needs in any revision stays, and so does what a symlink of any
   workspace leads to. A project that cannot be asked ends the run before anything is removed.
3. Each object goes in one step, so that an interrupted run leaves nothing half done.
"""

from __future__ import annotations

from scripts.gc.apply import remove_objects
from scripts.gc.model import Keep
from scripts.gc.observe import plan_gc
from scripts.gc.outcome import Report
from scripts.gc.plan import Plan, Request
from scripts.gc.run import read_request, run_gc
from scripts.gc.site import Site, forget_project, open_site
from scripts.gc.verify import verify

__all__ = [
    "Keep",
    "Plan",
    "Report",
    "Request",
    "Site",
    "forget_project",
    "open_site",
    "plan_gc",
    "read_request",
    "remove_objects",
    "run_gc",
    "verify",
]
