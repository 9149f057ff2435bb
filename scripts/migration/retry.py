"""Trying again: only what says of itself that another try may help."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Callable, TypeVar

from scripts.errors import StoreUnavailable

if TYPE_CHECKING:
    from scripts.migration.workers import Stop

_Result = TypeVar("_Result")
ATTEMPTS = 5
FIRST_DELAY_S = 0.25


def retrying(
    call: Callable[[], _Result],
    stop: Stop,
    *,
    attempts: int = ATTEMPTS,
    first_delay_s: float = FIRST_DELAY_S,
) -> _Result:
    """Return ``call()``, trying again after ``StoreUnavailable`` with doubling, jittered delays.

    Args:
        call: The whole work, from its beginning: nothing of a failed try is used.
        stop: Ends the waiting.
        attempts: How many tries in all.
        first_delay_s: The mean delay after the first try, in seconds.

    Raises:
        StoreUnavailable: The last try's.
        StoreError: Any other, at once.
    """
    for attempt in range(attempts - 1):
        try:
            return call()
        except StoreUnavailable:
            stop.sleep(first_delay_s * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
    return call()
