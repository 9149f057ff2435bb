"""`./inv cache`, the mounts it needs, and what may be wrong with a cache, on real file systems."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.filesystems import MIB, mounted
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.process import Completed

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("links")]
ODD_NAME = """it's "a" $HOME: 1 dåtä"""


@contextmanager
def workspace_at(root: Path, **env: str) -> Iterator[Workspace]:
    """Clone into ``root``, with settings, and take down what was brought up."""
    made = Workspace(root)
    made.write_env(**env)
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture
def btrfs() -> Iterator[Path]:
    with mounted("btrfs", size_bytes=512 * MIB) as place:
        yield place


@pytest.fixture
def ext4() -> Iterator[Path]:
    with mounted("ext4", size_bytes=512 * MIB) as place:
        yield place


def track(made: Workspace, files: int = 3, size: int = 10_000) -> list[Path]:
    """Make a DVC project with a data directory of some files; return them."""
    assert made.inv("dvc-init").returncode == 0
    paths = [made.root / "data" / f"{number}.bin" for number in range(files)]
    paths[0].parent.mkdir()
    for path in paths:
        path.write_bytes(os.urandom(size))
    if made.uid is not None:
        process.run(["chown", "-R", f"{made.uid}:{made.uid}", str(paths[0].parent)])
    done = made.inv("exec", "--", "dvc", "add", "--quiet", "data")
    assert done.returncode == 0, said(done)
    return paths


def refused(done: Completed, code: int, *words: str) -> None:
    """Assert one message, one hint, the exit code, and what they name."""
    told = said(done)
    assert done.returncode == code, told
    assert done.stderr.count("ERROR ") == 1, told
    assert done.stderr.count("HINT ") == 1, told
    assert "Traceback" not in told
    for word in words:
        assert word in told


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


def test_a_type_that_env_contradicts_is_refused(btrfs: Path) -> None:
    with workspace_at(btrfs / "project", DVC_CACHE_TYPE="symlink") as made:
        made.up()
        track(made)
        refused(made.inv("cache", "--use", "reflink", "--yes"), 2, "DVC_CACHE_TYPE", ".env")


def test_the_plot_is_a_picture_in_the_workspace(btrfs: Path) -> None:
    with workspace_at(btrfs / "project") as made:
        made.up()
        done = made.inv("cache", "--files", "20", "--plot", str(made.root / "types.png"))
        assert done.returncode == 0, said(done)
        assert (made.root / "types.png").read_bytes().startswith(b"\x89PNG")
        refused(made.inv("cache", "--plot", "/elsewhere/types.png"), 2, "outside the workspace")


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


def test_a_cache_that_cannot_be_written_is_named(ext4: Path) -> None:
    cache = ext4 / "cache"
    cache.mkdir()
    home = Path(tempfile.mkdtemp(prefix="slipway-test-"))
    try:
        with workspace_at(home / "project", DVC_CACHE_DIR=str(cache)) as made:
            filler = ext4 / "filler"
            fill(filler)
            refused(made.inv("plan"), 7, str(cache), "is full")
            filler.unlink()
            process.run(["mount", "--options", "remount,ro", str(ext4)])
            refused(made.inv("up", "--yes"), 2, str(cache), "read-only")
            process.run(["mount", "--options", "remount,rw", str(ext4)])
            assert not any(cache.iterdir()), "nothing was left in it"
    finally:
        shutil.rmtree(home)


def fill(path: Path) -> None:
    """Write until the disk is full to the last block."""
    with path.open("wb") as file:
        try:
            while True:
                file.write(b"\0" * MIB)
                file.flush()
        except OSError:
            while True:
                try:
                    os.write(file.fileno(), b"\0" * 512)
                except OSError:
                    return


