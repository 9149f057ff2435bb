"""Images that nothing uses any more: Slipway built them, and no container is made of them.

One that a workspace needs which is down is among them: it is built anew when that comes up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Callable

from scripts.container.model import INPUTS_LABEL
from scripts.container.plan import IMAGES
from scripts.errors import SettingsError
from scripts.report import bytes_text, count_text

if TYPE_CHECKING:
    from scripts.container.engine import Engine
    from scripts.progress import Progress

_WORTH_SAYING_BYTES = 100_000_000


@dataclass(frozen=True)
class OldImages:
    """Images that can go.

    ``names`` holds ids of those whose name a later build took, ``size_bytes`` is what the engine
    holds for them alone, ``freed_bytes`` what their removal freed, if they were removed.
    """

    names: tuple[str, ...]
    size_bytes: int
    freed_bytes: int | None = None

    def __str__(self) -> str:
        counted = count_text(len(self.names), "old image")
        return f"{counted} of which no container is made ({bytes_text(self.size_bytes)})"

    def as_json(self) -> dict[str, object]:
        """Return them for programs."""
        return {
            "schema_version": 1,
            "images": list(self.names),
            "size_bytes": self.size_bytes,
            "freed_bytes": self.freed_bytes,
        }


def find_old(engine: Engine, planned: str) -> OldImages:
    """Return what can go; the image that this workspace plans with stays."""
    unused = engine.unused_images(IMAGES, INPUTS_LABEL)
    names = tuple(name for name in unused if name != planned)
    return OldImages(names, engine.held_by(names) if names else 0)


def remove_old(old: OldImages, engine: Engine, progress: Progress) -> OldImages:
    """Remove them, with what the build cache holds for them alone; return what came of it."""
    with progress.phase("removing old images"):
        return replace(old, freed_bytes=engine.remove_images(old.names))


def require_consent(old: OldImages, confirm: Callable[[str], bool]) -> None:
    """Ask whether to remove them.

    Raises:
        SettingsError: The answer was no, or there is nobody to ask.
    """
    if not confirm("\n".join((f"{old}:", *old.names, "Remove them?"))):
        raise SettingsError(
            "Nothing was removed.", hint="--yes answers the question, --dry-run only looks."
        )


def offer_removal(
    engine: Engine, planned: str, progress: Progress, confirm: Callable[[str], bool]
) -> None:
    """Offer to remove what can go, if it is worth a word.

    Args:
        engine: Holds the images.
        planned: The image that this workspace plans with; empty where nothing was ever planned.
        progress: Told what there is and what came of it.
        confirm: Asks a person; no is the answer of nobody.
    """
    old = find_old(engine, planned) if planned else OldImages((), 0)
    if old.size_bytes < _WORTH_SAYING_BYTES:
        return
    if not confirm(f"There are {old}. Remove them?"):
        progress.say(f"There are {old}: `./inv clean` removes them.")
        return
    freed = remove_old(old, engine, progress).freed_bytes or 0
    progress.say(f"{bytes_text(freed)} are free again.")
