"""Whether code, environment.txt and what is installed agree. Runs inside, where both are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scripts.environment.compare import compare
from scripts.environment.imports import code_in, observe_imports, own_code
from scripts.environment.installed import observe_installed
from scripts.environment.requirements import DECLARED_IN, RequirementsReport, read_requirements
from scripts.errors import SlipwayError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.progress import Progress


def check_requirements(root: Path, paths: Sequence[str], progress: Progress) -> RequirementsReport:
    """Compare what code imports with environment.txt and with this Python's environment.

    Args:
        root: The workspace.
        paths: Where the code is; nothing for all of the workspace's own. Of a part of the code
            nobody can say what is unused, so that is not asked.
        progress: Told what is read.

    Raises:
        SettingsError: A path is not there, or environment.txt cannot be understood.
        SlipwayError: environment.txt cannot be read.
    """
    try:
        declared = (root / DECLARED_IN).read_text(encoding="utf-8")
    except OSError as error:
        raise SlipwayError(
            f"Cannot read {root / DECLARED_IN}: {error.strerror or error}.",
            hint=f"Restore it (`git checkout -- {DECLARED_IN}`).",
        ) from error
    requirements = read_requirements(declared)
    sources = code_in([Path(path) for path in paths]) if paths else own_code(root)
    imports = observe_imports(root, sources, progress)
    return compare(imports, requirements, observe_installed(), whole=not paths)