def test_a_full_disk_loses_nothing_while_relinking(btrfs: Path) -> None:
    with mounted("ext4", size_bytes=64 * MIB) as small:
        cache = btrfs / "cache"
        cache.mkdir()
        with workspace_at(small / "project", DVC_CACHE_DIR=str(cache)) as made:
            made.up()
            files = track(made, size=2 * MIB)
            contents = [path.read_bytes() for path in files]
            assert made.inv("cache", "--use", "symlink", "--yes").returncode == 0
            fill(small / "filler")
            refused(made.inv("cache", "--use", "copy", "--yes"), 7)
            assert [path.read_bytes() for path in files] == contents
            (small / "filler").unlink()
            assert made.inv("cache", "--use", "copy", "--yes").returncode == 0
            assert [path.read_bytes() for path in files] == contents


def test_a_cache_in_another_projects_workspace_is_refused(ext4: Path) -> None:
    with workspace_at(ext4 / "project", DVC_CACHE_DIR="../other/.dvc/cache") as made:
        (ext4 / "other" / ".dvc" / "cache").mkdir(parents=True)
        refused(made.inv("up", "--yes"), 2, str(ext4 / "other"), "dvc gc")


def test_a_removed_cache_is_said_and_the_files_stay(ext4: Path) -> None:
    cache = ext4 / "cache"
    cache.mkdir()
    with workspace_at(ext4 / "project", DVC_CACHE_DIR=str(cache)) as made:
        made.up()
        files = track(made)
        contents = [path.read_bytes() for path in files]
        shutil.rmtree(cache)
        refused(made.inv("up", "--yes"), 2, str(cache), "does not exist")
        cache.mkdir()
        made.inv("up", "--yes")
        row = checkout_row(made)
        assert row["verdict"] != "works", row
        assert "dvc " in row["hint"]
        made.inv("doctor", "--fix")
        assert [path.read_bytes() for path in files] == contents


def checkout_row(made: Workspace) -> dict[str, str]:
    return next(row for row in made.json("doctor")["checks"] if row["name"] == "checkout")


def test_a_path_that_the_engine_cannot_see_is_named(ext4: Path) -> None:
    """A mount that only this process sees, as a private mount or a remote engine brings it."""
    (ext4 / "hidden").mkdir()
    with workspace_at(ext4 / "project", DVC_CACHE_DIR=str(ext4 / "hidden" / "cache")) as made:
        script = 'mount -t tmpfs none "$1/hidden" && mkdir "$1/hidden/cache" && shift && exec "$@"'
        unshared = ["unshare", "--mount", "sh", "-c", script, "sh", str(ext4)]
        done = made.run([*unshared, "./inv", "up", "--yes"])
        refused(done, 4, str(ext4 / "hidden" / "cache"))
        assert not made.container_id()


def test_two_projects_may_want_different_types_on_one_cache(btrfs: Path) -> None:
    cache = btrfs / "cache"
    cache.mkdir()
    env = {"DVC_CACHE_DIR": str(cache)}
    with workspace_at(btrfs / "one", **env) as one, workspace_at(btrfs / "two", **env) as two:
        one.up()
        files = track(one)
        shutil.copytree(one.root / ".dvc", two.root / ".dvc", ignore=shutil.ignore_patterns("tmp"))
        shutil.copy(one.root / "data.dvc", two.root / "data.dvc")
        two.up()
        assert two.inv("exec", "--", "dvc", "checkout", "--quiet").returncode == 0
        assert one.inv("cache", "--use", "hardlink", "--yes").returncode == 0
        assert two.inv("cache", "--use", "symlink", "--yes").returncode == 0
        theirs = [two.root / path.relative_to(one.root) for path in files]
        assert {path.stat().st_nlink for path in files} == {2}
        assert all(path.is_symlink() and path.exists() for path in theirs)
        (project,) = one.json("cache", "--files", "0")["projects"]
        assert project == {"root": str(two.root), "cache_type": ["symlink"]}
        for made in (one, two):
            assert checkout_row(made)["verdict"] == "works"


