"""What real pipreqs finds in real files, and what real metadata says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from scripts.environment.drift import check_requirements
from scripts.environment.imports import code_in, observe_imports, own_code
from scripts.environment.installed import observe_installed
from scripts.environment.requirements import Imports, Kind
from scripts.errors import SettingsError, SlipwayError, ToolError
from scripts.progress import SilentProgress
from scripts.sources import find_sources

# docopt, which pipreqs reads, has escapes that Python dislikes when it compiles them.
pytestmark = pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")

REPOSITORY = Path(__file__).resolve().parents[2]


def write(root: Path, **files: str) -> None:
    """Write files; ``__`` in a name is a directory's end, ``_py`` at its end the suffix."""
    for name, text in files.items():
        path = root / (name.removesuffix("_py").replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def observe(root: Path) -> Imports:
    return observe_imports(root, code_in([root]), SilentProgress())


def importing(root: Path) -> dict[str, tuple[str, ...]]:
    return {module.module: module.files for module in observe(root).modules}


def test_every_import_of_others_is_found_with_the_files_that_hold_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        a_py="import os, numpy.linalg as la\nfrom sklearn import svm\n",
        b_py="def f():\n    import numpy\n",
        c_py="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas\n",
    )
    assert importing(tmp_path) == {
        "numpy": ("a.py", "b.py"),
        "sklearn": ("a.py",),
        "pandas": ("c.py",),
    }


def test_a_file_of_the_same_name_elsewhere_hides_nothing(tmp_path: Path) -> None:
    """Asked of the whole directory, pipreqs says that nobody imports `docker`."""
    write(
        tmp_path,
        tool__init="",
        tool__engines__docker_py="import docker\n",
        tool__main_py="import docker\nfrom tool.engines import docker as own\n",
    )
    (tmp_path / "tool" / "init.py").rename(tmp_path / "tool" / "__init__.py")
    write(tmp_path, tool__engines__init="")
    (tmp_path / "tool/engines/init.py").rename(tmp_path / "tool/engines/__init__.py")
    assert importing(tmp_path) == {"docker": ("tool/engines/docker.py", "tool/main.py")}


def test_the_projects_own_modules_are_nobody_elses(tmp_path: Path) -> None:
    write(
        tmp_path,
        tasks_py="import mypackage\nimport scripts_beside\n",
        scripts_beside_py="import torch\n",
        src__mypackage__core_py="import mypackage\nfrom . import other\n",
        tests__unit__test_core_py="import mypackage\nfrom helping import x\nimport tests.unit\n",
        tests__unit__helping_py="",
    )
    (tmp_path / "src/mypackage/__init__.py").touch()
    assert importing(tmp_path) == {"torch": ("scripts_beside.py",)}


def test_what_stands_beside_a_conftest_is_found_by_tests_alone(tmp_path: Path) -> None:
    write(
        tmp_path,
        inner__tests__conftest_py="",
        inner__tests__desk_py="",
        tests__conftest_py="",
        tests__contract__test_it_py="import desk\n",
        tool_py="import desk\n",
    )
    assert importing(tmp_path) == {"desk": ("tool.py",)}


def test_what_hydra_builds_is_imported_by_yaml_dataclasses_and_dictionaries(tmp_path: Path) -> None:
    write(
        tmp_path,
        mine__core_py="",
        schema_py="class A:\n    _target_: str = 'torch.optim.SGD'\n    other: str = 'scipy.x'\n"
        "B = {'_target_': 'sklearn.svm.SVC', 'x': dict(_target_='timm.create_model')}\n"
        "class C:\n    _target_: str = '???'\n",
    )
    (tmp_path / "logger.yaml").write_text(
        "# @package _global_\na:\n  - {_target_: wandb.Run, dir: '${x}'}\n"
        "b: {_target_: collections.Counter}\nc: {_target_: mine.core.C}\nd: {_target_: '${e}.F'}\n"
    )
    (tmp_path / "ci.yml").write_text("script: !reference [a]\n")
    assert importing(tmp_path) == {
        "sklearn": ("schema.py",),
        "timm": ("schema.py",),
        "torch": ("schema.py",),
        "wandb": ("logger.yaml",),
    }
    assert observe(tmp_path).files == 3


