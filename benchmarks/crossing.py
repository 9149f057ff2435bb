"""What it costs that git, SSH and the network cross the wall: `up` with all of it beside none.

    python -m benchmarks.crossing [--runs N] [--files N]

Two clones are brought up: for a person who has nothing (no git configuration, no agent, no proxy),
and for one with an SSH remote, an agent with a key, signed commits, lent credentials, a package
index of their own and a proxy that wants a password. `up` with nothing to do takes turns between
them. Then `git status` of a repository of many files, inside beside the host, each timed by the
same program where it runs. Needs tinyproxy, ssh-agent and the requirements of tests/host.txt.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.process import run
from tests.integration.proxy_site import Tinyproxy
from tests.integration.ssh_server import agent, make_key
from tests.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TIME_STATUS = """
import json, subprocess, sys, time
repository, runs = sys.argv[1], int(sys.argv[2])
def status():
    started = time.perf_counter()
    command = ["git", "-C", repository, "status", "--porcelain"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
status()
print(json.dumps([status() for _ in range(runs)]))
"""


def main(argv: Sequence[str]) -> None:
    """Measure both, and print the difference and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--files", type=int, default=50_000)
    options = parser.parse_args(argv)
    directory = Path(tempfile.mkdtemp(prefix="slipway-crossing-"))
    proxy = Tinyproxy(directory, "ada:benchmark-password")
    key = directory / "id_ed25519"
    make_key(key)
    without, everything = Workspace(directory / "a" / "project"), Workspace(directory / "b" / "p")
    try:
        with proxy.running(), agent(directory / "agent.sock", key):
            environments = {
                without: nothing_set(directory / "a"),
                everything: everything_set(directory / "b", everything, key, proxy),
            }
            compare_up(environments, options.runs)
            compare_status(everything, environments[everything], options.files, options.runs)
    finally:
        for workspace in (without, everything):
            workspace.remove()
        shutil.rmtree(directory)


def nothing_set(home: Path) -> dict[str, str]:
    """Return the environment of a person who has nothing."""
    return {"HOME": str(home), "SSH_AUTH_SOCK": ""}


def everything_set(home: Path, workspace: Workspace, key: Path, proxy: Tinyproxy) -> dict[str, str]:
    """Give a person everything that crosses; return their environment."""
    environment = {
        "HOME": str(home),
        "SSH_AUTH_SOCK": str(key.with_name("agent.sock")),
        "HTTPS_PROXY": f"http://ada:benchmark-password@{proxy.place}",
        "PIP_EXTRA_INDEX_URL": "https://ada:benchmark-password@packages.example.com/simple",
    }
    (home / ".ssh").mkdir()
    (home / ".ssh" / "known_hosts").write_text(
        f"git.example.com {key.with_suffix('.pub').read_text()}"
    )
    (home / ".git-credentials").write_text("https://ada:benchmark-password@code.example.com\n")
    settings = {
        "user.name": "Ada", "user.email": "ada@example.com", "gpg.format": "ssh",
        "user.signingkey": str(key.with_suffix(".pub")), "commit.gpgsign": "true",
        "credential.helper": "store",
    }  # fmt: skip
    for name, value in settings.items():
        run(["git", "config", "--global", name, value], env=environment)
    for name, url in {
        "origin": "ssh://git@git.example.com/team/project.git",
        "code": "https://code.example.com/team/project.git",
    }.items():
        run(["git", "remote", "add", name, url], cwd=workspace.root)
    workspace.write_env(GIT_CREDENTIALS="host")
    return environment


def compare_up(environments: Mapping[Workspace, dict[str, str]], runs: int) -> None:
    """Run `up` with nothing to do in turns; print the medians, in seconds, and the difference."""
    elapsed_s: dict[Workspace, list[float]] = {workspace: [] for workspace in environments}
    for workspace, environment in environments.items():
        must(workspace, environment)
    for _ in range(runs + 1):
        for workspace, environment in environments.items():
            started = time.perf_counter()
            must(workspace, environment)
            elapsed_s[workspace].append(time.perf_counter() - started)
    medians = [statistics.median(times[1:]) for times in elapsed_s.values()]  # the first warms up
    print(f"{'up, nothing crosses':<28} {medians[0]:6.3f} s")
    print(f"{'up, all of it crosses':<28} {medians[1]:6.3f} s")
    print(f"{'difference':<28} {medians[1] - medians[0]:6.3f} s")


def must(workspace: Workspace, environment: dict[str, str]) -> None:
    """Bring a workspace up."""
    done = workspace.inv("up", "--yes", env=environment)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)


def compare_status(
    workspace: Workspace, environment: dict[str, str], files: int, runs: int
) -> None:
    """Time `git status` of ``files`` files on both sides; print the medians and the ratio."""
    repository = workspace.root / "many"
    for number in range(files):
        path = repository / f"{number % 250:03}" / f"{number:06}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n")
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "Many"]):
        plain = ["-c", "commit.gpgsign=false"]
        run(["git", "-C", str(repository), *plain, *command], env=environment)
    program = [TIME_STATUS, str(repository), str(runs)]
    medians: dict[str, list[float]] = {"host": [], "inside": []}
    for _ in range(3):
        outside = run([sys.executable, "-c", *program], env=environment)
        medians["host"] += json.loads(outside.stdout)
        inside = workspace.inv("exec", "--", "python", "-c", *program, env=environment)
        medians["inside"] += json.loads(inside.stdout)
    host_s, inside_s = (statistics.median(times) for times in medians.values())
    print(f"{f'git status, {files} files, host':<40} {host_s * 1000:6.0f} ms")
    print(f"{f'git status, {files} files, inside':<40} {inside_s * 1000:6.0f} ms")
    print(f"{'ratio':<40} {inside_s / host_s:6.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