def test_doctor_mends_what_can_be_mended(ext4: Path) -> None:
    """A link that leads nowhere, an unexpected copy, and an edit through a hardlink."""
    with workspace_at(ext4 / "project") as made:
        made.up()
        files = track(made, files=4)
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


def test_a_project_remembers_what_it_hashed_when_its_container_is_made_anew(ext4: Path) -> None:
    with workspace_at(ext4 / "project") as made:
        made.up()
        track(made)
        state = made.root / ".slipway" / "dvc"
        assert any(state.rglob("*.db"))
        assert ".slipway" not in process.run(["git", "status", "--short"], cwd=made.root).stdout


GROUP_ID = 4711
TEAM = "slipway-team"


@pytest.fixture
def team() -> Iterator[int]:
    """A group of this machine; returns its gid."""
    process.run(["groupadd", "--gid", str(GROUP_ID), TEAM])
    yield GROUP_ID
    process.run(["groupdel", TEAM])


def test_a_group_shares_a_cache_by_contract(ext4: Path, ada: int, team: int) -> None:
    """Each breach is named, nothing is changed on the host; then it works inside."""
    home, cache = ext4 / "ada", ext4 / "cache"
    for directory in (home, cache):
        directory.mkdir()
    process.run(["chown", "-R", f"{ada}:{ada}", str(home)])
    ext4.parent.chmod(0o755)
    cache.chmod(0o755)
    process.run(["chgrp", str(team), str(cache)])
    env = {"DVC_CACHE_DIR": str(cache), "DVC_CACHE_SHARED": "group"}
    made = Workspace(home / "project", uid=ada)
    made.write_env(**env)
    try:
        refused(made.inv("up", "--yes"), 2, "may not write")
        cache.chmod(0o777)
        refused(made.inv("up", "--yes"), 7, TEAM, "not in", "setgid", "usermod -aG", "g+s")
        assert (cache.stat().st_mode & 0o7777, cache.stat().st_gid) == (0o777, team)
        cache.chmod(0o2770)
        name = pwd.getpwuid(ada).pw_name
        process.run(["usermod", "--append", "--groups", TEAM, name])
        made.up()
        assert str(team) in made.inspect()["HostConfig"]["GroupAdd"]
        said_inside = made.inv("exec", "--", "sh", "-c", "umask; id -G").stdout.split()
        assert said_inside[0] == "0002"
        assert str(team) in said_inside[1:]
        track(made)
        refused(made.inv("cache", "--use", "hardlink", "--yes"), 2, "everybody", "MOUNT_WHOLE")
        assert made.inv("cache", "--use", "symlink", "--yes").returncode == 0
        shard = next(path for path in (cache / "files" / "md5").iterdir())
        assert shard.stat().st_mode & 0o7777 == 0o2775
        assert {path.stat().st_gid for path in cache.rglob("*") if path.is_dir()} == {team}
        entry = next((cache / ".slipway" / "projects").iterdir())
        assert entry.stat().st_mode & 0o020, "a colleague can bring it up to date"
        assert made.inv("doctor").returncode == 0
    finally:
        made.remove()


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


def test_an_interrupted_relinking_ends_inside_too(ext4: Path) -> None:
    """Ctrl-C outside: no process stays inside, every file is whole, the same call continues."""
    with workspace_at(ext4 / "project") as made:
        made.up()
        files = track(made, files=60)
        contents = {path: path.read_bytes() for path in files}
        assert made.inv("cache", "--use", "hardlink", "--yes").returncode == 0
        (here,) = [
            path
            for path in (made.root / ".dvc" / "cache" / "files").rglob("*")
            if path.is_file() and path.samefile(files[30])
        ]
        command = [sys.executable, "-m", "invoke", "cache", "--use", "copy", "--yes"]
        with held(here) as waits:
            with subprocess.Popen(
                command, cwd=made.root, stderr=subprocess.PIPE, text=True
            ) as started:
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
