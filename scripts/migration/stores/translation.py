"""A block in which what an adapter's library raises becomes what Slipway raises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from scripts.errors import StoreError


class Translation:
    """Raises foreign errors of its block as ours; those it knows nothing of pass unchanged.

    Such blocks stand around every request, several for each object. So this is a class: entering
    and leaving a generator takes five times as long.

    Args:
        ours: Returns what to raise for an error, ``None`` to let it pass.
    """

    __slots__ = ("_ours",)

    def __init__(self, ours: Callable[[BaseException], StoreError | None]) -> None:
        self._ours = ours

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Raise ours from the block's error, if it is a foreign one."""
        ours = None if error is None else self._ours(error)
        if ours is not None:
            raise ours from error
