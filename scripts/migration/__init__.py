"""Heart 2: move a DVC project's data from one remote to another and prove that it arrived.

::

    stores = open_stores(root, "hdd", "s3")          settings -> stores
    plan = plan_migration(stores)                    observe, plan
    outcomes = copy_objects(plan, stores)            apply
    report = verify(plan, outcomes, stores)          verify, report
    report.require_complete()
    switch_default(root, report)                     the last step

What moves beside the objects has the same steps, and becomes a part of plan and report:
:mod:`~scripts.migration.run_cache`, and names of DVC 3 (:mod:`~scripts.migration.upgrade`).

What holds at any moment, however a run ends:

1. A migration never writes to the source (only :mod:`~scripts.migration.prune`, a command of its
   own, deletes there). No DVC object database is opened on it, as those delete objects
   that they take for damaged; :class:`~scripts.migration.store.ReadOnly` has no writing half.
2. A ``.dir`` object is published only after every file that it names is proven in the target.
3. An object becomes visible in the target only after its check: the check is the last step of the
   stream that the target publishes, and a stream that fails publishes nothing.
4. Resuming is planning again. A target object counts as present only with evidence, not because
   its name exists.
5. Every planned object has exactly one outcome, and the counts add up to the plan. Anything
   corrupt, missing, failed or uncollectable makes the exit code non-zero.
6. The revisions decide *what* moves; a remote's place comes from today's configuration, never from
   a historical commit's.

Importing this is cheap: DVC, botocore and obstore are imported by the functions that need them.
"""

from __future__ import annotations

from scripts.migration.apply import copy_objects
from scripts.migration.audit import verify_remote
from scripts.migration.cutover import (
    Switch,
    require_switched,
    switch_default,
    switch_defaults,
    undo_switch,
)
from scripts.migration.estimate import with_estimate
from scripts.migration.foreign import require_dvc_store
from scripts.migration.heal import with_healers
from scripts.migration.notes import with_cautions
from scripts.migration.observe import DEFAULT_JOBS, plan_migration
from scripts.migration.opening import Stores, open_remote, open_stores, open_writable
from scripts.migration.outcome import Report
from scripts.migration.pace import paced, paced_source, read_bandwidth
from scripts.migration.parts import Part, plan_with, report_with
from scripts.migration.plan import Plan
from scripts.migration.prune import Pruning, plan_prune, prune_source
from scripts.migration.record import remember_complete, require_recent
from scripts.migration.run_cache import RunCache, read_run_cache
from scripts.migration.run_copy import copy_runs, verify_remote_runs, verify_runs
from scripts.migration.sample import Sample, read_sample
from scripts.migration.scope import Scope, read_scope
from scripts.migration.upgrade import copy_upgraded, plan_upgrade, read_layout, verify_upgraded
from scripts.migration.upgrade_files import rewrite_files
from scripts.migration.verify import verify

__all__ = [
    "DEFAULT_JOBS",
    "Part",
    "Plan",
    "Pruning",
    "Report",
    "RunCache",
    "Sample",
    "Scope",
    "Stores",
    "Switch",
    "copy_objects",
    "copy_runs",
    "copy_upgraded",
    "open_remote",
    "open_stores",
    "open_writable",
    "paced",
    "paced_source",
    "plan_migration",
    "plan_prune",
    "plan_upgrade",
    "plan_with",
    "prune_source",
    "read_bandwidth",
    "read_layout",
    "read_run_cache",
    "read_sample",
    "read_scope",
    "remember_complete",
    "report_with",
    "require_dvc_store",
    "require_recent",
    "require_switched",
    "rewrite_files",
    "switch_default",
    "switch_defaults",
    "undo_switch",
    "verify",
    "verify_remote",
    "verify_remote_runs",
    "verify_runs",
    "verify_upgraded",
    "with_cautions",
    "with_estimate",
    "with_healers",
]
