"""Secrets as bytes: every form in which a value may stand somewhere, and finding it in a stream."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SHORTEST = 8
"""Values with fewer characters are not searched: they would be found everywhere by chance."""
PLAIN, BASE64, QUOTED, ESCAPED = "as it is", "in base64", "URL-quoted", "escaped"


@dataclass(frozen=True)
class Secret:
    """A value that must stand nowhere, and the key that it is known by."""

    key: str
    value: str

    def __repr__(self) -> str:
        """Return it without its value: a traceback may show it."""
        return f"Secret({self.key!r})"


@dataclass(frozen=True, order=True)
class Hit:
    """That a key's value was found, and in which form; never the value."""

    key: str
    form: str


class Needles:
    """All forms of all secrets, looked for one after the other.

    One search for each is twice as fast as one pattern for all of them: for a single needle Python
    skips most of the bytes.
    """

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._hits: dict[bytes, set[Hit]] = {}
        for secret in secrets:
            for needle, form in forms(secret.value).items():
                self._hits.setdefault(needle, set()).add(Hit(secret.key, form))
        self._overlap = max(1, max(map(len, self._hits), default=0) - 1)

    def find(self, chunks: Iterable[bytes]) -> frozenset[Hit]:
        """Return what stands in the chunks, and across their borders."""
        found: set[Hit] = set()
        tail = b""
        for chunk in chunks:
            border = tail + chunk[: self._overlap]  # for itself: a chunk is long, and not copied
            for data in (border, chunk) if tail else (chunk,):
                for needle, hits in self._hits.items():
                    if needle in data:
                        found |= hits
            tail = (tail + chunk[-self._overlap :])[-self._overlap :]
        return frozenset(found)

    def fingerprint(self, salt: bytes) -> str:
        """Return what tells this set of needles from any other, and tells nothing else.

        It is as hard to guess from as all of the values together; each guess takes 64 MB and a
        fifth of a second.
        """
        told = b"\0".join(sorted(self._hits))  # no variable and no file of keys holds a NUL
        digest = hashlib.scrypt(told, salt=salt, n=1 << 16, r=8, p=1, maxmem=1 << 27, dklen=32)
        return digest.hex()


def searched(secrets: Iterable[Secret]) -> tuple[tuple[Secret, ...], tuple[str, ...]]:
    """Return the secrets that can be searched, and the keys of those that are too short."""
    known = list(dict.fromkeys(secrets))
    long = tuple(secret for secret in known if len(secret.value) >= SHORTEST)
    short = {secret.key for secret in known if len(secret.value) < SHORTEST}
    return long, tuple(sorted(short))


def forms(value: str) -> Mapping[bytes, str]:
    """Return how a value may be written, each with what to call it."""
    raw = value.encode()
    found: dict[bytes, str] = {}
    for needle in _escaped(value):
        found[needle] = ESCAPED
    for text in (quote(value), quote(value, safe=""), quote_plus(value)):
        found[text.encode()] = QUOTED
    for needle in _encoded(raw):
        found[needle] = BASE64
    found[raw] = PLAIN  # last: a form that is no different is the value as it is
    return found


def _escaped(value: str) -> Iterator[bytes]:
    """Yield how JSON (that of Python and that of Go) and compose write it."""
    for text in (value, value.replace("$", "$$")):
        yield text.encode()
        for ascii_only in (True, False):
            written = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
            yield written.encode()
            for character in "<>&":
                written = written.replace(character, f"\\u{ord(character):04x}")
            yield written.encode()


def _encoded(raw: bytes) -> Iterator[bytes]:
    """Yield the digits that stand for it in base64, whatever stands before and after it there."""
    for before in range(3):
        # A digit holds 6 bits: those that only the value decides are the same in any company.
        first = -(-before * 8 // 6)
        last = (before + len(raw)) * 8 // 6
        digits = base64.b64encode(b"\0" * before + raw + b"\0\0")[first:last]
        yield digits
        yield digits.replace(b"+", b"-").replace(b"/", b"_")
