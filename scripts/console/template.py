"""How a new project looks: where it is, and what to do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from scripts.console.container import pairs
from scripts.report import count_text

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from scripts.template.create import NewProject


def project_view(project: NewProject, root: Path) -> RenderableType:
    """Return what was made, and the first commands to give."""
    made = Text(
        f"{project.path}: {count_text(project.files, 'file')}, package {project.package}", "green"
    )
    if root not in project.path.parents:
        hint = f"It is outside {root}, and so out of the container's sight."
        return Group(made, Text(hint, "yellow"))
    place = project.path.relative_to(root).as_posix()
    steps = pairs()
    steps.add_row(f"./inv exec -- python -m pytest {place}/tests", "its own tests")
    steps.add_row(f"./inv exec -- {place}/bin/train", "its first training")
    steps.add_row(f"cd {place} && bin/train", "the same, inside (`train` alone is that of demo/)")
    return Group(made, steps)
