"""The nouns of `./inv reqs`, and its comparison of what is imported, declared, installed. No I/O.

A name that is imported (``sklearn``) and the distribution that brings it (``scikit-learn``) are two
things; only installed metadata knows which belongs to which.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from scripts.errors import RequirementsDiffer, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DECLARED_IN = "environment.txt"
_REQUIREMENT = re.compile(r"^\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[(?P<extras>[^]]*)\])?")
_MARK = re.compile(r"\breqs:\s*(?P<use>[\w-]*)")
_NAMED = 3
"""Files or distributions that a reason names; it counts the others."""


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


def compare(
    imports: Imports,
    requirements: Iterable[Requirement],
    distributions: Iterable[Distribution],
    *,
    whole: bool = True,
) -> RequirementsReport:
    """Compare what is imported with what is declared and what is installed; pure.

    Args:
        imports: What the code imports from elsewhere.
        requirements: The lines of environment.txt.
        distributions: What is installed.
        whole: Whether that is all of the code: only then can something be unused.
    """
    requirements = tuple(requirements)
    installed = {distribution.name: distribution for distribution in distributions}
    declared = {requirement.name for requirement in requirements}
    wanted = declared | _through_extras(requirements, installed)
    providers = _providers(installed.values())
    findings = [
        Finding(Kind.UNREADABLE, path, why, "Until it can be read, what it imports is not known.")
        for path, why in imports.unreadable.items()
    ]
    used: set[str] = set()
    for module in imports.modules:
        bringing = providers.get(module.module, frozenset())
        if not bringing:
            findings.append(_missing(module, declared))
            used.add(_likely(module))
        elif not bringing & wanted:
            findings.append(_undeclared(module, bringing, declared, installed))
        used |= bringing
    shared = {module for module, names in providers.items() if len(names) > 1}
    for requirement in requirements:
        findings += _of_requirement(requirement, installed.get(requirement.name), used, shared)
    if not whole:
        findings = [finding for finding in findings if finding.kind is not Kind.UNUSED]
    order = list(Kind)
    findings.sort(key=lambda finding: (order.index(finding.kind), finding.name))
    return RequirementsReport(
        imports.files, len(imports.modules), len(requirements), tuple(findings)
    )


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


def _through_extras(
    requirements: Iterable[Requirement], installed: Mapping[str, Distribution]
) -> set[str]:
    """Return what is asked for by an extra: who writes ``dvc[s3]`` asks for ``dvc-s3``."""
    return {
        name
        for requirement in requirements
        if requirement.name in installed
        for name, extra in installed[requirement.name].requires
        if extra in requirement.extras
    }


def _providers(distributions: Iterable[Distribution]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for distribution in distributions:
        for module in distribution.imports:
            found[module].add(distribution.name)
    return {module: frozenset(names) for module, names in found.items()}


def _likely(module: Imported) -> str:
    return normalized(module.guess or module.module)


def _missing(module: Imported, declared: set[str]) -> Finding:
    name = _likely(module)
    where = _listed(module.files)
    if name in declared:
        reason = f"imported by {where}; declared as {name}, not installed"
        return Finding(Kind.MISSING, module.module, reason, "`./inv lock`, then `./inv up`.")
    # A name that is only alike may be anybody's package, so it is not proposed.
    known = f", which pipreqs knows as {name}" if module.guess not in ("", module.module) else ""
    return Finding(
        Kind.MISSING,
        module.module,
        f"imported by {where}; nothing installed brings it",
        f"Add what brings it{known}, to {DECLARED_IN}; or is the name misspelled?",
    )


def _undeclared(
    module: Imported,
    bringing: frozenset[str],
    declared: set[str],
    installed: Mapping[str, Distribution],
) -> Finding:
    names = sorted(bringing)
    through = sorted(_nearest(bringing, declared, installed))
    because = f", which comes with {_listed(through)}" if through else ""
    return Finding(
        Kind.UNDECLARED,
        module.module,
        f"imported by {_listed(module.files)}; brought by {' or '.join(names)}{because}",
        f"Add {names[0]} to {DECLARED_IN}.",
    )


def _nearest(
    names: Iterable[str], declared: set[str], installed: Mapping[str, Distribution]
) -> set[str]:
    """Return the declared distributions that depend on one of ``names`` in the fewest steps."""
    above: dict[str, set[str]] = defaultdict(set)
    for distribution in installed.values():
        for name, _ in distribution.requires:
            above[name].add(distribution.name)
    step = seen = set(names)
    while step and not step & declared:
        step = {user for name in step for user in above[name]} - seen
        seen = seen | step
    return step & declared


def _of_requirement(
    requirement: Requirement, distribution: Distribution | None, used: set[str], shared: set[str]
) -> list[Finding]:
    name, where = requirement.name, f"{DECLARED_IN}, line {requirement.line}"
    if distribution is None and name in used:
        return []  # told already, by what is imported
    if distribution is None:
        reason = f"declared ({where}), not installed"
        return [Finding(Kind.MISSING, name, reason, "`./inv lock`, then `./inv up`.")]
    uses = _possible(distribution, shared)
    if requirement.use is not None and requirement.use not in uses:
        reason = (
            f"{where} says `reqs: {requirement.use.value}`, and nothing installed with it is one"
        )
        return [Finding(Kind.UNUSED, name, reason, "Take the comment away, or say another use.")]
    if requirement.use is not None or name in used:
        return []
    said = ", ".join(f"{use.value}{evidence}" for use, evidence in uses.items())
    hint = f"Take it out, or write behind it `# reqs: ` and its use: {said}."
    return [Finding(Kind.UNUSED, name, f"declared ({where}), never imported", hint)]


def _possible(distribution: Distribution, shared: set[str]) -> dict[Use, str]:
    """Return the uses that a distribution may have beside being imported, each with its evidence.

    A plugin is found by an entry point, or by lying in a package that several distributions share.
    """
    uses = {}
    if distribution.commands:
        uses[Use.COMMAND] = f" ({distribution.commands[0]})"
    common = shared.intersection(distribution.imports)
    if distribution.groups or common:
        uses[Use.PLUGIN] = f" ({(*distribution.groups, *sorted(common))[0]})"
    uses[Use.OFFERED] = ""
    return uses


def _listed(names: Iterable[str]) -> str:
    all_names = list(names)
    shown = ", ".join(all_names[:_NAMED])
    more = len(all_names) - _NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown
