"""From how many heaps the C library serves threads: few, or each keeps what it once needed."""

from __future__ import annotations

import ctypes
import functools
import sys

_M_ARENA_MAX = -8
"""glibc's malloc.h."""
_HEAPS = 2


@functools.cache
def use_few_heaps() -> None:
    """Let glibc use two heaps in this process; does nothing where there is another C library.

    It would make up to eight for each core. Buffers of some megabytes come and go in all of them,
    and a migration of large objects then holds half as much memory again.
    """
    if sys.platform == "linux":
        set_option = getattr(ctypes.CDLL(None), "mallopt", None)
        if set_option is not None:
            set_option(_M_ARENA_MAX, _HEAPS)
