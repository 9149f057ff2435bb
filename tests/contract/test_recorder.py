"""The recorder with real py-spy, and the counter of calls: what a command leaves behind."""

from __future__ import annotations

import io
import os
import pstats
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.analysis.profiling import command_samples

ANALYSIS = Path(__file__).resolve().parents[2] / "scripts" / "analysis"
BUSY = """
import sys, time
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    sum(range(1000))
print("out"); print("err", file=sys.stderr)
sys.exit(int(sys.argv[2]))
"""


def recording(directory: Path, *command: str, sampled: bool = True) -> list[str]:
    output = directory / "profile.svg"
    sampler = ["py-spy", "record", "--subprocesses", "--output", str(output)]
    recorder = [sys.executable, "-I", "-S", str(ANALYSIS / "recorder.py"), str(directory)]
    return [*recorder, *(sampler if sampled else []), "--", *command]


def record(directory: Path, *command: str, sampled: bool = True) -> tuple[str, int]:
    """Return how the command ended, and how many samples of it there are."""
    done = subprocess.run(
        recording(directory, *command, sampled=sampled), capture_output=True, text=True, check=True
    )
    (directory / "said").write_text(done.stdout + done.stderr)
    picture = directory / "profile.svg"
    samples = command_samples(picture.read_text()) if picture.exists() else 0
    return (directory / "status").read_text().strip(), samples


def busy(directory: Path) -> list[str]:
    path = directory / "busy.py"
    path.write_text(BUSY)
    return [sys.executable, str(path)]


@pytest.mark.parametrize("code", ["0", "3"])
def test_the_exit_code_and_both_streams_are_the_commands(tmp_path: Path, code: str) -> None:
    how, samples = record(tmp_path, *busy(tmp_path), "1", code)
    assert how == f"ended {code}"
    assert samples > 10
    assert (tmp_path / "said").read_text() == "out\nerr\n", "py-spy's words are in its log"


def test_a_command_is_seen_from_its_start_every_time(tmp_path: Path) -> None:
    """py-spy looks at a process once: forked by Python, it would still be the wrong one then."""
    command = [*busy(tmp_path), "0.6", "0"]
    assert min(record(tmp_path, *command)[1] for _ in range(6)) > 10


def test_a_script_that_prepares_for_long_is_waited_for(tmp_path: Path) -> None:
    script = f"sleep 2.5; {' '.join(busy(tmp_path))} 0.8 4"
    how, samples = record(tmp_path, "sh", "-c", script)
    assert how == "ended 4"
    assert samples > 10


def test_a_killed_command_is_told_by_its_signal(tmp_path: Path) -> None:
    kill = "import os; os.kill(os.getpid(), 9)"
    assert record(tmp_path, sys.executable, "-c", kill)[0] == "ended 137"


@pytest.mark.parametrize("sampled", [True, False])
def test_what_is_not_there_is_not_started(tmp_path: Path, sampled: bool) -> None:
    how, samples = record(tmp_path, "no-such-program", sampled=sampled)
    assert how == "unstarted there is no such program"
    assert samples == 0


def test_what_runs_no_python_has_no_sample(tmp_path: Path) -> None:
    assert record(tmp_path, "sleep", "0.5") == ("ended 0", 0)


def test_a_sampler_that_fails_leaves_its_words_and_no_status(tmp_path: Path) -> None:
    recorder = [sys.executable, "-I", "-S", str(ANALYSIS / "recorder.py"), str(tmp_path)]
    fails = ["sh", "-c", "echo Error: Permission denied >&2; exit 1"]
    subprocess.run([*recorder, *fails, "--", "true"], check=True)
    assert (tmp_path / "log").read_text() == "Error: Permission denied\n"
    assert not (tmp_path / "status").exists()


def test_a_sampler_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    recorder = [sys.executable, "-I", "-S", str(ANALYSIS / "recorder.py"), str(tmp_path)]
    subprocess.run([*recorder, "no-such-sampler", "--", "true"], check=True)
    said = (tmp_path / "log").read_text()
    assert said == "Error: no-such-sampler cannot be started: No such file or directory\n"


SAVES = """
import sys, time
try:
    print("ready", flush=True)
    while True:
        sum(range(1000))
except KeyboardInterrupt:
    time.sleep(1)
    print("saved", flush=True)
    sys.exit(7)
"""


@pytest.mark.parametrize("sampled", [True, False])
def test_ctrl_c_is_the_commands_own_affair(tmp_path: Path, sampled: bool) -> None:
    """As a terminal sends it: to the whole group; py-spy alone would kill what is still saving."""
    (tmp_path / "saves.py").write_text(SAVES)
    command = recording(tmp_path, sys.executable, str(tmp_path / "saves.py"), sampled=sampled)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        time.sleep(1.5 if sampled else 0)
        os.killpg(int((tmp_path / "group").read_text()), signal.SIGINT)
        started.wait(timeout=60)
        assert (tmp_path / "status").read_text() == "ended 7\n", "it waits until all is saved"
        assert started.stdout.read() == "saved\n"
    if sampled:
        assert command_samples((tmp_path / "profile.svg").read_text()) > 10


MODULE = """
import pickle, sys
class Thing: pass
def called(): return pickle.loads(pickle.dumps(Thing()))
for _ in range(50): called()
import beside
print(__name__, sys.argv[1:])
sys.exit(int(sys.argv[1]))
"""


def count(
    directory: Path, *words: str, output: str = "out.prof"
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ANALYSIS / "calls.py"), str(directory / output), *words]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


def calls(directory: Path, function: str) -> int:
    told = io.StringIO()
    pstats.Stats(str(directory / "out.prof"), stream=told).print_stats(rf"\({function}\)")
    row = next(line for line in told.getvalue().splitlines() if f"({function})" in line)
    return int(row.split()[0])


@pytest.mark.parametrize("kind", ["script", "module", "program"])
@pytest.mark.parametrize("code", ["0", "5"])
def test_every_call_is_counted_and_the_exit_code_kept(tmp_path: Path, kind: str, code: str) -> None:
    (tmp_path / "beside.py").touch()
    program = tmp_path / "thing.py"
    program.write_text(f"#!{sys.executable} python\n{MODULE}")
    program.chmod(0o755)
    target = {"script": "thing.py", "module": "thing", "program": "./thing.py"}[kind]
    done = count(tmp_path, kind, target, code, "--more")
    assert done.returncode == int(code), done.stderr
    assert done.stdout == f"__main__ ['{code}', '--more']\n"
    assert calls(tmp_path, "called") == 50


def test_an_error_keeps_its_traceback_and_its_profile(tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text("def called(): raise ValueError('planted')\ncalled()\n")
    done = count(tmp_path, "script", "fails.py")
    assert done.returncode == 1
    assert "ValueError: planted" in done.stderr
    assert calls(tmp_path, "called") == 1


@pytest.mark.parametrize(
    ("program", "said"), [("sh", "is no Python program"), ("no-such", "no such")]
)
def test_what_is_no_python_program_is_told(tmp_path: Path, program: str, said: str) -> None:
    done = count(tmp_path, "program", program)
    assert done.returncode != 0
    assert said in done.stderr
