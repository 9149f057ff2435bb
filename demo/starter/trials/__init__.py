"""Many trials at once, on this machine or on several, through Ray.

What Ray reads from the environment as it is imported is set here, before any module of this
package can import it.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # two trials that say the same are two lines
os.environ.setdefault("RAY_worker_niceness", "0")  # as a run of one's own, not behind all others
# A trial whose process was ended because memory was short is begun anew so often, not for ever.
os.environ.setdefault("RAY_task_oom_retries", "3")
if not sys.stderr.isatty():
    os.environ.setdefault("RAY_COLOR_PREFIX", "0")
