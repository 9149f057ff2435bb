"""How dvc-init and the demo look."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from scripts.console.project import demo_view, init_view
from scripts.demo.model import DemoResult, DemoStore, Version
from scripts.migration.model import Evidence, Outcome, Status, StoredObject
from scripts.project.model import InitResult, Step, StepStatus
from tests.tables import report_of

if TYPE_CHECKING:
    from rich.console import RenderableType

ROOT = Path("/home/someone/project")
INIT = InitResult(
    ROOT,
    (
        Step("DVC project", str(ROOT), StepStatus.UNCHANGED),
        Step("remote s3", "s3://bucket/[data]", StepStatus.DONE),
        Step("default remote", "s3 (settings say hdd)", StepStatus.KEPT),
    ),
)


def drawn(renderable: RenderableType) -> list[str]:
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return [line.rstrip() for line in capture.get().splitlines()]


def result(different: tuple[str, ...] = ()) -> DemoResult:
    item = StoredObject("0" * 32, size_bytes=12_000_000)
    report = report_of(Outcome(item, Status.COPIED, Evidence.STORE_CHECKSUM))
    versions = (Version("v1", 245, 13_000_000), Version("main", 1, 500, different))
    return DemoResult(ROOT / ".slipway" / "demo", INIT, report, versions, 21.7)


def test_what_was_set_what_was_there_and_what_was_kept() -> None:
    assert drawn(init_view(INIT)) == [
        "=  DVC project     /home/someone/project",
        "+  remote s3       s3://bucket/[data]",
        "!  default remote  s3 (settings say hdd)",
        "Set up. To share it: git add .dvc .dvcignore && git commit",
    ]


def test_a_second_run_says_that_there_was_nothing_to_do() -> None:
    assert drawn(init_view(InitResult(ROOT, INIT.steps[:1])))[-1] == "Nothing to change."


def test_the_demo_shows_each_version_and_the_sum() -> None:
    assert drawn(demo_view(result())) == [
        "hdd → s3: 1 object planned, 1 proven (12.0 MB)",
        "A clean clone pulled from the object store alone:",
        "  ✓  v1    245 files, 13.0 MB  identical",
        "  ✓  main  1 file, 500 B       identical",
        "Bit by bit identical: 246 files, 13.0 MB, 21.7 s.",
        "Look around: /home/someone/project/.slipway/demo",
    ]


def test_a_difference_is_not_to_be_overlooked() -> None:
    lines = drawn(demo_view(result(("weights.bin",))))
    assert lines[3] == "  ✗  main  1 file, 500 B       1 file different"
    assert lines[4].startswith("NOT identical")


def test_results_for_programs_say_the_same() -> None:
    as_json = result(("weights.bin",)).as_json()
    assert as_json["identical"] is False
    assert as_json["files"] == 246
    assert INIT.as_json()["changed"] is True


def test_the_secret_key_is_not_shown() -> None:
    assert "hush" not in repr(DemoStore(secret_key="hush"))
