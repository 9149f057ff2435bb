from __future__ import annotations

import io
import json
import re
import threading
import time

import pytest
from rich.console import Console

from scripts import console
from scripts.console.long_work import Count, LineProgress, TerminalProgress, counted_text
from scripts.container.model import Check, Proof, Verdict
from scripts.errors import (
    ContainerError,
    MigrationIncomplete,
    RequirementsDiffer,
    SettingsError,
    SlipwayError,
    StoreUnavailable,
    ToolMissing,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SlipwayError("x"), 1),
        (SettingsError("x"), 2),
        (ToolMissing("x"), 3),
        (ContainerError("x"), 4),
        (StoreUnavailable("x"), 5),
        (MigrationIncomplete("x"), 6),
        (RequirementsDiffer("x"), 10),
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


def test_an_address_stays_on_one_line_on_the_narrowest_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from scripts.console.web import server_view  # noqa: PLC0415  as the tasks do
    from scripts.container.web import Server  # noqa: PLC0415

    url = "http://127.0.0.1:8090/snakeviz/" + "%2Fa-long-way" * 10
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("rich.console.Console.is_terminal", property(lambda _: True))
    console.show(server_view(Server("SnakeViz", url, "/", ran=False)))
    assert capsys.readouterr().out.splitlines() == [url]


def test_long_work_shows_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 40))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    with console.progress() as progress, progress.phase("copying", total=3) as phase:
        phase.advance()
    assert capsys.readouterr().err.splitlines() == [
        "copying ...",
        "copying: done in 1 min 20 s, 1 objects",
    ]


def test_a_line_now_and_then_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    said = threading.Event()
    display = LineProgress(every_s=0.01)
    with display.phase("copying", total=4_000_000, unit="bytes") as phase:
        phase.advance(1_000_000)
        said.wait(0.2)
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"copying: 1\.0 MB of 4\.0 MB, \d+\.\d [kMG]B/s, \d+\.\d s left", lines[1]
    ), lines


def test_what_counts_nothing_says_for_how_long_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with LineProgress(every_s=0.01).phase("starting"):
        threading.Event().wait(0.2)
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"starting: going on for \d+\.\d s", lines[1]), lines


def test_many_threads_count_and_nothing_is_lost() -> None:
    count = Count(None, "objects")

    def work() -> None:
        for _ in range(5000):
            count.advance()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count.done == 40_000


def test_bars_show_what_is_done_how_fast_and_how_long_it_will_take() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=120)
    display = TerminalProgress(terminal)
    with display.phase("copying", total=10_000_000, unit="bytes") as phase:
        for _ in range(4):
            phase.advance(2_000_000)
            time.sleep(0.15)  # the display draws ten times a second
    display.close()
    drawn = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "copying" in drawn
    assert "of 10.0 MB" in drawn
    assert re.search(r"\d+\.\d MB/s", drawn)


def test_bytes_are_counted_as_people_read_them() -> None:
    assert counted_text(1500, 3_000_000, "bytes") == "1.5 kB of 3.0 MB"
    assert counted_text(1500, None, "objects") == "1,500 objects"
