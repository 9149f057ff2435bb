"""Rows of the proof about the DVC cache: links on both sides, the checkout as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.container.cache import observe_checkout, observe_sides
from scripts.container.model import Check, Verdict
from scripts.errors import CacheError
from scripts.links.choose import AUTO
from scripts.progress import SilentProgress
from scripts.report import bytes_text, count_text

if TYPE_CHECKING:
    from scripts.container.model import ContainerFacts
    from scripts.links.checkout import Overview
    from scripts.links.report import Sides
    from scripts.progress import Progress
    from scripts.settings import Settings

_MEND = "`./inv doctor --fix` mends what can be mended without losing anything."
_FETCH = "`dvc fetch` brings objects back; `dvc commit FILE` keeps a version that you alone have."
_TROUBLES = {
    "corrupt": (Verdict.FAILED, "edited through a link, and with it the cache"),
    "dangling": (Verdict.FAILED, "a link that leads nowhere"),
    "foreign": (Verdict.WARNING, "a link that leads to something else than the cache"),
    "uncached": (Verdict.WARNING, "not in the cache"),
    "copied": (Verdict.WARNING, "a copy though links are wanted"),
}


def check_links(settings: Settings, container: ContainerFacts) -> tuple[Check, ...]:
    """Return the row of the links: which type DVC uses; none without a DVC project."""
    if not (settings.root / ".dvc").is_dir():
        return ()
    try:
        sides = observe_sides(settings, container, SilentProgress())
    except CacheError as error:
        return (Check("links", Verdict.FAILED, error.message, error.hint),)
    return (judge_links(settings.link_types, sides),)


def judge_links(wanted: tuple[str, ...], sides: Sides) -> Check:
    """Return the row from what was found; pure."""
    types = wanted or AUTO
    failed = {name: sides.why_not(name) for name in types}
    working = [name for name in types if failed[name] is None]
    first = failed[types[0]]
    if not working:
        reason = first.reason if first else ""
        return Check(
            "links", Verdict.FAILED, f"no type of {','.join(types)} works: {reason}",
            "`./inv cache` shows what works here, `./inv cache --use TYPES` switches.",
        )  # fmt: skip
    if first is None:
        return Check("links", Verdict.WORKS, f"{working[0]}, outside and inside")
    seen = f"{working[0]}; {types[0]} does not work {first.reason}"
    if not wanted:  # DVC's own choice is no wish that fails
        return Check("links", Verdict.WORKS, seen, "`./inv cache` shows what would save space.")
    return Check("links", Verdict.WARNING, seen, first.remedy or "`./inv cache` shows more.")


def check_checkout(
    settings: Settings, container: ContainerFacts, progress: Progress
) -> tuple[Check, ...]:
    """Return the row of the checkout: is each tracked file tied to the cache as it should be.

    Files that DVC has not hashed as they are now are read.
    """
    if not (settings.root / ".dvc").is_dir():
        return ()
    try:
        overview = observe_checkout(settings, container, progress, contents=True)
    except CacheError as error:
        return (Check("checkout", Verdict.FAILED, error.message, error.hint),)
    return (judge_checkout(settings.link_types, overview),)


def judge_checkout(wanted: tuple[str, ...], overview: Overview) -> Check:
    """Return the row from what was found; pure."""
    files = sum(count.files for count in overview.counts.values())
    size_bytes = sum(count.size_bytes for count in overview.counts.values())
    states = ", ".join(f"{count.files:,} {state}" for state, count in overview.counts.items())
    seen = f"{count_text(files, 'file')}, {bytes_text(size_bytes)}" + (
        f": {states}" if states else ""
    )
    if not overview.troubled:
        if overview.unlisted:
            named = ", ".join(overview.unlisted[:3])
            return Check(
                "checkout", Verdict.WARNING, f"{seen}; the cache has no list of {named}",
                "`dvc fetch` brings it.",
            )  # fmt: skip
        return Check("checkout", Verdict.WORKS, seen)
    verdict = Verdict.WARNING
    told = []
    for kind, number in overview.troubled.items():
        grave, what = _TROUBLES[kind]
        verdict = Verdict.FAILED if grave is Verdict.FAILED else verdict
        first = next(file.path for file in overview.listed if file.trouble(wanted) == kind)
        told.append(f"{number:,} {what} (first {first})")
    hints = [_MEND] if set(overview.troubled) - {"uncached"} else []
    hints += [_FETCH] if "uncached" in overview.troubled else []
    return Check("checkout", verdict, "; ".join(told), " ".join(hints))
