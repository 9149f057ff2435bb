"""What a file imports, as Python that says no more: code, notebooks, and `_target_` of Hydra.

`_target_: lightning.Trainer` imports `lightning` as soon as Hydra builds it, be it in YAML, or in a
dataclass or a dictionary that stands for YAML.
"""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIXES = (".py", ".ipynb", ".yaml", ".yml")
_TARGET = "_target_"
_PATH = re.compile(r"(?P<module>[A-Za-z_]\w*)(\.[A-Za-z_]\w*)+")
_TIMED = re.compile(r"%%(time|timeit|capture|prun)\b.*")
_NO_PYTHON = re.compile(r"(?P<before>\s*)([%!?].*|[\w.*]+\?{1,2})")
_OF_SHELL = re.compile(r"(?P<before>\s*[\w, ]+=\s*)[%!].*")


def says_targets(path: Path) -> bool:
    """Tell whether a file is code, or YAML that names what Hydra builds.

    YAML of other programs has tags and texts of its own, and is left alone.
    """
    if path.suffix not in (".yaml", ".yml"):
        return True
    try:
        return _TARGET.encode() in path.read_bytes()
    except OSError:
        return True  # reading it says why


def as_python(path: Path) -> str:
    """Return Python with the imports of a file.

    Raises:
        OSError: It cannot be read.
        SyntaxError: It is no Python.
        ValueError: It is no text, no YAML, no notebook, or one of its cells is no Python.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".yaml", ".yml"):
        return _imports(_targets_of_yaml(text))
    if path.suffix == ".ipynb":
        text = "\n".join(_cells(text))
    if _TARGET not in text:
        return text
    return f"{text}\n{_imports(_targets_of_python(text))}"


def _imports(targets: Iterator[object]) -> str:
    """Return an import for each target; what is filled in later (`???`, `${...}`) is none."""
    found = {
        match["module"]
        for target in targets
        if isinstance(target, str) and (match := _PATH.fullmatch(target))
    }
    return "".join(f"import {module}\n" for module in sorted(found))


def _targets_of_yaml(text: str) -> Iterator[object]:
    import yaml  # noqa: PLC0415  only inside

    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    yield from _targets_below(documents)


def _targets_below(node: object) -> Iterator[object]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == _TARGET:
                yield value
            yield from _targets_below(value)
    elif isinstance(node, list):
        for value in node:
            yield from _targets_below(value)


def _targets_of_python(text: str) -> Iterator[object]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.AnnAssign):
            yield from _said(node.target, node.value)
        elif isinstance(node, ast.Assign):
            yield from (each for target in node.targets for each in _said(target, node.value))
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values):
                yield from _said(key, value)
        elif isinstance(node, ast.keyword) and node.arg == _TARGET:
            yield _constant(node.value)


def _said(key: ast.expr | None, value: ast.expr | None) -> Iterator[object]:
    name = key.id if isinstance(key, ast.Name) else _constant(key)
    if name == _TARGET:
        yield _constant(value)


def _constant(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _cells(text: str) -> Iterator[str]:
    """Yield the Python of a notebook's code cells, each of which must be right by itself."""
    try:
        notebook: dict[str, Any] = json.loads(text)
        language = notebook["metadata"].get("language_info", {}).get("name", "python")
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        sources = ["".join(cell["source"]) for cell in cells]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no notebook of nbformat 4: {error}") from error
    for number, source in enumerate(sources if language == "python" else (), start=1):
        code = _without_magic(source)
        try:
            ast.parse(code)
        except SyntaxError as error:
            raise ValueError(f"code cell {number}, line {error.lineno}: {error.msg}") from error
        yield code


def _without_magic(cell: str) -> str:
    """Return a cell without what only IPython understands: `%magic`, `!command`, `name?`."""
    first, _, rest = cell.lstrip().partition("\n")
    if _TIMED.match(first):
        cell = rest
    elif first.startswith("%%"):
        return ""  # another language
    return "\n".join(_as_python(line) for line in cell.splitlines())


def _as_python(line: str) -> str:
    if only := _NO_PYTHON.fullmatch(line):
        return f"{only['before']}pass"
    if given := _OF_SHELL.fullmatch(line):
        return f"{given['before']}None"
    return line
