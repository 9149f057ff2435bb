"""How a pruned source looks, and the question before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from rich.text import Text

from scripts.errors import SettingsError
from scripts.report import bytes_text, count_text

if TYPE_CHECKING:
    from scripts.migration import Pruning


def require_consent(pruning: Pruning, confirm: Callable[[str], bool]) -> None:
    """Ask whether to delete.

    Raises:
        SettingsError: The answer was no, or there is nobody to ask.
    """
    question = (
        f"Delete {_what(pruning)} from {pruning.source} ({pruning.place})? {pruning.target} has "
        "them all. Other projects that use this remote would lose them."
    )
    if not confirm(question):
        raise SettingsError(
            "Nothing was deleted.", hint="--yes answers the question, --dry-run only looks."
        )


def dry_run_view(pruning: Pruning) -> Text:
    """Return what would be deleted."""
    if not pruning.items:
        return Text(f"{pruning.source}: nothing to delete{_kept(pruning)}", style="bold green")
    return Text(f"{pruning.source}: {_what(pruning)} to delete{_kept(pruning)}", style="bold")


def pruned_view(pruning: Pruning) -> Text:
    """Return what was deleted."""
    told = f"✓ {pruning.source}: {_what(pruning)} deleted, all proven in {pruning.target}"
    return Text(f"{told}{_kept(pruning)}", style="bold green")


def _what(pruning: Pruning) -> str:
    return f"{count_text(len(pruning.items), 'object')} ({bytes_text(pruning.size_bytes)})"


def _kept(pruning: Pruning) -> str:
    if not pruning.kept:
        return ""
    return f"; {count_text(pruning.kept, 'object')} that no revision needs stay"
