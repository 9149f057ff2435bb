"""`./inv leaks`: no secret stands in image, container, compose output, logs or .slipway/."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from scripts.container import places
from scripts.container.known_secrets import known_secrets
from scripts.container.layers import layers_of, search_layers
from scripts.container.needles import Needles, searched
from scripts.container.overlay import OVERLAY
from scripts.container.plan import project_name
from scripts.container.searched import read_record, record_path, write_record
from scripts.errors import ContainerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scripts.container.engine import Engine
    from scripts.container.places import Place
    from scripts.progress import Progress
    from scripts.settings import Settings


@dataclass(frozen=True)
class Finding:
    """A secret that stands where it must not: which key, where, and in which form."""

    key: str
    place: str
    form: str


@dataclass(frozen=True)
class LeakReport:
    """What was looked for and where, and what was found.

    ``keys`` are those whose values were looked for, ``too_short`` those whose values were not.
    """

    keys: tuple[str, ...]
    too_short: tuple[str, ...]
    places: tuple[Place, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every secret that was found, each place for itself."""
        return tuple(
            Finding(hit.key, where, hit.form)
            for place in self.places
            for where, hits in place.found.items()
            for hit in sorted(hits)
        )

    @property
    def unsearched(self) -> tuple[str, ...]:
        """What could not be read, and why."""
        return tuple(reason for place in self.places for reason in place.unsearched)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "schema_version": 1,
            "works": not (self.findings or self.unsearched),
            "keys": list(self.keys),
            "too_short": list(self.too_short),
            "findings": [asdict(finding) for finding in self.findings],
            "searched": {place.name: place.size_bytes for place in self.places},
            "layers_searched_before": sum(place.searched_before for place in self.places),
            "unsearched": list(self.unsearched),
        }

    def require_clean(self) -> None:
        """End with an error if a secret was found, or if not everything could be searched.

        Raises:
            ContainerError: Names the keys; the places stand in the report.
        """
        if self.findings:
            keys = ", ".join(sorted({finding.key for finding in self.findings}))
            raise ContainerError(
                f"Secrets stand where others may read them: {keys}.",
                hint="Replace them where they were issued, take them out of what the table names, "
                "then `./inv build --no-cache`, `./inv up` and `./inv clean`.",
            )
        if self.unsearched:
            raise ContainerError(
                f"Not everything could be searched: {self.unsearched[0]}.",
                hint="What was searched is clean; `--json` names all that was not.",
            )


def find_leaks(settings: Settings, engine: Engine, progress: Progress) -> LeakReport:
    """Look for every secret that Slipway knows of in all that it made on this machine.

    Args:
        settings: Name the workspace, whose ``.env`` is read.
        engine: Asked first whether it answers at all.
        progress: Told what is searched, and how far that is.

    Raises:
        EngineUnavailable: No engine answers.
        CommandFailed: The engine does not give what it holds.
    """
    engine.facts()
    secrets, too_short = searched(known_secrets(settings.root))
    keys = tuple(sorted({secret.key for secret in secrets}))
    seen = _search_all(settings.root, Needles(secrets), progress) if secrets else ()
    return LeakReport(keys, too_short, seen)


def _search_all(root: Path, needles: Needles, progress: Progress) -> tuple[Place, ...]:
    project = project_name(root)
    containers = places.containers_of(project)
    images = places.images_of(root, containers)
    with progress.phase("searching containers, logs and .slipway/"):
        small = (
            places.search_history(images, needles),
            places.search_containers(containers, needles),
            places.search_logs(containers, needles),
            places.search_compose(root, needles),
            places.search_state(root / OVERLAY.partition("/")[0], needles),
        )
    return (*small, _search_new_layers(project, images, needles, progress))


def _search_new_layers(
    project: str, images: Sequence[str], needles: Needles, progress: Progress
) -> Place:
    """Search what was not searched before; remember it if it is clean."""
    path = record_path(project)
    known = read_record(path, needles)
    place = search_layers(images, needles, progress, known.clean)
    if not (place.found or place.unsearched):
        clean = layers_of(images) | frozenset(images)
        if clean != known.clean:
            write_record(path, replace(known, clean=clean))
    return place
