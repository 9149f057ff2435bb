"""Make a plan's changes with the ``dvc`` command, the only thing here that changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts import process
from scripts.errors import CommandFailed
from scripts.project.model import Step, StepStatus
from scripts.project.plan import CACHE_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from scripts.project.model import InitPlan, ProjectFacts

_TARGETS_AT_ONCE = 200
"""Outputs that one command names: far below the length that a command may have."""


def apply(plan: InitPlan, root: Path, facts: ProjectFacts) -> tuple[Step, ...]:
    """Make the plan's changes in its order and return what became of each part.

    Raises:
        CommandFailed: DVC refused a change. Those before it stay and are found done by the next
            run; a new link type that the checkout could not be given is taken back.
        ToolMissing: DVC is not installed here.
    """
    steps = []
    for part in plan.parts:
        if isinstance(part, Step):
            steps.append(part)
            continue
        process.run(["dvc", *part.argv], cwd=root)
        steps.append(Step(part.name, part.detail, StepStatus.DONE))
    if plan.relink:
        _relink(plan.relink, root, facts)
        steps.append(Step("checkout relinked", ", ".join(plan.relink), StepStatus.DONE))
    return tuple(steps)


def _relink(outputs: Sequence[str], root: Path, facts: ProjectFacts) -> None:
    try:
        for targets in _pieces(outputs):
            process.run(["dvc", "checkout", "--relink", *targets], cwd=root)
    except CommandFailed as error:
        before = ",".join(facts.cache_type)
        arguments = [CACHE_TYPE, before] if before else ["--unset", CACHE_TYPE]
        process.run(["dvc", "config", "--local", *arguments], cwd=root)
        raise CommandFailed(
            error.argv, error.returncode, error.stderr,
            hint="Your files are as they were, and so is cache.type. DVC replaces only files that "
            "its cache holds: `dvc commit` what you have changed, `dvc fetch` what is missing.",
        ) from error  # fmt: skip


def _pieces(outputs: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(outputs), _TARGETS_AT_ONCE):
        yield outputs[start : start + _TARGETS_AT_ONCE]
