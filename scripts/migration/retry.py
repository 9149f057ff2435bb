"""Trying again: only what says of itself that another try may help."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Callable, TypeVar

from scripts.errors import StoreUnavailable

if TYPE_CHECKING:
    from scripts.migration.workers import Stop

_Result = TypeVar("_Result")
ATTEMPTS = 5
THROTTLED_ATTEMPTS = 12
"""A store that throttles is well, and is waited for longer: some minutes in all."""
FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 30.0
LONGEST_ASKED_S = 300.0
"""A store that wants to be left alone for longer is not waited for all that time at once."""


def retrying(
    call: Callable[[], _Result],
    stop: Stop,
    *,
    attempts: int = ATTEMPTS,
    first_delay_s: float = FIRST_DELAY_S,
) -> _Result:
    """Return ``call()``, trying again after ``StoreUnavailable`` with doubling, jittered delays.

    Where the store says how long it wants to be left alone, the delay is at least that.

    Args:
        call: The whole work, from its beginning: nothing of a failed try is used.
        stop: Ends the waiting.
        attempts: How many tries in all; those that were throttled are counted apart.
        first_delay_s: The mean delay after the first try, in seconds.

    Raises:
        StoreUnavailable: The last try's.
        StoreError: Any other, at once.
    """
    left = {False: attempts, True: THROTTLED_ATTEMPTS}
    for attempt in itertools.count():
        try:
            return call()
        except StoreUnavailable as error:
            left[error.is_throttled] -= 1
            if not left[error.is_throttled]:
                raise
            delay_s = min(first_delay_s * 2**attempt, LONGEST_DELAY_S) * random.uniform(0.5, 1.5)  # noqa: S311
            stop.sleep(max(delay_s, min(error.retry_after_s, LONGEST_ASKED_S)))
    raise AssertionError  # the loop ends by return or raise
