"""`./inv cache`, the mounts it needs, and what it does to files, on real file systems."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest

from scripts import process
from tests.filesystems import mounted
from tests.integration.cache_site import checkout_row, refused, track, workspace_at
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("links")]
ODD_NAME = """it's "a" $HOME: 1 dåtä"""


def test_hardlinks_to_a_shared_cache_bring_one_mount(ext4: Path) -> None:
    """What else it exposes is said, the container restarts only if agreed, all is verified."""
    cache = ext4 / "team" / "cache"
    cache.mkdir(parents=True)
    (ext4 / "team" / "other project").mkdir()
    with workspace_at(ext4 / "team" / "project", DVC_CACHE_DIR=str(cache)) as made:
        made.up()
        files = track(made)
        first = made.container_id()
        assert {path.stat().st_nlink for path in files} == {1}

        declined = made.inv("cache", "--use", "hardlink")
        refused(declined, 7, "restart", "Nothing was changed")
        assert made.container_id() == first
        assert made.inv("status", "--json").returncode == 0

        done = made.inv("cache", "--use", "hardlink", "--yes")
        assert done.returncode == 0, said(done)
        assert "other project" in said(done), "what the mount exposes is said"
        assert "looked at from outside" in said(done)
        assert made.container_id() != first
        assert {path.stat().st_nlink for path in files} == {2}
        mounts = {mount["Source"] for mount in made.inspect()["Mounts"]}
        assert str(ext4 / "team") in mounts
        assert str(cache) not in mounts
        assert made.inv("up", "--yes").returncode == 0
        assert not made.json("plan")["steps"], "up, after it, has nothing to do"

        report = made.json("cache", "--files", "50")
        rows = {row["link_type"]: row for row in report["types"]}
        assert rows["hardlink"]["inside"] is True
        assert rows["hardlink"]["dvc"] == "uses it"
        assert rows["hardlink"]["extra_bytes"] == 0
        assert rows["copy"]["extra_bytes"] >= 50 * report["sample"]["file_bytes"]
        assert not rows["reflink"]["outside"]
        assert rows["hardlink"]["editable"] is False
        assert rows["copy"]["editable"] is True
        assert max(report["probe_s"].values()) < 5
        assert report["checkout"]["states"]["hardlink"]["files"] == 3


def test_a_copy_is_never_silent(btrfs: Path) -> None:
    """Nor is a type that .env contradicts; and the plot of all types is in the workspace."""
    with workspace_at(btrfs / "project") as made:
        made.up()
        files = track(made)
        before = [path.stat().st_ino for path in files]
        refused(made.inv("cache", "--use", "copy"), 7, "30.0 kB", "copied", "--yes")
        assert [path.stat().st_ino for path in files] == before
        done = made.inv("cache", "--use", "copy", "--yes", "--json")
        assert json.loads(done.stdout)["relinked"]["after"]["copy"]["files"] == 3
        back = json.loads(made.inv("cache", "--use", "auto", "--yes", "--json").stdout)
        assert back["cache_type"] == ["reflink", "copy"]
        assert back["relinked"]["bytes_saved"] >= 3 * 8192
        assert back["unverified"] == []

        done = made.inv("cache", "--files", "20", "--plot", str(made.root / "types.png"))
        assert done.returncode == 0, said(done)
        assert (made.root / "types.png").read_bytes().startswith(b"\x89PNG")
        refused(made.inv("cache", "--plot", "/elsewhere/types.png"), 2, "outside the workspace")

        made.write_env(DVC_CACHE_TYPE="symlink")
        refused(made.inv("cache", "--use", "reflink", "--yes"), 2, "DVC_CACHE_TYPE", ".env")


def test_names_that_break_what_is_written_carelessly(ext4: Path) -> None:
    """Spaces, both quotes, a dollar sign, a colon and letters beyond ASCII, at every place."""
    home = ext4 / ODD_NAME
    cache, remote = home / "the cache: 1", home / "remote 'hdd'"
    for directory in (cache, remote):
        directory.mkdir(parents=True)
    root = home / "my project: ünï"
    with workspace_at(root) as made:
        quoted = {"DVC_CACHE_DIR": cache, "DVC_REMOTE_HDD": remote}
        text = "".join(
            "{}='{}'\n".format(key, str(path).replace("\\", "\\\\").replace("'", "\\'"))
            for key, path in quoted.items()
        )
        (root / ".env").write_text("PORTS=none\n" + text, encoding="utf-8")
        made.up()
        files = track(made)
        done = made.inv("cache", "--use", "hardlink,copy", "--yes")
        assert done.returncode == 0, said(done)
        assert {path.stat().st_nlink for path in files} == {2}
        pushed = made.inv("exec", "--", "dvc", "push", "--quiet")
        assert pushed.returncode == 0, said(pushed)
        assert any(remote.rglob("*")), "the remote inside is the directory outside"
        assert made.inv("doctor").returncode == 0


