"""How long work tells that it moves on: the protocol that a core accepts, and a silent one.

The core only counts; :mod:`scripts.console` draws. A report never comes from these counters.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


class Phase(Protocol):
    """One piece of long work, such as "copying", while it runs."""

    def advance(self, amount: int = 1) -> None:
        """Count ``amount`` more units as done. Safe to call from any thread."""


class Progress(Protocol):
    """Where a core tells what it is doing."""

    def phase(
        self, name: str, *, total: int | None = None, unit: str = "objects"
    ) -> AbstractContextManager[Phase]:
        """Open a phase.

        Args:
            name: What is being done, as a person reads it: "copying".
            total: How many units there are; ``None`` where that is not known.
            unit: What is counted: ``"objects"``, ``"revisions"`` or ``"bytes"``.
        """

    def say(self, message: str) -> None:
        """Tell one thing that a person wants to know now."""


class _SilentPhase:
    def advance(self, amount: int = 1) -> None:
        """Count nothing."""


class SilentProgress:
    """A :class:`Progress` that shows nothing: for programs and tests."""

    @contextmanager
    def phase(
        self,
        name: str,  # noqa: ARG002  the protocol's arguments, of which silence needs none
        *,
        total: int | None = None,  # noqa: ARG002
        unit: str = "objects",  # noqa: ARG002
    ) -> Iterator[Phase]:
        """Open a phase that nobody sees."""
        yield _SilentPhase()

    def say(self, message: str) -> None:
        """Say nothing."""
