"""How many faults the tests tried and what survived them; printed when all is done."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FLIP = "a bit flipped on the way"
CUT = "truncation with a clean close"
"""Families that answers and requests have in common."""


@dataclass
class Family:
    """Faults of one kind; ``moments`` tells when they struck, where chance chose that."""

    tried: int = 0
    survived: int = 0
    moments: list[str] = field(default_factory=list)


class Tally:
    """The faults that were tried in this run of the tests, by family."""

    def __init__(self) -> None:
        self._families: dict[str, Family] = {}

    @contextmanager
    def fault(self, family: str, moment: str = "") -> Iterator[None]:
        """Count one fault as tried, and as survived if the block ends well.

        The block must hold all that survival means: the same command again completes, the source
        is as it was, and what is in the target is right.
        """
        counted = self._families.setdefault(family, Family())
        counted.tried += 1
        if moment:
            counted.moments.append(moment)
        yield
        counted.survived += 1

    def as_plain(self) -> dict[str, dict[str, Any]]:
        """Return the counts as what one process can send to another."""
        return {name: asdict(family) for name, family in self._families.items()}

    def add(self, counted: Mapping[str, Mapping[str, Any]]) -> None:
        """Add the counts of another process, as :meth:`as_plain` returned them there."""
        for name, family in counted.items():
            mine = self._families.setdefault(name, Family())
            mine.tried += family["tried"]
            mine.survived += family["survived"]
            mine.moments.extend(family["moments"])

    def lines(self) -> list[str]:
        """Return what is printed: nothing if no fault was tried."""
        lines = []
        for name, family in self._families.items():
            lines.append(f"{family.survived:4} of {family.tried:3}  {name}")
            if family.moments:
                lines.append(f"             {', '.join(family.moments)}")
        if lines:
            tried = sum(family.tried for family in self._families.values())
            survived = sum(family.survived for family in self._families.values())
            lines.append(f"{survived:4} of {tried:3}  in all")
        return lines
