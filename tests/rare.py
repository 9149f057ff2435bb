"""Which of many parameters a test takes always, and which only with `./inv test --all`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _pytest.mark.structures import ParameterSet


def rarely(*values: Any) -> ParameterSet:
    """Return a set of parameters that is rare."""
    return pytest.param(*values, marks=pytest.mark.rare)


def usual_of(usual: list[tuple[Any, ...]], every: Iterable[tuple[Any, ...]]) -> list[ParameterSet]:
    """Return ``every`` set of parameters, those that are not ``usual`` marked as rare."""
    sets = list(every)
    assert all(each in sets for each in usual), usual
    return [pytest.param(*each) if each in usual else rarely(*each) for each in sets]
