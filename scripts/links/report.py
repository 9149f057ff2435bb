"""What `./inv cache` reports: both sides of the wall, the checkout, and what DVC makes of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from scripts.links.choose import AUTO, what_dvc_does, why_not
from scripts.links.model import LINK_TYPES

if TYPE_CHECKING:
    from scripts.links.checkout import Overview
    from scripts.links.choose import Dropped
    from scripts.links.model import Measurement, Probed
    from scripts.links.registry import RegisteredProject


@dataclass(frozen=True)
class Sides:
    """What was found between a cache and a workspace, outside and inside.

    Attributes:
        cache: The cache's directory; the same path on both sides.
        cache_filesystem: Its kind of file system, as the host calls it.
        workspace: The workspace.
        workspace_filesystem: Its kind of file system.
        outside: What the host found.
        inside: What the container found; ``None`` where it was not asked.
        why_not_inside: Why it was not.
    """

    cache: str
    cache_filesystem: str
    workspace: str
    workspace_filesystem: str
    outside: Probed
    inside: Probed | None
    why_not_inside: str = ""

    def why_not(self, link_type: str) -> Dropped | None:
        """Return why a link type cannot be used, or ``None`` if it works on both sides."""
        return why_not(link_type, self.outside, self.inside)


@dataclass(frozen=True)
class Row:
    """One link type: what works, what it costs, and what DVC does with it.

    ``extra_bytes`` is what the sample took on the disk, ``project_bytes`` what the whole project
    would take; both are ``None`` where nothing was measured. ``seconds`` are those of the sample.
    """

    link_type: str
    outside: bool
    inside: bool | None
    reason: str
    seconds_outside: float | None
    seconds_inside: float | None
    extra_bytes: int | None
    project_bytes: int | None
    editable: bool | None
    dvc: str


@dataclass(frozen=True)
class CacheReport:
    """Everything about a cache and its links.

    Attributes:
        sides: What was found on both sides.
        wanted: ``cache.type`` as it is set; empty where DVC chooses.
        sample_files: How many links of each type were timed.
        sample_bytes: How large each of their objects was.
        overview: The checkout; ``None`` where it could not be looked at.
        projects: The other projects that use this cache.
    """

    sides: Sides
    wanted: tuple[str, ...]
    sample_files: int
    sample_bytes: int
    overview: Overview | None
    projects: tuple[RegisteredProject, ...] = ()

    @property
    def files(self) -> int:
        """How many files DVC tracks here."""
        return sum(count.files for count in self.overview.counts.values()) if self.overview else 0

    @property
    def size_bytes(self) -> int:
        """How many bytes they hold."""
        counts = self.overview.counts.values() if self.overview else ()
        return sum(count.size_bytes for count in counts)

    def rows(self) -> tuple[Row, ...]:
        """Return one row for each link type."""
        return tuple(self._row(link_type) for link_type in LINK_TYPES)

    def advice(self) -> str:
        """Return the link type that would save space; empty where the best is used already.

        Types that a file cannot be edited under are named only where no reflinks work.
        """
        inside = self.sides.inside
        if inside is None:
            return ""
        wanted = self.wanted or AUTO
        working = [name for name in wanted if not self.sides.why_not(name)]
        if working and working[0] != "copy":
            return ""
        better = [
            name for name in ("reflink", "hardlink", "symlink") if not self.sides.why_not(name)
        ]
        return better[0] if better else ""

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "schema_version": 1,
            "cache": {"path": self.sides.cache, "filesystem": self.sides.cache_filesystem},
            "workspace": {
                "path": self.sides.workspace,
                "filesystem": self.sides.workspace_filesystem,
            },
            "cache_type": list(self.wanted),
            "sample": {"files": self.sample_files, "file_bytes": self.sample_bytes},
            "types": [asdict(row) for row in self.rows()],
            "probe_s": {
                "outside": self.sides.outside.elapsed_s,
                "inside": self.sides.inside.elapsed_s if self.sides.inside else None,
            },
            "inside_unknown": self.sides.why_not_inside,
            "checkout": {
                "files": self.files,
                "bytes": self.size_bytes,
                "states": {state: asdict(count) for state, count in self.overview.counts.items()},
                "troubled": dict(self.overview.troubled),
            }
            if self.overview
            else None,
            "projects": [
                {"root": str(project.root), "cache_type": list(project.link_types)}
                for project in self.projects
            ],
        }

    def _row(self, link_type: str) -> Row:
        outside, inside = self.sides.outside, self.sides.inside
        here = outside.attempt(link_type)
        there = inside.attempt(link_type) if inside else None
        failed = self.sides.why_not(link_type)
        timed = _measured(outside, link_type), _measured(inside, link_type) if inside else None
        measured = timed[1] or timed[0]
        return Row(
            link_type=link_type,
            outside=here.works,
            inside=there.works if there else None,
            reason=failed.reason if failed else "",
            seconds_outside=timed[0].elapsed_s if timed[0] else None,
            seconds_inside=timed[1].elapsed_s if timed[1] else None,
            extra_bytes=measured.extra_bytes if measured else None,
            project_bytes=self._projected(measured) if measured and not failed else None,
            editable=(there or here).editable if not failed else None,
            dvc=what_dvc_does(link_type, self.wanted, outside, inside),
        )

    def _projected(self, measured: Measurement) -> int:
        if measured.link_type == "copy":
            return self.size_bytes
        return round(measured.extra_bytes / measured.files * self.files)


def _measured(side: Probed, link_type: str) -> Measurement | None:
    return next((item for item in side.measured if item.link_type == link_type), None)
