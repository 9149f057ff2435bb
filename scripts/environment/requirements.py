"""The nouns of `./inv reqs`: what is imported, declared, installed, and how they differ. No I/O.

A name that is imported (``sklearn``) and the distribution that brings it (``scikit-learn``) are two
things; only installed metadata knows which belongs to which.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from scripts.errors import RequirementsDiffer, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

DECLARED_IN = "environment.txt"
_REQUIREMENT = re.compile(r"^\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[(?P<extras>[^]]*)\])?")
_MARK = re.compile(r"\breqs:\s*(?P<use>[\w-]*)")


class Use(Enum):
    """How a distribution is used that no code imports, as its line in environment.txt says.

    What installed metadata shows decides which of them may be said, not which one is true: nearly
    every large library installs a program that nobody runs.
    """

    COMMAND = "command"
    PLUGIN = "plugin"
    OFFERED = "offered"


class Kind(Enum):
    """What is wrong, the worst first."""

    UNREADABLE = "unreadable"
    MISSING = "missing"
    UNDECLARED = "undeclared"
    UNUSED = "unused"


@dataclass(frozen=True)
class Requirement:
    """A line of environment.txt; ``use`` is ``None`` where nothing is said."""

    name: str
    extras: tuple[str, ...]
    line: int
    use: Use | None = None


@dataclass(frozen=True)
class Distribution:
    """What is installed under one name.

    ``imports`` are the top-level modules that it brings, ``commands`` the programs, ``groups`` the
    groups of its other entry points, ``requires`` what it depends on: name and extra (or empty).
    """

    name: str
    imports: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    requires: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Imported:
    """A top-level module that code imports, the files that do, and what pipreqs would install."""

    module: str
    files: tuple[str, ...]
    guess: str = ""


@dataclass(frozen=True)
class Imports:
    """The modules of others that code imports, how many files were read, and which could not be."""

    modules: tuple[Imported, ...]
    files: int
    unreadable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One difference: ``name`` is an imported module, a distribution or a file."""

    kind: Kind
    name: str
    reason: str
    hint: str


@dataclass(frozen=True)
class RequirementsReport:
    """What was compared, and every difference."""

    files: int
    modules: int
    requirements: int
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        findings = [{**asdict(finding), "kind": finding.kind.value} for finding in self.findings]
        return {**asdict(self), "findings": findings}

    def require_clean(self) -> None:
        """Check that there is no difference.

        Raises:
            RequirementsDiffer: There is one.
        """
        if self.findings:
            counted = [
                f"{sum(finding.kind is kind for finding in self.findings)} {kind.value}"
                for kind in Kind
                if any(finding.kind is kind for finding in self.findings)
            ]
            raise RequirementsDiffer(
                f"{DECLARED_IN} and the code differ: {', '.join(counted)}.",
                hint=f"Mend {DECLARED_IN} or the code as the table says, then `./inv lock` and "
                "`./inv up`.",
            )


def normalized(name: str) -> str:
    """Return a distribution's name as every index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_requirements(text: str, origin: str = DECLARED_IN) -> tuple[Requirement, ...]:
    """Read a list of requirements, with what its comments say about their use.

    ``# reqs: command`` at the end of a line says it of that line; on a line of its own, of every
    line up to the next blank one.

    Raises:
        SettingsError: A comment says a use that there is not, or a line is no requirement.
    """
    found = []
    section: Use | None = None
    for number, line in enumerate(text.splitlines(), 1):
        asked, _, comment = line.partition("#")
        use = _use(comment, f"{origin}, line {number}")
        if not line.strip():
            section = None
        elif not asked.strip():
            section = use or section
        elif not asked.lstrip().startswith("-"):  # options of pip, as --index-url
            match = _REQUIREMENT.match(asked)
            if match is None:
                raise SettingsError(
                    f"{origin}, line {number} is no requirement: {asked.strip()}.",
                    hint="One distribution a line, for example `numpy >= 1.26`.",
                )
            extras = (normalized(extra.strip()) for extra in (match["extras"] or "").split(","))
            found.append(
                Requirement(
                    normalized(match["name"]), tuple(filter(None, extras)), number, use or section
                )
            )
    return tuple(found)


def _use(comment: str, where: str) -> Use | None:
    match = _MARK.search(comment)
    if match is None:
        return None
    try:
        return Use(match["use"])
    except ValueError as error:
        raise SettingsError(
            f"{where} says `reqs: {match['use']}`, which is no use.",
            hint=f"It is one of {', '.join(use.value for use in Use)}.",
        ) from error
