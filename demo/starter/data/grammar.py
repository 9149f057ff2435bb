"""Sentences from a small grammar, and what makes one unacceptable.

As in CoLA, a sentence is judged by its form: agreement between determiner, noun and verb, objects
that verbs need or refuse, reflexives, word order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

CLASSES = ("unacceptable", "acceptable")

_NOUNS = (
    ("cat", "cats"), ("dog", "dogs"), ("student", "students"), ("teacher", "teachers"),
    ("author", "authors"), ("doctor", "doctors"), ("child", "children"), ("painter", "painters"),
    ("neighbour", "neighbours"), ("sailor", "sailors"),
)  # fmt: skip
_ALONE = (
    ("sleeps", "sleep"), ("laughs", "laugh"), ("arrives", "arrive"), ("waits", "wait"),
    ("smiles", "smile"),
)  # fmt: skip
_WITH_OBJECT = (
    ("admires", "admire"), ("follows", "follow"), ("sees", "see"), ("praises", "praise"),
    ("knows", "know"),
)  # fmt: skip
_THINKS = (("thinks", "think"), ("says", "say"), ("believes", "believe"))
_DETERMINERS = (("the", "the"), ("this", "these"), ("that", "those"), ("every", "all"))
_ADJECTIVES = ("old", "small", "happy", "tired", "clever")
_ADVERBS = ("quietly", "often", "today", "again")
_PLACES = ("in", "near", "behind")
_HOUSES = (("house", "houses"), ("garden", "gardens"), ("school", "schools"))


@dataclass(frozen=True)
class Sentence:
    """A sentence and its label, an index into :data:`CLASSES`."""

    text: str
    label: int


def make_sentence(*, seed: int, index: int) -> Sentence:
    """Make one sentence; every second one is unacceptable."""
    rng = np.random.default_rng([seed, index])
    if index % 2:
        return Sentence(_written(_clause(rng)), 1)
    return Sentence(_written(_broken(rng)), 0)


def _pick(rng: np.random.Generator, words: Sequence[tuple[str, str]], number: int) -> str:
    return words[rng.integers(len(words))][number]


def _noun_phrase(
    rng: np.random.Generator, number: int, nouns: Sequence[tuple[str, str]] = _NOUNS
) -> list[str]:
    adjective = [_ADJECTIVES[rng.integers(len(_ADJECTIVES))]] if rng.random() < 0.35 else []
    return [_pick(rng, _DETERMINERS, number), *adjective, _pick(rng, nouns, number)]


def _predicate(rng: np.random.Generator, number: int) -> list[str]:
    kind = rng.random()
    if kind < 0.4:
        words = [_pick(rng, _ALONE, number)]
    elif kind < 0.8:
        words = [_pick(rng, _WITH_OBJECT, number), *_noun_phrase(rng, int(rng.integers(2)))]
    else:
        words = [_pick(rng, _WITH_OBJECT, number), ("itself", "themselves")[number]]
    if rng.random() < 0.35:
        words.append(_ADVERBS[rng.integers(len(_ADVERBS))])
    elif rng.random() < 0.3:
        place = _PLACES[rng.integers(len(_PLACES))]
        words += [place, *_noun_phrase(rng, int(rng.integers(2)), _HOUSES)]
    return words


def _clause(rng: np.random.Generator) -> list[str]:
    number = int(rng.integers(2))
    clause = [*_noun_phrase(rng, number), *_predicate(rng, number)]
    if rng.random() < 0.2:
        outer = int(rng.integers(2))
        return [*_noun_phrase(rng, outer), _pick(rng, _THINKS, outer), "that", *clause]
    return clause


def _broken(rng: np.random.Generator) -> list[str]:
    """Return a sentence that breaks one rule."""
    ways: tuple[Callable[[np.random.Generator], list[str]], ...] = (
        _verb_disagrees,
        _determiner_disagrees,
        _reflexive_disagrees,
        _object_is_missing,
        _object_is_too_many,
        _words_are_swapped,
    )
    return ways[rng.integers(len(ways))](rng)


def _verb_disagrees(rng: np.random.Generator) -> list[str]:
    number = int(rng.integers(2))
    return [*_noun_phrase(rng, number), *_predicate(rng, 1 - number)]


def _determiner_disagrees(rng: np.random.Generator) -> list[str]:
    number = int(rng.integers(2))
    # "the" goes with both.
    determiner = _pick(rng, _DETERMINERS[1:], 1 - number)
    return [determiner, _pick(rng, _NOUNS, number), *_predicate(rng, number)]


def _reflexive_disagrees(rng: np.random.Generator) -> list[str]:
    number = int(rng.integers(2))
    reflexive = ("themselves", "itself")[number]
    return [*_noun_phrase(rng, number), _pick(rng, _WITH_OBJECT, number), reflexive]


def _object_is_missing(rng: np.random.Generator) -> list[str]:
    number = int(rng.integers(2))
    adverb = [_ADVERBS[rng.integers(len(_ADVERBS))]] if rng.random() < 0.5 else []
    return [*_noun_phrase(rng, number), _pick(rng, _WITH_OBJECT, number), *adverb]


def _object_is_too_many(rng: np.random.Generator) -> list[str]:
    number = int(rng.integers(2))
    return [*_noun_phrase(rng, number), _pick(rng, _ALONE, number), *_noun_phrase(rng, number)]


def _words_are_swapped(rng: np.random.Generator) -> list[str]:
    """Swap the subject's determiner and noun: what begins with a bare noun is never acceptable."""
    number = int(rng.integers(2))
    determiner, *adjective, noun = _noun_phrase(rng, number)
    return [noun, *adjective, determiner, *_predicate(rng, number)]


def _written(words: Sequence[str]) -> str:
    text = " ".join(words)
    return f"{text[0].upper()}{text[1:]}."
