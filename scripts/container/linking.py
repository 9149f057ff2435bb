"""`./inv cache --use`: plan which link types the checkout gets, apply, and verify on both sides.

Only types that were really tried on both sides, under the mounts that the container will have, are
written; where these mounts are new, they are tried in a container of their own first.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.container.bringup import apply_plan, find_running, make_plan
from scripts.container.cache import observe_checkout, observe_sides, require_outside
from scripts.container.enrolment import enrol
from scripts.container.inside import ask_inside, worker_command
from scripts.container.link_plan import LinkPlan, LinkResult
from scripts.container.model import SERVICE, Action
from scripts.container.observe import text_of
from scripts.container.overlay import OVERLAY
from scripts.errors import CacheError, CommandFailed, ContainerError, SettingsError, SlipwayError
from scripts.links.answers import Answers
from scripts.links.choose import AUTO, Choice, choose
from scripts.links.model import Probed
from scripts.links.relinked import Relinked, verify_sample
from scripts.report import bytes_text, count_text, write_text
from scripts.settings import read_settings
from scripts.settings.values import read_link_types

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Callable

    from scripts.container.engine import Engine
    from scripts.container.model import ContainerPlan
    from scripts.links.checkout import Overview
    from scripts.links.report import Sides
    from scripts.progress import Progress
    from scripts.settings import Settings

CACHE_TYPE = "cache.type"


def use_links(
    settings: Settings,
    wanted: str,
    engine: Engine,
    progress: Progress,
    *,
    show: Callable[[LinkPlan], None],
    confirm: Callable[[str], bool],
) -> LinkResult:
    """Plan, ask, apply and verify; nothing changes unless every question is answered with yes.

    Args:
        settings: The settings as they are.
        wanted: The link types as a person wrote them: ``reflink,copy`` or ``auto``.
        engine: The engine that the container runs on.
        progress: Told how far it is.
        show: Shows the plan to the person before any question.
        confirm: Asks the person.

    Raises:
        SettingsError: The types are not such, or what :func:`plan_links` raises.
        CacheError: A question was answered with no, or what the two raise.
    """
    try:
        types = read_link_types(wanted)
    except ValueError as error:
        raise SettingsError(
            f"--use {wanted}: {error}.", hint="For example: ./inv cache --use reflink,copy"
        ) from error
    plan = plan_links(settings, types, engine, progress)
    show(plan)
    for consequence in plan.consequences():
        if not confirm(f"{consequence}. Go on?"):
            raise CacheError(
                f"Nothing was changed: {consequence}, and nobody agreed to that.",
                hint="Answer yes, or add `--yes`.",
            )
    result = apply_links(plan, settings, engine, progress, allow_copy=False)
    short = result.relinked.impossible
    question = f"{count_text(short, 'file')} cannot be linked. Copy them out of the cache?"
    if short and "copy" in plan.choice.types and confirm(question):
        again = apply_links(plan, read_settings(settings.root), engine, progress, allow_copy=True)
        return replace(again, restarted=result.restarted)
    return result


def plan_links(
    settings: Settings, wanted: tuple[str, ...], engine: Engine, progress: Progress
) -> LinkPlan:
    """Find out which of the types wanted work on both sides, and what using them changes.

    Args:
        settings: The settings as they are.
        wanted: Link types in order; empty for DVC's own choice.
        engine: The engine that the container runs on.
        progress: Told what is being tried.

    Raises:
        CacheError: None of the types works here, or there is no room for the copies.
        SettingsError: ``.env`` says otherwise, the mounts would be too wide, or there is no DVC
            project.
        ContainerError: The container does not run, or its image is to be built first.
    """
    require_outside()
    _refuse_contradiction(settings, wanted)
    types = wanted or AUTO
    container = find_running(settings.root, engine)
    new_settings = _with_types(settings, types)
    old, new = make_plan(settings, engine), make_plan(new_settings, engine)
    if new.needs(Action.BUILD):
        raise ContainerError("The image is to be built anew first.", hint="`./inv up` does that.")
    overview = observe_checkout(settings, container, progress)
    sides = observe_sides(settings, container, progress)
    inside = sides.inside
    restarts = old.mounts != new.mounts and not _suffices(types, sides)
    if restarts or inside is None:
        inside = _rehearsed(new, new_settings, engine, progress)
    choice = choose(types, sides.outside, inside)
    copy_bytes = _copy_bytes(choice, overview)
    _require_room(settings, copy_bytes)
    return LinkPlan(
        choice=choice,
        before=settings.configured.cache_type,
        container=new,
        restarts=restarts,
        notes=tuple(note for note in new.notes if note not in old.notes),
        overview=overview,
        copy_bytes=copy_bytes,
    )


def apply_links(
    plan: LinkPlan, settings: Settings, engine: Engine, progress: Progress, *, allow_copy: bool
) -> LinkResult:
    """Write the types, bring the container to its new mounts, relink, and ask again outside.

    Args:
        plan: What :func:`plan_links` returned, agreed to.
        settings: The settings as they were.
        engine: The engine that the container runs on.
        progress: Told how far it is.
        allow_copy: Whether a file that no other type of the list can link may be copied.

    Raises:
        SlipwayError: A step failed. Until relinking begins, ``cache.type`` is put back; after that
            each file is whole, linked the old way or the new.
    """
    types = plan.choice.types
    write_cache_type(settings, types, engine)
    try:
        if plan.restarts:
            apply_plan(plan.container, _with_types(settings, types), engine, progress)
    except (SlipwayError, KeyboardInterrupt):
        write_cache_type(settings, plan.before, engine)
        raise
    enrol(read_settings(settings.root))
    request = {
        "call": "relink",
        "root": str(settings.root),
        "link_types": list(types),
        "allow_copy": allow_copy or types[0] == "copy",
    }
    container = find_running(settings.root, engine)
    relinked = Relinked.from_json(ask_inside(settings, container, request, progress))
    return LinkResult(
        types=types,
        dropped=tuple((item.link_type, item.reason) for item in plan.choice.dropped),
        restarted=plan.restarts,
        relinked=relinked,
        unverified=tuple(verify_sample(relinked.sample)),
    )


def write_cache_type(settings: Settings, types: tuple[str, ...], engine: Engine) -> None:
    """Write ``cache.type`` to ``.dvc/config.local``, with DVC itself; nothing to take it out.

    Raises:
        CommandFailed: DVC refused.
    """
    if read_settings(settings.root).configured.cache_type == types:
        return
    arguments = [CACHE_TYPE, ",".join(types)] if types else ["--unset", CACHE_TYPE]
    container = find_running(settings.root, engine)
    command = ["env", "DVC_NO_ANALYTICS=1", "dvc", "config", "--local", *arguments]
    done = engine.execute(container.container_id, command)
    if done.returncode != 0:
        raise CommandFailed(command, done.returncode, done.stderr)


def _refuse_contradiction(settings: Settings, wanted: tuple[str, ...]) -> None:
    if not (settings.root / ".dvc").is_dir():
        raise SettingsError(
            f"{settings.root} is not a DVC project yet.", hint="`./inv dvc-init` makes it one."
        )
    said = settings.dvc.cache_type
    if said and said != (wanted or AUTO):
        raise SettingsError(
            f"DVC_CACHE_TYPE is {','.join(said)}, which goes before what is asked for here.",
            hint="Change it in .env (or the environment), or remove it there.",
        )


def _suffices(types: tuple[str, ...], sides: Sides) -> bool:
    """Tell whether the first type that works outside works inside under the mounts of today."""
    working = [name for name in types if sides.outside.works(name)]
    return bool(working) and sides.inside is not None and sides.inside.works(working[0])


def _with_types(settings: Settings, types: tuple[str, ...]) -> Settings:
    return replace(settings, configured=replace(settings.configured, cache_type=types))


def _copy_bytes(choice: Choice, overview: Overview) -> int:
    """Return how many bytes become copies that are none yet."""
    if choice.types[0] != "copy":
        return 0
    have = ("copy", "inline", "missing", "dangling", "foreign")
    return sum(count.size_bytes for state, count in overview.counts.items() if state not in have)


def _require_room(settings: Settings, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(settings.root).free
    if needed_bytes > free_bytes:
        raise CacheError(
            f"Copies of the tracked files need {bytes_text(needed_bytes)}, and the disk of "
            f"{settings.root} has {bytes_text(free_bytes)} left.",
            hint="Nothing was changed. Free some space, or choose a link: `./inv cache`.",
        )


def _rehearsed(
    plan: ContainerPlan, settings: Settings, engine: Engine, progress: Progress
) -> Probed:
    """Try the links in a container with the mounts of ``plan``; the running one goes on."""
    request = {
        "call": "probe",
        "cache": str(settings.cache_directory),
        "workspace": str(settings.root),
    }
    words = ["run", "--rm", "--no-deps", "--no-TTY", SERVICE, *worker_command(request)]
    answers = Answers(progress)
    with _overlaid(plan), progress.phase("trying the new mounts in a container of their own"):
        for line in engine.compose(plan.root, words).stdout.splitlines():
            answers.take(line)
    return Probed.from_json(answers.result())


@contextmanager
def _overlaid(plan: ContainerPlan) -> Iterator[None]:
    """Let compose see another plan for a moment."""
    overlay = plan.root / OVERLAY
    before = text_of(overlay)
    write_text(overlay, plan.overlay)
    try:
        yield
    finally:
        write_text(overlay, before)
