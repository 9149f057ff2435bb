"""The DVC cache seen from both sides of the wall: which links work, what the checkout is like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.container.bringup import find_running
from scripts.container.inside import ask_inside, is_inside
from scripts.errors import ContainerError, SettingsError
from scripts.links.checkout import Overview
from scripts.links.model import Probed
from scripts.links.probe import filesystem_of, probe_in, scratch
from scripts.links.registry import registered
from scripts.links.repair import Repaired
from scripts.links.report import CacheReport, Sides

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.container.engine import Engine
    from scripts.container.model import ContainerFacts
    from scripts.progress import Progress
    from scripts.settings import Settings

SAMPLE_FILES = 1000
_SAMPLE_BYTES = 65536
_SMALLEST_BYTES = 4096


def observe_cache(
    settings: Settings, engine: Engine, progress: Progress, *, files: int = SAMPLE_FILES
) -> CacheReport:
    """Return what works between the workspace and its cache on both sides, and what it costs.

    Where the container does not run, the host alone is asked, and the report says so.

    Args:
        settings: Names the workspace, the cache and the link types wanted.
        engine: The engine that the container runs on.
        progress: Told what is being measured.
        files: How many links of each type to time; 0 for none.

    Raises:
        CacheError: The cache cannot be used.
        SettingsError: This process runs inside, where the host cannot be asked.
    """
    require_outside()
    try:
        container = find_running(settings.root, engine)
    except ContainerError as error:
        container, why_not = None, f"{error.message} {error.hint}"
    else:
        why_not = ""
    overview = None
    if container is not None and (settings.root / ".dvc").is_dir():
        overview = observe_checkout(settings, container, progress)
    file_bytes = _sample_bytes(overview)
    sides = observe_sides(
        settings, container, progress, files=files, file_bytes=file_bytes, why_not=why_not
    )
    cache = settings.cache_directory
    return CacheReport(
        sides=sides,
        wanted=settings.link_types,
        sample_files=files,
        sample_bytes=file_bytes,
        overview=overview,
        projects=tuple(
            project
            for project in (registered(cache) if cache.is_dir() else ())
            if project.root != settings.root
        ),
    )


def plot_report(
    report: CacheReport, path: Path, settings: Settings, engine: Engine, progress: Progress
) -> None:
    """Draw what was measured into a file of the workspace; done inside, where matplotlib is.

    Raises:
        ContainerError: The container does not run.
        SlipwayError: The file cannot be written, or its format is unknown.
    """
    container = find_running(settings.root, engine)
    request = {"call": "plot", "report": report.as_json(), "path": str(path.resolve())}
    ask_inside(settings, container, request, progress)
    progress.say(f"Drawn: {path}")


def observe_sides(
    settings: Settings,
    container: ContainerFacts | None,
    progress: Progress,
    *,
    files: int = 0,
    file_bytes: int = 0,
    why_not: str = "",
) -> Sides:
    """Try each link type outside and inside, one after the other: they share a disk.

    Raises:
        CacheError: The cache cannot be used, or is another directory inside.
    """
    cache, root = settings.cache_directory, settings.root
    inside = None
    with progress.phase("trying the links"), scratch(cache, root) as place:
        outside = probe_in(place, files=files, file_bytes=file_bytes)
        if container is not None:
            request: dict[str, Any] = {
                "call": "probe",
                "cache": str(cache),
                "workspace": str(root),
                "files": files,
                "file_bytes": file_bytes,
                # Made outside just now: seen inside, it is the same directory.
                "visible": [str(place.cache), str(place.workspace)],
            }
            inside = Probed.from_json(ask_inside(settings, container, request, progress))
    return Sides(
        cache=str(cache),
        cache_filesystem=filesystem_of(cache.resolve()),
        workspace=str(root),
        workspace_filesystem=filesystem_of(root),
        outside=outside,
        inside=inside,
        why_not_inside=why_not,
    )


def observe_checkout(
    settings: Settings,
    container: ContainerFacts,
    progress: Progress,
    *,
    contents: bool = False,
) -> Overview:
    """Return what the checkout looks like inside, where DVC is.

    Raises:
        CacheError: DVC cannot read the project.
    """
    request = {
        "call": "tracked",
        "root": str(settings.root),
        "link_types": list(settings.link_types),
        "contents": contents,
    }
    return Overview.from_json(ask_inside(settings, container, request, progress))


def repair_checkout(settings: Settings, container: ContainerFacts, progress: Progress) -> Repaired:
    """Mend tracked files where that can lose nothing; done inside, where DVC is.

    Raises:
        SettingsError: There is no DVC project to mend.
        CacheError: The cache cannot be used, or DVC cannot read the project.
    """
    if not (settings.root / ".dvc").is_dir():
        raise SettingsError(
            f"{settings.root} is not a DVC project yet.", hint="`./inv dvc-init` makes it one."
        )
    sides = observe_sides(settings, container, progress)
    working = [name for name in settings.link_types if not sides.why_not(name)]
    request = {"call": "repair", "root": str(settings.root), "link_types": working}
    return Repaired.from_json(ask_inside(settings, container, request, progress))


def require_outside() -> None:
    """End with an error inside, where the host's side of the wall cannot be tried.

    Raises:
        SettingsError: This process runs in the container.
    """
    if is_inside():
        raise SettingsError(
            "`inv cache` asks both sides of the wall, and so has to be called outside.",
            hint="Run `./inv cache` on the host; inside, `dvc doctor` shows one side.",
        )


def _sample_bytes(overview: Overview | None) -> int:
    """Return the size of a sample file: the project's mean, within what is quickly measured."""
    counts = overview.counts.values() if overview else ()
    files = sum(count.files for count in counts)
    mean = sum(count.size_bytes for count in counts) // files if files else _SAMPLE_BYTES
    return max(_SMALLEST_BYTES, min(mean, _SAMPLE_BYTES))
