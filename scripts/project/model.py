"""What is known about a DVC project, what shall change in it, and what came of that: data only."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class ProjectFacts:
    """A workspace as it is now.

    Configuration is the effective one: what ``.dvc/config.local``, ``.dvc/config`` and the
    person's own DVC configuration come to together. Paths in it are absolute.

    Attributes:
        git_root: The top of the git repository that holds the workspace, if there is one.
        has_dvc: Whether the workspace itself is a DVC project.
        cache_dir: ``cache.dir``, or ``None`` where it is not set.
        cache_shared: ``cache.shared``, or ``None`` where it is not set.
        cache_type: ``cache.type``; empty where it is not set.
        remotes: Each remote's options, ``url`` among them.
        default_remote: ``core.remote``.
        usable_directories: Which of the settings' directories exist and can be written to.
        outputs: The tracked files and directories that lie in the workspace, so that their links
            can be renewed; relative to it.
    """

    git_root: Path | None = None
    has_dvc: bool = False
    cache_dir: str | None = None
    cache_shared: str | None = None
    cache_type: tuple[str, ...] = ()
    remotes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    default_remote: str | None = None
    usable_directories: frozenset[Path] = frozenset()
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """One change to a project: the DVC command that makes it, and how a person reads it."""

    name: str
    detail: str
    argv: tuple[str, ...]


class StepStatus(enum.Enum):
    """What became of one setting."""

    DONE = "done"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    """The project says something else than the settings, and the project goes first."""


@dataclass(frozen=True)
class Step:
    """One setting and what became of it."""

    name: str
    detail: str
    status: StepStatus


@dataclass(frozen=True)
class InitPlan:
    """What the settings come to: what to change and what already is as it should be, in order.

    ``relink`` names the tracked data in the workspace under which the link type changes.
    """

    parts: tuple[Change | Step, ...] = ()
    relink: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """What to change."""
        return tuple(part for part in self.parts if isinstance(part, Change))


@dataclass(frozen=True)
class InitResult:
    """What ``dvc-init`` did to the workspace ``root``."""

    root: Path
    steps: tuple[Step, ...]

    @property
    def changed(self) -> bool:
        """Whether anything changed."""
        return any(step.status is StepStatus.DONE for step in self.steps)

    def as_json(self) -> dict[str, object]:
        """Return the result for programs."""
        return {
            "root": str(self.root),
            "changed": self.changed,
            "steps": [
                {"name": step.name, "detail": step.detail, "status": step.status.value}
                for step in self.steps
            ],
        }