def test_notebooks_are_read_without_what_only_ipython_understands(tmp_path: Path) -> None:
    notebook(
        tmp_path / "a.ipynb",
        "%load_ext autoreload\nimport numpy as np\nnp.ones?\n!pip install x\nfiles = !ls",
        "%%time\nimport pandas",
        "%%bash\nimport nothing",
        "if True:\n    %matplotlib inline\nawait np",
        "build({'_target_': 'torch.nn.Linear'})",
    )
    assert importing(tmp_path) == {
        "numpy": ("a.ipynb",), "pandas": ("a.ipynb",), "torch": ("a.ipynb",)
    }  # fmt: skip
    notebook(tmp_path / "b.ipynb", "import numpy", "x = (")
    (tmp_path / "c.ipynb").write_text("{}")
    (tmp_path / "d.yaml").write_text("_target_: [")
    found = observe(tmp_path).unreadable
    assert found["b.ipynb"].startswith("code cell 2, line 1: ")
    assert found["c.ipynb"].startswith("no notebook")
    assert found["d.yaml"].startswith("while parsing")


def notebook(path: Path, *cells: str) -> None:
    code = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    text = {"cell_type": "markdown", "source": ["import nothing"]}
    path.write_text(json.dumps({"nbformat": 4, "metadata": {}, "cells": [text, *code]}))


def test_a_file_that_is_no_python_is_named_and_the_others_are_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, a_py="import numpy\n", b_py="def f(:\n", c_py="import pandas\0")
    (tmp_path / "d.py").write_bytes(b"# \xe9\nimport torch\n")
    found = observe(tmp_path)
    assert [module.module for module in found.modules] == ["numpy"]
    assert found.files == 1
    assert found.unreadable["b.py"] == "line 1: invalid syntax"
    assert set(found.unreadable) == {"b.py", "c.py", "d.py"}
    assert not caplog.records, "pipreqs' own words name a file that nobody knows"


def test_environments_and_hidden_directories_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, a_py="", hidden__a_py="import x\n", env__lib__a_py="import y\n")
    (tmp_path / "hidden").rename(tmp_path / ".hidden")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert [path.name for path in find_sources([tmp_path])] == ["a.py"]
    (tmp_path / "a.py").unlink()
    with pytest.raises(SettingsError, match="holds no Python file"):
        find_sources([tmp_path])


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere does not exist"):
        find_sources([tmp_path / "nowhere"])


def test_installed_metadata_tells_modules_commands_and_dependencies() -> None:
    installed = {distribution.name: distribution for distribution in observe_installed()}
    assert "pytest" in installed["pytest"].imports
    assert "pytest" in installed["pytest"].commands
    assert "dotenv" in installed["python-dotenv"].imports
    assert "ruff" in installed["ruff"].commands, "which is no entry point: RECORD knows it"
    assert ("dvc-s3", "s3") in installed["dvc"].requires
    assert "pytest11" in installed["pytest-xdist"].groups
    for distribution in installed.values():
        assert all(name.isidentifier() for name in distribution.imports), distribution


def test_nothing_of_this_repository_is_missing_undeclared_or_unused() -> None:
    """What CI asks with `./inv reqs`; run where environment.txt is installed."""
    report = check_requirements(REPOSITORY, [], SilentProgress())
    assert [(finding.name, finding.reason) for finding in report.findings] == []
    assert report.files > 300


def test_all_code_is_what_git_has_or_would_take_and_what_runs_here(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="not a git repository"):
        own_code(tmp_path)
    init(tmp_path)
    write(
        tmp_path,
        tasks_py="",
        cats__cats__a_py="",
        data__a_py="",
        services__a_py="",
        tests__integration__a_py="",
        gone_py="",
    )
    (tmp_path / ".gitignore").write_text("/data/\n")
    subprocess.run(["git", "add", "gone.py"], cwd=tmp_path, check=True)
    (tmp_path / "gone.py").unlink()
    found = [path.relative_to(tmp_path).as_posix() for path in own_code(tmp_path)]
    assert found == ["cats/cats/a.py", "tasks.py"]


def init(root: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)


def test_a_new_import_and_a_broken_file_are_found(tmp_path: Path) -> None:
    init(tmp_path)
    (tmp_path / "environment.txt").write_text("numpy\nruff  # reqs: command\n")
    write(tmp_path, scripts__a_py="import numpy, dateutil, no_such_module\n")
    write(tmp_path, scripts__b_py="x = (\n")
    assert own_code(tmp_path) == (tmp_path / "scripts/a.py", tmp_path / "scripts/b.py")
    report = check_requirements(tmp_path, [], SilentProgress())
    assert [(finding.kind, finding.name) for finding in report.findings] == [
        (Kind.UNREADABLE, "scripts/b.py"),
        (Kind.MISSING, "no_such_module"),
        (Kind.UNDECLARED, "dateutil"),
    ]
    assert "brought by python-dateutil" in report.findings[2].reason


def test_without_a_list_of_requirements_it_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SlipwayError, match=r"Cannot read .*environment\.txt"):
        check_requirements(tmp_path, [], SilentProgress())
