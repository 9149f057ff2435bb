"""Which objects are read back although a listing proves them: none, a random share, or all."""

from __future__ import annotations

import math
import random
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Container

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%?")


@dataclass(frozen=True)
class Sample:
    """A share of the objects that a listing proves.

    Attributes:
        share: From 0 (the store's checksum is enough) to 1 (every object is read).
        seed: Chooses them: the same seed and the same objects give the same choice.
    """

    share: float = 0.0
    seed: int = 0

    def choose(self, count: int) -> Container[int]:
        """Return which of ``count`` objects to read back, by number: the share, rounded up."""
        if self.share >= 1:
            return range(count)
        chosen = math.ceil(self.share * count)
        return frozenset(random.Random(self.seed).sample(range(count), chosen))  # noqa: S311  a choice that can be made again, no secret


EVIDENCE = Sample()
"""Nothing is read that the listing proves."""


def read_sample(verify: str, percent: str = "", seed: int = 0) -> Sample:
    """Return what a person asked for.

    Args:
        verify: ``evidence`` or ``read``.
        percent: The share to read back beside the evidence: ``5%``; empty for none.
        seed: Chooses them; 0 for a new choice.

    Raises:
        SettingsError: One of them is malformed, or both are asked for.
    """
    if verify not in {"evidence", "read"}:
        raise SettingsError(
            f"--verify is '{verify}', not evidence or read.",
            hint="`evidence` reads only what the listing does not prove, `read` every byte.",
        )
    if verify == "read":
        if percent:
            raise SettingsError("--verify read reads everything: there is nothing to sample.")
        return Sample(share=1.0)
    if not percent:
        return EVIDENCE
    told = _PERCENT.fullmatch(percent.strip())
    if told is None or not 0 < float(told.group(1)) <= 100:
        raise SettingsError(
            f"--sample is '{percent}'.", hint="Give a share between 0% and 100%: `--sample 5%`."
        )
    return Sample(float(told.group(1)) / 100, seed or secrets.randbelow(2**31 - 1) + 1)
