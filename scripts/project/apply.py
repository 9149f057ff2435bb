"""Make a plan's changes, with the ``dvc`` command; new links with the room that makes links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts import process
from scripts.errors import CacheError
from scripts.links.permission import NOT_THERE
from scripts.links.relink import relink
from scripts.project.model import Step, StepStatus
from scripts.project.plan import CACHE_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from scripts.links.relinked import Relinked
    from scripts.project.model import InitPlan, ProjectFacts

_OWN = {"DVC_NO_ANALYTICS": "1"}
"""Its statistics are of what people do; and each takes another second of Python."""
_NAMED = 5
"""Files left alone that are named; the rest is counted."""


def apply(plan: InitPlan, root: Path, facts: ProjectFacts) -> tuple[Step, ...]:
    """Make the plan's changes in its order and return what became of each part.

    Raises:
        CommandFailed: DVC refused a change. Those before it stay and are found done by the next
            run.
        CacheError: The checkout could not be given the new link type, which is taken back.
        ToolMissing: DVC is not installed here.
    """
    steps = []
    for part in plan.parts:
        if isinstance(part, Step):
            steps.append(part)
            continue
        process.run(["dvc", *part.argv], cwd=root, env=_OWN)
        steps.append(Step(part.name, part.detail, StepStatus.DONE))
    if plan.relink:
        steps += _relink(plan.relink, root, facts)
    return tuple(steps)


def _relink(outputs: Sequence[str], root: Path, facts: ProjectFacts) -> Iterator[Step]:
    """Give the checkout links of the new type, or take the type back.

    Raises:
        CacheError: The type cannot be had here, or a disk refused. Every file is whole, and
            cache.type is as it was.
    """
    paths = [str(root / output) for output in outputs]
    try:
        relinked = relink(root, (), paths=paths)
        _require_possible(relinked)
    except CacheError:
        before = ",".join(facts.cache_type)
        arguments = [CACHE_TYPE, before] if before else ["--unset", CACHE_TYPE]
        process.run(["dvc", "config", "--local", *arguments], cwd=root, env=_OWN)
        raise
    yield Step("checkout relinked", ", ".join(outputs), StepStatus.DONE)
    edited = [item for item in relinked.left_alone if item.reason != NOT_THERE]
    if edited:
        named = "; ".join(f"{item.path}: {item.reason}" for item in edited[:_NAMED])
        more = f"; and {len(edited) - _NAMED} more" if len(edited) > _NAMED else ""
        yield Step("files left as they are", named + more, StepStatus.KEPT)


def _require_possible(relinked: Relinked) -> None:
    if relinked.impossible:
        reasons = "; ".join(relinked.left_by_reason)
        raise CacheError(
            f"{relinked.impossible} files cannot be linked as DVC_CACHE_TYPE says: {reasons}.",
            hint="cache.type is as it was. `./inv cache` shows which types work here.",
        )
