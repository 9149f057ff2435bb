"""What the demo is given and what it comes to: data only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scripts.container.services import DEMO_ACCESS_KEY, DEMO_ENDPOINT, DEMO_SECRET_KEY
from scripts.errors import Corrupted

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.migration import Report
    from scripts.project import InitResult


@dataclass(frozen=True)
class DemoStore:
    """The object store that the demo fills; the defaults are the embedded one, seen from inside."""

    endpoint_url: str = DEMO_ENDPOINT
    access_key: str = DEMO_ACCESS_KEY
    secret_key: str = field(default=DEMO_SECRET_KEY, repr=False)
    bucket: str = "slipway-demo"
    region: str = "us-east-1"


@dataclass(frozen=True)
class Version:
    """One version of the data, pulled into the clean clone.

    Attributes:
        name: The branch or tag.
        files: How many files the original has.
        size_bytes: Their size, in bytes.
        different: The paths whose bytes differ, or that only one side has; empty if identical.
    """

    name: str
    files: int
    size_bytes: int
    different: tuple[str, ...] = ()


@dataclass(frozen=True)
class DemoResult:
    """What the demo came to; ``init`` and ``report`` are what its two main steps returned."""

    directory: Path
    init: InitResult
    report: Report
    versions: tuple[Version, ...]
    elapsed_s: float

    @property
    def files(self) -> int:
        """How many files were compared, over all versions."""
        return sum(version.files for version in self.versions)

    @property
    def size_bytes(self) -> int:
        """How many bytes were compared, over all versions, in bytes."""
        return sum(version.size_bytes for version in self.versions)

    @property
    def identical(self) -> bool:
        """Whether every file of every version came back as it was."""
        return bool(self.versions) and not any(version.different for version in self.versions)

    def as_json(self) -> dict[str, object]:
        """Return the result for programs."""
        return {
            "identical": self.identical,
            "versions": [
                {
                    "name": version.name,
                    "files": version.files,
                    "bytes": version.size_bytes,
                    "different": list(version.different),
                }
                for version in self.versions
            ],
            "files": self.files,
            "bytes": self.size_bytes,
            "elapsed_s": round(self.elapsed_s, 3),
            "migration": self.report.as_json(),
        }

    def require_identical(self) -> None:
        """Do nothing if every version came back as it was.

        Raises:
            Corrupted: One did not; the message names it and one of its files.
        """
        for version in self.versions:
            if version.different:
                raise Corrupted(
                    f"{version.name} came back with {len(version.different)} of {version.files} "
                    f"files different, {version.different[0]} among them.",
                    hint=f"Compare the two: {self.directory}/project and {self.directory}/clone.",
                )