def test_a_workspace_reached_through_a_link_is_where_it_really_is(ext4: Path) -> None:
    real, link = ext4 / "real" / "project", ext4 / "link"
    with workspace_at(real, DVC_CACHE_DIR="../../shared-link") as made:
        (ext4 / "shared").mkdir()
        (ext4 / "shared-link").symlink_to(ext4 / "shared")
        link.symlink_to(ext4 / "real")
        made.root = link / "project"
        made.up()
        assert made.json("plan")["workspace"] == str(real)
        assert made.json("plan")["cache_directory"] == str(ext4 / "shared")
        files = track(made)
        assert made.inv("cache", "--use", "symlink", "--yes").returncode == 0
        assert all(path.is_symlink() and path.exists() for path in files)
        assert str(files[0].readlink()).startswith(str(ext4 / "shared"))
        made.root = real


class Tracked(NamedTuple):
    """A project that is up, and the files that DVC tracks in it."""

    project: Workspace
    files: list[Path]


@pytest.fixture(scope="module")
def tracked() -> Iterator[Tracked]:
    with mounted("ext4") as place, workspace_at(place / "project") as made:
        made.up()
        yield Tracked(made, track(made, files=60))


def test_a_project_remembers_what_it_hashed_when_its_container_is_made_anew(
    tracked: Tracked,
) -> None:
    made = tracked.project
    state = made.root / ".slipway" / "dvc"
    assert any(state.rglob("*.db"))
    assert ".slipway" not in process.run(["git", "status", "--short"], cwd=made.root).stdout


def test_doctor_mends_what_can_be_mended(tracked: Tracked) -> None:
    """A link that leads nowhere, an unexpected copy, and an edit through a hardlink."""
    made, files = tracked
    remote = made.root / "remote"
    remote.mkdir()
    for words in (["remote", "add", "--default", "hdd", str(remote)], ["push", "--quiet"]):
        assert made.inv("exec", "--", "dvc", *words).returncode == 0
    assert made.inv("cache", "--use", "hardlink", "--yes").returncode == 0
    contents = [path.read_bytes() for path in files]
    assert checkout_row(made)["verdict"] == "works"

    files[0].unlink()  # as a container that mounts its cache elsewhere leaves it
    name = hashlib.md5(contents[0], usedforsecurity=False).hexdigest()
    files[0].symlink_to(f"/mnt/cache/files/md5/{name[:2]}/{name[2:]}")
    files[1].unlink()
    files[1].write_bytes(contents[1])
    files[2].chmod(0o644)
    with files[2].open("r+b") as file:  # through the link, into the cache
        file.write(b"edited!")
    row = checkout_row(made)
    assert row["verdict"] == "failed"
    for word in ("leads nowhere", "copy", "edited"):
        assert word in row["seen"]

    done = made.inv("doctor", "--fix")
    assert done.returncode == 0, said(done)
    assert files[0].read_bytes() == contents[0]
    assert files[1].stat().st_nlink == 2
    assert files[2].read_bytes() == b"edited!" + contents[2][7:], "the edit is kept"
    assert files[2].stat().st_nlink == 1, "and out of the cache"
    row = checkout_row(made)
    assert row["verdict"] == "works", (row, said(done))
    files[2].unlink()
    checked_out = made.inv("exec", "--", "dvc", "checkout", "--quiet")
    assert checked_out.returncode == 0, said(checked_out)
    assert files[2].read_bytes() == contents[2], "the cache holds the original again"


@contextmanager
def held(path: Path) -> Iterator[threading.Event]:
    """Keep others from opening a file; the event is set when somebody waits for that."""
    waits = threading.Event()
    before = signal.signal(
        signal.SIGIO, lambda *_: waits.set()
    )  # the kernel tells whoever holds it
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield waits
    finally:
        os.close(descriptor)
        signal.signal(signal.SIGIO, before)


def test_an_interrupted_relinking_ends_inside_too(tracked: Tracked) -> None:
    """Ctrl-C outside: no process stays inside, every file is whole, the same call continues."""
    made, files = tracked
    contents = {path: path.read_bytes() for path in files}
    assert made.inv("cache", "--use", "hardlink", "--yes").returncode == 0
    (here,) = [
        path
        for path in (made.root / ".dvc" / "cache" / "files").rglob("*")
        if path.is_file() and path.samefile(files[30])
    ]
    command = [sys.executable, "-m", "invoke", "cache", "--use", "copy", "--yes"]
    with held(here) as waits:
        with subprocess.Popen(command, cwd=made.root, stderr=subprocess.PIPE, text=True) as started:
            assert waits.wait(60)
            started.send_signal(signal.SIGINT)
            said_last = started.stderr.read() if started.stderr else ""
        assert started.returncode == 130, said_last
        for _ in range(50):
            running = process.run(["docker", "top", made.container_id(), "-eo", "pid,args"])
            if "scripts.links.worker" not in running.stdout:
                break
            time.sleep(0.1)
        assert "scripts.links.worker" not in running.stdout
    assert {path.stat().st_nlink for path in files} == {1, 2}, "it was in the middle"
    assert {path: path.read_bytes() for path in files} == contents
    assert made.inv("cache", "--use", "copy", "--yes").returncode == 0
    assert {path: path.read_bytes() for path in files} == contents
    assert {path.stat().st_nlink for path in files} == {1}
    assert not [path for path in (made.root / "data").iterdir() if path not in contents]
