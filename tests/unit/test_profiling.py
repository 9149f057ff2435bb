"""Profiling, planned and judged: nothing runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.analysis.profiling import (
    Profile,
    Profiler,
    ProfileRequest,
    Recorded,
    command_samples,
    judge,
    plan_recording,
    read_request,
)
from scripts.console.analysis import profile_line
from scripts.errors import CommandFailed, SettingsError, ToolError, ToolMissing

SVG, PROF = Path("out.svg"), Path("out.prof")
RECORDER = ["python", "-I", "-S", "/ws/scripts/analysis/recorder.py", "/ws/d"]
CALLS = ["/ws/scripts/analysis/calls.py", "/ws/d/profile.prof"]


def request(*command: str, calls: bool = False) -> ProfileRequest:
    return read_request(command or ("python", "a.py"), PROF if calls else SVG, calls=calls)


def test_py_spy_looks_at_any_command_and_all_its_processes() -> None:
    asked = read_request(["sh", "-c", "x; y"], SVG, calls=False, rate=250, idle=True)
    assert plan_recording(asked, "/ws", "/ws/d") == [
        *RECORDER,
        *["py-spy", "record", "--subprocesses", "--rate", "250", "--idle"],
        *["--output", "/ws/d/profile.svg", "--", "sh", "-c", "x; y"],
    ]


@pytest.mark.parametrize(
    ("command", "counted"),
    [
        (["python", "a.py", "-m"], ["python", *CALLS, "script", "a.py", "-m"]),
        (
            ["python3.9", "-X", "dev", "-W", "error", "-u", "a.py"],
            ["python3.9", "-X", "dev", "-W", "error", "-u", *CALLS, "script", "a.py"],
        ),
        (["/opt/bin/python", "-m", "a.b", "c"], ["/opt/bin/python", *CALLS, "module", "a.b", "c"]),
        (["python", "-um", "x"], ["python", "-u", *CALLS, "module", "x"]),
        (["python", "-ma.b", "c"], ["python", *CALLS, "module", "a.b", "c"]),
        (["demo/bin/train", "x=1"], ["python", *CALLS, "program", "demo/bin/train", "x=1"]),
    ],
)
def test_cprofile_takes_the_place_of_script_module_or_program(
    command: list[str], counted: list[str]
) -> None:
    planned = plan_recording(request(*command, calls=True), "/ws", "/ws/d")
    assert planned == [*RECORDER, "--", *counted]


@pytest.mark.parametrize(
    "command", [["python", "-c", "pass"], ["python", "-Bcpass"], ["python"], ["python", "-m"]]
)
def test_cprofile_says_what_it_cannot_look_at(command: list[str]) -> None:
    with pytest.raises(SettingsError):
        plan_recording(request(*command, calls=True), "/ws", "/ws/d")


@pytest.mark.parametrize("rate", [0, -1, 1001])
def test_a_rate_out_of_reason_is_refused(rate: int) -> None:
    with pytest.raises(SettingsError, match="not between 1 and 1000"):
        read_request(["x"], SVG, calls=False, rate=rate)


@pytest.mark.parametrize(("path", "calls"), [(PROF, False), (SVG, True), (Path("out"), False)])
def test_a_file_says_by_its_suffix_what_it_is(path: Path, calls: bool) -> None:
    with pytest.raises(SettingsError, match="does not end with"):
        read_request(["x"], path, calls=calls)


def frame(title: str, y: int, samples: int) -> str:
    return (
        f"<g><title>{title} ({samples} samples, 1%)</title>"
        f'<rect x="1%" y="{y}" width="9%" fg:x="0" fg:w="{samples}"/></g>'
    )


ALL = frame("all", 52, 100)
OURS = frame("process 1:&quot;recorder.py&quot;", 68, 100)
SHELL = frame("process 2:&quot;sh start.sh&quot;", 84, 99)


def test_only_samples_of_the_command_count() -> None:
    parts = [frame("process 3:&quot;python&quot;", 100, 60), frame("f (a.py:1)", 116, 60)]
    assert command_samples("".join([ALL, OURS, SHELL, *parts])) == 60
    # what a shell starts one after the other is on the level above its own
    parts += [frame("process 4:&quot;python&quot;", 100, 30), frame("process 5:", 116, 7)]
    assert command_samples("".join([ALL, OURS, SHELL, *parts])) == 90


@pytest.mark.parametrize("picture", ["", ALL + OURS, ALL + OURS + frame("main (r.py:1)", 84, 2)])
def test_the_recorder_alone_is_no_sample(picture: str) -> None:
    assert command_samples(picture) == 0


def test_the_commands_exit_code_is_kept() -> None:
    seen = judge(request(), Recorded("ended 3\n", samples=12))
    assert seen == Profile(SVG, 3, 12)
    assert seen.exit_code == 3
    assert judge(request(calls=True), Recorded("ended 0", counted=True)) == Profile(PROF, 0)


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        ("ended 0", "`python` ended before a sample of it was taken.", 3),
        ("ended 7", "`python` ended with exit code 7 before a sample", 7),
        ("ended 130", "`python` was interrupted before a sample", 130),
    ],
)
@pytest.mark.parametrize(
    "log",
    [
        "Error: Failed to write flamegraph: No stack counts found",
        "Error: No python processes found in process 8 or any of its subprocesses",
        "py-spy> Wrote flamegraph data to 'x'. Samples: 2 Errors: 0",
    ],
)
def test_a_command_that_ends_too_soon_is_told_of(
    log: str, status: str, said: str, code: int
) -> None:
    seen = judge(request(), Recorded(status, log))
    assert seen.path is None
    assert seen.exit_code == code
    assert seen.problem is not None
    assert seen.problem.message.startswith(said)
    assert "--rate 1000" in seen.problem.hint


def test_where_py_spy_may_not_look_the_setting_is_named() -> None:
    seen = judge(request(), Recorded("ended 0", "Error: Permission denied (os error 13)"))
    assert isinstance(seen.problem, CommandFailed)
    assert "kernel.yama.ptrace_scope" in seen.problem.hint
    with pytest.raises(CommandFailed, match="Permission denied"):
        judge(request(), Recorded(None, "Error: Permission denied (os error 13)"))
    other = judge(request(), Recorded("ended 0", "Error: something else"))
    assert isinstance(other.problem, CommandFailed)
    assert "something else" in other.problem.message
    assert "ptrace" not in other.problem.hint


def test_a_process_that_goes_without_pythons_end_leaves_no_calls() -> None:
    seen = judge(request(calls=True), Recorded("ended 137"))
    assert seen.exit_code == 137
    assert seen.problem is not None
    assert "did not come to Python's own end" in seen.problem.message


def test_what_cannot_be_started_or_broke_off_is_an_error() -> None:
    with pytest.raises(ToolMissing, match="`python` cannot be started inside: there is no such"):
        judge(request(), Recorded("unstarted there is no such program\n"))
    with pytest.raises(ToolError, match="broke off"):
        judge(request(), Recorded(None))


def test_the_line_names_the_file_and_the_exit_code() -> None:
    assert profile_line(Profile(SVG, 0, 1)) == "out.svg: 1 sample"
    assert profile_line(Profile(PROF, 4)) == "out.prof: every call; the command's exit code is 4"
    assert profile_line(Profile(None, 0)) == "There is no profile."
    assert Profiler.CALLS.value == ".prof"
