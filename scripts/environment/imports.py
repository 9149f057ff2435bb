"""What code imports: pipreqs asked file by file. Runs inside, where pipreqs is.

pipreqs reads a whole directory and leaves out every name that one of its files or directories has:
a ``docker.py`` anywhere would hide that ``docker`` is imported. So each file is given to it alone,
under a name that nobody imports, which also tells who imports what. Which names are the
project's own is decided here, by where Python would look for them.
"""

from __future__ import annotations

import logging
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.environment.reading import SUFFIXES, as_python, says_targets
from scripts.environment.requirements import Imported, Imports
from scripts.errors import ToolMissing
from scripts.sources import below, find_sources, listed_by_git, shown, unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import ModuleType

    from scripts.progress import Progress

ELSEWHERE = ("services", "tests/integration")
"""What runs in other images or on the host, from requirements of its own."""
_NAME = "_slipway_asks_pipreqs"
_CONFTEST = "conftest.py"


def own_code(root: Path) -> tuple[Path, ...]:
    """Return code, notebooks and settings that git has or would take, but those that run elsewhere.

    So a project that was made beside the others is among them.

    Raises:
        ToolError: git cannot list them.
    """
    elsewhere = (f":(exclude){path}" for path in ELSEWHERE)
    listed = listed_by_git(root, *(f"*{suffix}" for suffix in SUFFIXES), *elsewhere)
    return tuple(filter(says_targets, listed))


def code_in(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the code, notebooks and settings among some paths and below them.

    Raises:
        SettingsError: A path does not exist, or holds none.
    """
    return tuple(filter(says_targets, find_sources(paths, SUFFIXES)))


def observe_imports(root: Path, sources: Sequence[Path], progress: Progress) -> Imports:
    """Ask pipreqs what each file imports, and leave out what is the project's own.

    Args:
        root: The workspace, below which code is imported from.
        sources: The files.
        progress: Told how many are done.

    Raises:
        ToolMissing: pipreqs is not installed.
    """
    try:
        from pipreqs import pipreqs  # noqa: PLC0415  only inside, and it reads `requests`
    except ModuleNotFoundError as error:
        raise ToolMissing(
            "pipreqs, which finds the imports, is not installed.",
            hint="Write pipreqs into environment.txt, then `./inv lock` and `./inv up`.",
        ) from error

    importing: dict[str, list[str]] = defaultdict(list)
    unreadable = {}
    own, of_tests = packages(sources), _modules_of_tests(sources)
    with (
        tempfile.TemporaryDirectory() as name,
        progress.phase("reading imports", total=len(sources), unit="files") as phase,
    ):
        alone = Path(name) / _NAME
        alone.mkdir()
        for source in sources:
            named = shown(source, root)
            try:
                asked = _ask(pipreqs, source, alone)
            except (OSError, SyntaxError, ValueError, RecursionError) as error:
                unreadable[named] = unread(error)
            else:
                for module in asked:
                    is_found = module in own or _beside(module, source, root)
                    if not is_found and not (module in of_tests and _is_test(source, root)):
                        importing[module].append(named)
            phase.advance()
    guesses = {module: pipreqs.get_pkg_names([module])[0] for module in importing}
    modules = tuple(
        Imported(module, tuple(sorted(files)), guesses[module])
        for module, files in sorted(importing.items())
    )
    return Imports(modules, len(sources) - len(unreadable), unreadable)


def packages(sources: Iterable[Path]) -> frozenset[str]:
    """Return the names of the outermost packages that some of the files belong to."""
    found = set()
    for source in sources:
        outermost = _outside(source)
        if outermost != source.parent:
            found.add(source.relative_to(outermost).parts[0])
    return frozenset(found)


def _ask(pipreqs: ModuleType, source: Path, alone: Path) -> list[str]:
    """Return what one file imports beside the standard library, as pipreqs sees it."""
    asked = alone / f"{_NAME}.py"
    asked.write_text(as_python(source), encoding="utf-8")
    before = logging.root.manager.disable
    logging.disable()  # it would name that file
    try:
        modules: list[str] = pipreqs.get_all_imports(str(alone), encoding="utf-8")
    finally:
        logging.disable(before)
        asked.unlink()
    return modules


def _beside(module: str, source: Path, root: Path) -> bool:
    """Tell whether Python would find the module near the file, as a script's or pytest's own."""
    place = _outside(source)
    for directory in (place, *place.parents):
        if (directory / f"{module}.py").is_file() or _holds_code(directory / module):
            return True
        if directory == root:
            break
    return False


def _modules_of_tests(sources: Iterable[Path]) -> frozenset[str]:
    """Return the modules beside a conftest.py: pytest's ``pythonpath`` lets other tests find them.

    Which directories it names is not read. A test that takes a module from one that it does not
    name fails by itself.
    """
    code = (source for source in sources if source.suffix == ".py")
    return frozenset(source.stem for source in code if (source.parent / _CONFTEST).is_file())


def _is_test(source: Path, root: Path) -> bool:
    above = (directory for directory in source.parents if root in (directory, *directory.parents))
    return any((directory / _CONFTEST).is_file() for directory in above)


def _outside(source: Path) -> Path:
    """Return the directory that holds the outermost package which the file belongs to."""
    directory = source.parent
    while (directory / "__init__.py").is_file():
        directory = directory.parent
    return directory


def _holds_code(directory: Path) -> bool:
    return directory.is_dir() and next(below(directory), None) is not None
