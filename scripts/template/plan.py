"""What a new project is made of: the template's files under other names. Pure."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from scripts.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

TEMPLATE, PACKAGE = "demo", "starter"
"""The template's directory, and the Python package in it."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*([-_][A-Za-z0-9]+)*")
_WORDS = re.compile(
    # The package as a whole word or a part of one (starter.train, starter_path, StarterError,
    # STARTER_HOME), and the directory where it begins a path or is gone to.
    rf"(?<![A-Za-z0-9]){PACKAGE}(?![a-z0-9])"
    rf"|(?<![A-Za-z0-9]){PACKAGE.upper()}(?![A-Z0-9])"
    rf"|{PACKAGE.capitalize()}(?![a-z0-9])"
    rf"|(?<![\w./-]){TEMPLATE}(?=/)"
    rf"|(?<=\bcd ){TEMPLATE}\b"
)


@dataclass(frozen=True)
class Names:
    """How a new project is called: its directory, its package, its classes, its variables."""

    directory: str
    package: str
    classes: str
    variables: str

    def renamed(self, text: str) -> str:
        """Return a text of the template with this project's names in it."""
        meanings = {
            PACKAGE: self.package,
            PACKAGE.upper(): self.variables,
            PACKAGE.capitalize(): self.classes,
            TEMPLATE: self.directory,
        }
        return _WORDS.sub(lambda match: meanings[match[0]], text)


@dataclass(frozen=True)
class ProjectFile:
    """A file by its path in the project; ``link`` is what it leads to, if it is a symbolic link."""

    path: PurePosixPath
    content: bytes = b""
    mode: int = 0o644
    link: str = ""


def read_names(name: str, taken: Collection[str]) -> Names:
    """Read how a project shall be called: ``cat-or-dog`` has the package ``cat_or_dog``.

    Args:
        name: What a person chose.
        taken: Modules that the project could no longer import if its package hid them.

    Raises:
        SettingsError: It cannot be a package's name, or hides another one.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} cannot be a project's name.",
            hint="Letters, digits, and single dashes between them; a letter first: cat-or-dog.",
        )
    package = name.replace("-", "_").lower()
    if keyword.iskeyword(package):
        raise SettingsError(
            f"{name!r} is a word of Python's own, and no package can be called so.",
            hint=f"For example {name}-model.",
        )
    if package in {module.replace("-", "_").lower() for module in taken}:
        raise SettingsError(
            f"{name!r} is the name of a module that the project needs, and would hide it.",
            hint=f"For example {name}-model.",
        )
    words = package.split("_")
    classes = "".join(word[:1].upper() + word[1:] for word in words)
    return Names(name, package, classes, package.upper())


def plan_project(files: Iterable[ProjectFile], names: Names) -> tuple[ProjectFile, ...]:
    """Return the files of a new project: the template's, with its names in paths and texts.

    What is no text (a picture) is copied as it is.
    """
    return tuple(
        replace(
            file,
            path=PurePosixPath(names.renamed(str(file.path))),
            content=_renamed(file.content, names),
            link=names.renamed(file.link),
        )
        for file in files
    )


def _renamed(content: bytes, names: Names) -> bytes:
    if b"\0" in content:
        return content
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return content
    return names.renamed(text).encode("utf-8")
