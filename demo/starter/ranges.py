"""Ranges of configuration values: beside a field's default, checked before anything starts."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from starter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_KEY = "range"


@dataclass(frozen=True)
class Range:
    """What a value may be: between two bounds, or one of a few words."""

    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    one_of: tuple[object, ...] = ()

    def allows(self, value: Any) -> bool:  # noqa: ANN401  what OmegaConf holds has any type
        """Tell whether a value lies within; no value at all does, as its type allows it."""
        if value is None:
            return True
        if self.one_of:
            return value in self.one_of
        return bool(
            (self.above is None or value > self.above)
            and (self.at_least is None or value >= self.at_least)
            and (self.below is None or value < self.below)
            and (self.at_most is None or value <= self.at_most)
        )

    def __str__(self) -> str:
        if self.one_of:
            return "one of " + ", ".join(str(word) for word in self.one_of)
        bounds = {
            "> ": self.above,
            ">= ": self.at_least,
            "< ": self.below,
            "<= ": self.at_most,
        }
        return " and ".join(
            f"{sign}{bound:g}" for sign, bound in bounds.items() if bound is not None
        )


def ranged(
    default: object,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    one_of: Iterable[object] = (),
) -> Any:  # noqa: ANN401  as dataclasses.field: the field's own type holds
    """Return a dataclass field with a default and a range."""
    limits = Range(above, at_least, below, at_most, tuple(one_of))
    return dataclasses.field(default=default, metadata={_KEY: limits})


def check_ranges(config: DictConfig) -> None:
    """Check every value of a composed configuration that has a range.

    Raises:
        ConfigError: One lies outside, or cannot be resolved; all that do are named.
    """
    wrong = list(_violations(config, ""))
    if wrong:
        raise ConfigError(
            "\n      ".join(
                f"{key} is {value!r}: it must be {limits}." for key, value, limits, _ in wrong
            ),
            hint=f"For example {wrong[0][0]}={_example(*wrong[0][2:])}",
        )


def nearest(word: str, words: Iterable[str]) -> str:
    """Return which of some words a misspelled one most likely stands for; empty if none does."""
    matches = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return matches[0] if matches else ""


def _violations(node: DictConfig, path: str) -> Iterator[tuple[str, object, Range, object]]:
    """Yield the key and value of each that lies outside, with its range and default."""
    kind = OmegaConf.get_type(node)
    known = (
        {each.name: each for each in dataclasses.fields(kind)}
        if dataclasses.is_dataclass(kind)
        else {}
    )
    for name in (str(each) for each in node):
        key = f"{path}{name}"
        try:
            if OmegaConf.is_missing(node, name):
                continue
            value = node[name]
        except OmegaConfBaseException as error:
            raise ConfigError(
                f"{key} cannot be resolved: {str(error).splitlines()[0]}.",
                hint="`--cfg job` shows the whole configuration.",
            ) from error
        limit = known[name].metadata.get(_KEY) if name in known else None
        if limit is not None and not limit.allows(value):
            yield key, value, limit, known[name].default
        if isinstance(value, DictConfig):
            yield from _violations(value, f"{key}.")


def _example(limits: Range, default: object) -> str:
    if isinstance(default, (int, float)) and limits.allows(default):
        return f"{default:g}"
    if limits.one_of:
        return str(limits.one_of[0])
    for bound in (limits.at_least, limits.at_most):
        if bound is not None:
            return f"{bound:g}"
    low = limits.above or 0.0
    return f"{(low + limits.below) / 2:g}" if limits.below is not None else f"{low + 1:g}"
