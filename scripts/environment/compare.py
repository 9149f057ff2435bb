"""Compare what is imported, declared and installed, and say what each difference asks for. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from scripts.environment.requirements import (
    DECLARED_IN,
    Distribution,
    Finding,
    Imported,
    Imports,
    Kind,
    Requirement,
    RequirementsReport,
    Use,
    normalized,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAMED = 3
"""Files or distributions that a reason names; it counts the others."""


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
