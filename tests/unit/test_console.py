from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from scripts import console
from scripts.container.model import Check, Proof, Verdict
from scripts.errors import (
    ContainerError,
    MigrationIncomplete,
    SettingsError,
    SlipwayError,
    StoreUnavailable,
    ToolMissing,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SlipwayError("x"), 1),
        (SettingsError("x"), 2),
        (ToolMissing("x"), 3),
        (ContainerError("x"), 4),
        (StoreUnavailable("x"), 5),
        (MigrationIncomplete("x"), 6),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_error_has_its_documented_exit_code(error: BaseException, code: int) -> None:
    with pytest.raises(SystemExit) as caught, console.exit_on_error():
        raise error
    assert caught.value.code == code


def test_an_error_is_a_message_and_a_hint_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit), console.exit_on_error():
        raise SettingsError("PORTS is [red]wrong[/red].", hint="Mend it.")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "ERROR PORTS is [red]wrong[/red].\nHINT  Mend it.\n"


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), console.exit_on_error():
        raise ZeroDivisionError


def test_a_result_is_a_table_for_people_and_json_for_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from scripts.console.container import proof_view  # noqa: PLC0415  as the tasks do

    proof = Proof((Check("git", Verdict.FAILED, "dubious [x]", "Mend it."),))
    console.show_result(proof, proof_view, as_json=True)
    assert json.loads(capsys.readouterr().out)["checks"][0]["name"] == "git"
    console.show_result(proof, proof_view, as_json=False)
    printed = capsys.readouterr().out
    assert "dubious [x]" in printed
    assert "Mend it." in printed


@pytest.mark.parametrize(("typed", "answer"), [("y\n", True), ("\n", False), ("no\n", False)])
def test_a_question_needs_a_yes(monkeypatch: pytest.MonkeyPatch, typed: str, answer: bool) -> None:
    terminal = io.StringIO(typed)
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", terminal)
    assert console.confirming(yes=False)("Install?") is answer


def test_without_a_terminal_nothing_is_agreed_to_unless_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert console.confirming(yes=False)("Install?") is False
    assert console.confirming(yes=True)("Install?") is True


def test_long_work_shows_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 40))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    with (
        console.progress() as progress,
        progress.phase("copying", total=3, unit="objects") as phase,
    ):
        phase.advance()
    assert capsys.readouterr().err.splitlines() == [
        "copying ...",
        "copying: 1 of 3 objects",
        "copying: done in 3 min 20 s, 1 objects",
    ]


def test_bytes_are_counted_as_people_read_them() -> None:
    count: Callable[[int, int | None, str], str] = console._counted
    assert count(1500, 3_000_000, "bytes") == "1.5 kB of 3.0 MB"
    assert count(1500, None, "objects") == "1,500 objects"
