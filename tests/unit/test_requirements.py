"""What is imported, declared and installed, compared: no metadata is read, no file either."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from scripts.console.environment import requirements_view
from scripts.environment.compare import compare
from scripts.environment.requirements import (
    Distribution,
    Imported,
    Imports,
    Kind,
    Requirement,
    RequirementsReport,
    Use,
    read_requirements,
)
from scripts.errors import RequirementsDiffer, SettingsError

DECLARED = """\
# Training
torch
hydra_core >= 1.3  # a comment
dvc[s3, ssh] >= 3

# Tools, reqs: command
ruff
py-spy  # reqs: offered; for a look

--extra-index-url https://example.test
seaborn
"""


def read(text: str) -> tuple[Requirement, ...]:
    return read_requirements(text)


def test_a_line_is_a_name_its_extras_and_a_use() -> None:
    found = {requirement.name: requirement for requirement in read(DECLARED)}
    assert list(found) == ["torch", "hydra-core", "dvc", "ruff", "py-spy", "seaborn"]
    assert found["dvc"].extras == ("s3", "ssh")
    assert found["hydra-core"].line == 3
    assert found["torch"].use is None


def test_a_use_holds_for_its_line_or_from_a_line_of_its_own_to_the_next_blank_one() -> None:
    found = {requirement.name: requirement.use for requirement in read(DECLARED)}
    assert found["ruff"] is Use.COMMAND
    assert found["py-spy"] is Use.OFFERED
    assert found["seaborn"] is None


def test_a_use_that_there_is_not_is_named_with_its_line() -> None:
    with pytest.raises(SettingsError) as caught:
        read("ruff\nmypy  # reqs: comand\n")
    assert caught.value.message == "environment.txt, line 2 says `reqs: comand`, which is no use."
    assert "command, plugin, offered" in caught.value.hint


def test_a_line_that_is_no_requirement_is_named() -> None:
    with pytest.raises(SettingsError, match="line 1 is no requirement: !ruff"):
        read("!ruff\n")


SKLEARN = Distribution("scikit-learn", imports=("sklearn",), requires=(("joblib", ""),))
JOBLIB = Distribution("joblib", imports=("joblib",))


def findings(
    *imported: Imported,
    declared: str = "",
    installed: tuple[Distribution, ...] = (),
    unreadable: dict[str, str] | None = None,
    whole: bool = True,
) -> list[tuple[Kind, str]]:
    report = compare(Imports(imported, 1, unreadable or {}), read(declared), installed, whole=whole)
    return [(finding.kind, finding.name) for finding in report.findings]


def only(*imported: Imported, declared: str, installed: tuple[Distribution, ...]) -> str:
    (finding,) = compare(Imports(imported, 1), read(declared), installed).findings
    return f"{finding.kind.value}: {finding.reason}. {finding.hint}"


def test_an_import_is_satisfied_by_the_distribution_that_brings_it_whatever_its_name() -> None:
    used = Imported("sklearn", ("a.py",), "scikit_learn")
    assert findings(used, declared="Scikit_Learn", installed=(SKLEARN,)) == []


def test_what_nothing_brings_is_missing_and_where_it_may_come_from_is_told() -> None:
    used = Imported("cv2", ("a.py", "b.py"), "opencv_python")
    told = only(used, declared="", installed=())
    assert told.startswith("missing: imported by a.py, b.py; nothing installed brings it.")
    assert "which pipreqs knows as opencv-python" in told
    told = only(Imported("nump", ("a.py",), "nump"), declared="", installed=())
    assert told.endswith("Add what brings it, to environment.txt; or is the name misspelled?")


def test_what_is_declared_and_imported_but_not_installed_is_told_once() -> None:
    used = Imported("cv2", ("a.py",), "opencv_python")
    told = only(used, declared="opencv-python", installed=())
    assert "declared as opencv-python, not installed. `./inv lock`, then `./inv up`." in told


def test_what_is_declared_but_not_installed_is_missing_though_nobody_imports_it() -> None:
    assert findings(declared="ruff  # reqs: command") == [(Kind.MISSING, "ruff")]


def test_what_comes_with_another_is_undeclared_and_the_nearest_is_named() -> None:
    used = Imported("joblib", ("a.py",))
    over = Distribution("over", imports=("over",), requires=(("scikit-learn", ""),))
    told = only(
        used,
        Imported("sklearn", ("a.py",)),
        Imported("over", ("a.py",)),
        declared="scikit-learn\nover",
        installed=(SKLEARN, JOBLIB, over),
    )
    assert told == (
        "undeclared: imported by a.py; brought by joblib, which comes with scikit-learn. "
        "Add joblib to environment.txt."
    )


def test_dependencies_in_a_circle_are_walked_once() -> None:
    one = Distribution("one", imports=("one",), requires=(("two", ""),))
    two = Distribution("two", imports=("two",), requires=(("one", ""),))
    assert findings(Imported("one", ("a.py",)), installed=(one, two)) == [(Kind.UNDECLARED, "one")]


def test_who_asks_for_an_extra_asks_for_what_is_in_it() -> None:
    dvc = Distribution("dvc", imports=("dvc",), requires=(("dvc-s3", "s3"), ("dvc-gs", "gs")))
    s3 = Distribution("dvc-s3", imports=("dvc_s3",))
    gs = Distribution("dvc-gs", imports=("dvc_gs",))
    used = (
        Imported("dvc", ("a.py",)),
        Imported("dvc_s3", ("a.py",)),
        Imported("dvc_gs", ("a.py",)),
    )
    assert findings(*used, declared="dvc[s3]", installed=(dvc, s3, gs)) == [
        (Kind.UNDECLARED, "dvc_gs")
    ]


def test_one_of_several_that_share_a_package_is_enough() -> None:
    core = Distribution("google-core", imports=("google",))
    proto = Distribution("protobuf", imports=("google",))
    used = Imported("google", ("a.py",))
    assert findings(used, declared="protobuf", installed=(core, proto)) == []


RUFF = Distribution("ruff", imports=("ruff",), commands=("ruff",))
PLUGIN = Distribution("pytest-cov", imports=("pytest_cov",), groups=("pytest11",))
SHARED = (
    Distribution("hydra-one", imports=("hydra_plugins",)),
    Distribution("hydra-two", imports=("hydra_plugins",)),
)
PLAIN = Distribution("einops", imports=("einops",))


def test_what_nobody_imports_is_unused_and_its_possible_uses_are_told() -> None:
    assert only(declared="ruff", installed=(RUFF,)) == (
        "unused: declared (environment.txt, line 1), never imported. Take it out, or write behind "
        "it `# reqs: ` and its use: command (ruff), offered."
    )
    assert "plugin (pytest11), offered" in only(declared="pytest-cov", installed=(PLUGIN,))
    assert "plugin (hydra_plugins), offered" in only(declared="hydra-one", installed=SHARED)
    assert "its use: offered." in only(declared="einops", installed=(PLAIN,))


@pytest.mark.parametrize(
    ("line", "installed"),
    [
        ("ruff  # reqs: command", (RUFF,)),
        ("pytest-cov  # reqs: plugin", (PLUGIN,)),
        ("hydra-one  # reqs: plugin", SHARED),
        ("einops  # reqs: offered", (PLAIN,)),
    ],
)
def test_what_says_how_it_is_used_is_not_unused(
    line: str, installed: tuple[Distribution, ...]
) -> None:
    assert findings(declared=line, installed=installed) == []


@pytest.mark.parametrize("use", ["command", "plugin"])
def test_a_use_that_metadata_does_not_bear_out_is_no_excuse(use: str) -> None:
    told = only(declared=f"einops  # reqs: {use}", installed=(PLAIN,))
    assert f"says `reqs: {use}`, and nothing installed with it is one" in told


def test_of_a_part_of_the_code_nobody_can_say_what_is_unused() -> None:
    used = Imported("joblib", ("a.py",))
    installed = (RUFF, JOBLIB)
    assert findings(used, declared="ruff", installed=installed, whole=False) == [
        (Kind.UNDECLARED, "joblib")
    ]


def test_a_file_that_cannot_be_read_comes_first() -> None:
    found = findings(declared="ruff", installed=(RUFF,), unreadable={"b.py": "line 1: no"})
    assert found == [(Kind.UNREADABLE, "b.py"), (Kind.UNUSED, "ruff")]


def report() -> RequirementsReport:
    used = Imported("cv2", ("a.py", "b.py", "c.py", "d.py"))
    return compare(Imports((used,), 4), read("ruff"), (RUFF,))


def test_differences_have_an_exit_code_of_their_own() -> None:
    with pytest.raises(RequirementsDiffer) as caught:
        report().require_clean()
    assert caught.value.exit_code == 10
    assert "1 missing, 1 unused" in caught.value.message
    compare(Imports((), 0), (), ()).require_clean()


def test_the_report_is_json_and_a_table() -> None:
    content = json.loads(json.dumps(report().as_json()))
    assert content["files"] == 4
    assert content["findings"][0]["kind"] == "missing"
    assert "a.py, b.py, c.py and 1 more" in shown(report())
    clean = compare(Imports((), 3), (), ())
    assert "Nothing is missing, undeclared or unused: 3 files read" in shown(clean)


def shown(content: RequirementsReport) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(requirements_view(content))
    return console.export_text()
