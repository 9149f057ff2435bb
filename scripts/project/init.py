"""The quick start as one call: observe, plan, apply, and look again whether it took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.errors import SlipwayError
from scripts.links.registry import register
from scripts.project.apply import apply
from scripts.project.model import InitResult
from scripts.project.observe import observe
from scripts.project.plan import plan_init
from scripts.report import count_text

if TYPE_CHECKING:
    from scripts.progress import Progress
    from scripts.settings import Settings


def init_project(settings: Settings, *, progress: Progress | None = None) -> InitResult:
    """Make the workspace a DVC project as the settings say; a second call changes nothing.

    Runs where DVC is installed: inside the container. Everything that can be refused is refused
    before anything changes. DVC's own choice about usage statistics (``core.analytics``) is left
    to the person.

    Args:
        settings: What to bring the project in line with.
        progress: Where to tell of what may take long: giving files new links.

    Raises:
        SettingsError: The settings name a directory that cannot be used, or contradict the
            project's configuration.
        SlipwayError: The workspace is in no git repository, DVC cannot read its files, or a change
            did not take.
        CommandFailed: git or DVC failed.
        CacheError: The cache cannot be written.
        ToolMissing: git or DVC is not installed here.
    """
    facts = observe(settings)
    plan = plan_init(settings, facts)
    if plan.relink and progress:
        progress.say(f"Giving {count_text(len(plan.relink), 'tracked path')} the new link type")
    steps = apply(plan, settings.root, facts)
    if plan.changes:
        left = plan_init(settings, observe(settings)).changes
        if left:
            names = ", ".join(change.name for change in left)
            raise SlipwayError(
                f"DVC reported success, yet {settings.root} does not show it: {names}.",
                hint="Another configuration may go first: `dvc config --list --show-origin`.",
            )
    if settings.cache_directory.is_dir():  # so that no other project's `gc` takes what this needs
        register(settings.cache_directory, settings.root, settings.link_types)
    return InitResult(root=settings.root, steps=steps)
