"""Sizes of a migration that tests choose, so that a few objects do what many or large ones do.

What no test needs to choose stands as a constant beside the code that it is for.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tuning:
    """How much is much; without an argument, what every migration but a test's takes.

    Attributes:
        processes_from_objects: From so many objects on, what copies them may be processes: starting
            them takes 0.15 s.
        processes: How many processes copy; ``None`` for what the processors are worth.
        lot_objects: As many objects a process is asked for at once, between disks, and its thread
            waits for the disk once for all of them.
        page_objects: As many objects a server tells of at once, at most: S3's limit. Whoever looks
            for more need not ask whether one page is all.
        most_whole_bytes: An object of up to this size goes to a bucket in one request. A larger one
            goes in parts, which are sent anew one by one and side by side: rclone's limit.
    """

    processes_from_objects: int = 2000
    processes: int | None = None
    lot_objects: int = 64
    page_objects: int = 1000
    most_whole_bytes: int = 200 << 20


PRODUCTION = Tuning()
"""What every migration takes."""
