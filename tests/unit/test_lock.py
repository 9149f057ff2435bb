from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.environment.lock import LOCKS, LockChange, lock_environment, read_pins
from scripts.errors import CommandFailed, SlipwayError
from scripts.process import Completed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PYTHON = "python_full_version < '3.10' and implementation_name == 'cpython'"
SYSTEM = "platform_python_implementation == 'CPython' and sys_platform == 'linux'"
ENVIRONMENT = f"""\
nvidia-nccl==2.0 ; {PYTHON} and platform_machine == 'x86_64' and {SYSTEM} \\
    --hash=sha256:aa
    # via torch
torch==2.8.0 ; {PYTHON} and {SYSTEM} \\
    --hash=sha256:bb
    # via -r environment.txt
"""
HOST = """\
rich==1 ; python_full_version < '3.10' \\
    --hash=sha256:cc
rich==2 ; python_full_version >= '3.10' \\
    --hash=sha256:dd
"""


class FakeUv:
    """Answers with locks made before, and remembers what it was asked and saw."""

    def __init__(self, *, failing: str = "") -> None:
        self.failing = failing
        self.calls: list[tuple[str, ...]] = []
        self.seen: dict[str, str] = {}

    def __call__(self, argv: Sequence[str], *, cwd: Path) -> Completed:
        self.calls.append(tuple(argv))
        files = [file for file in cwd.rglob("*") if file.is_file()]
        self.seen.update({str(file.relative_to(cwd)): file.read_text() for file in files})
        source = argv[3]
        if source == self.failing:
            raise CommandFailed(argv, 1, "No solution found: you require torch<1 and torch>2")
        target = cwd / argv[argv.index("--output-file") + 1]
        target.write_text(ENVIRONMENT if source == "environment.txt" else HOST)
        return Completed(tuple(argv), 0, "", "")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for lock in LOCKS:
        (tmp_path / lock.source).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / lock.source).write_text("rich\n")
    return tmp_path


def test_every_lock_is_written_and_every_pin_is_a_change(root: Path) -> None:
    changes = lock_environment(root, uv="uv", run=FakeUv())
    assert changes == (
        LockChange("environment.lock", "nvidia-nccl", "", "2.0"),
        LockChange("environment.lock", "torch", "", "2.8.0"),
        LockChange("host.lock", "rich", "", "1, 2"),
        LockChange("tests/host.lock", "rich", "", "1, 2"),
        LockChange("services/object-store/requirements.lock", "rich", "", "1, 2"),
    )
    assert (root / "host.lock").read_text().endswith(HOST)


def test_markers_that_hold_in_every_image_are_left_out(root: Path) -> None:
    lock_environment(root, uv="uv", run=FakeUv())
    lines = (root / "environment.lock").read_text().splitlines()
    assert "torch==2.8.0 \\" in lines
    assert "nvidia-nccl==2.0 ; platform_machine == 'x86_64' \\" in lines


def test_a_second_run_changes_nothing(root: Path) -> None:
    lock_environment(root, uv="uv", run=FakeUv())
    before = (root / "environment.lock").stat()
    assert lock_environment(root, uv="uv", run=FakeUv()) == ()
    after = (root / "environment.lock").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_removed_and_moved_packages_are_changes(root: Path) -> None:
    (root / "environment.lock").write_text("torch==2.7.0 \\\n    --hash=sha256:aa\nwheel==1\n")
    changes = [
        change
        for change in lock_environment(root, uv="uv", run=FakeUv())
        if change.lock == "environment.lock"
    ]
    assert changes == [
        LockChange("environment.lock", "nvidia-nccl", "", "2.0"),
        LockChange("environment.lock", "torch", "2.7.0", "2.8.0"),
        LockChange("environment.lock", "wheel", "1", ""),
    ]


def test_uv_sees_the_lock_that_there_is_so_that_only_what_must_moves(root: Path) -> None:
    (root / "environment.lock").write_text("torch==2.7.0\n")
    uv = FakeUv()
    lock_environment(root, uv="uv", run=uv)
    assert uv.seen["environment.lock"] == "torch==2.7.0\n"
    assert "--upgrade" not in uv.calls[0]


def test_upgrade_is_uvs_own(root: Path) -> None:
    uv = FakeUv()
    lock_environment(root, upgrade=True, uv="uv", run=uv)
    assert all("--upgrade" in call for call in uv.calls)


def test_when_one_input_cannot_be_resolved_no_lock_changes(root: Path) -> None:
    with pytest.raises(CommandFailed, match="you require torch<1 and torch>2"):
        lock_environment(root, uv="uv", run=FakeUv(failing="host.txt"))
    assert not list(root.rglob("*.lock"))


def test_a_list_that_includes_another_sees_it(root: Path) -> None:
    uv = FakeUv()
    lock_environment(root, uv="uv", run=uv)
    tests = next(call for call in uv.calls if call[3] == "tests/host.txt")
    assert tests[tests.index("--output-file") + 1] == "tests/host.lock"
    assert {"host.txt", "tests/host.txt"} <= set(uv.seen)


def test_a_missing_input_is_named(root: Path) -> None:
    (root / "host.txt").unlink()
    with pytest.raises(SlipwayError, match=r"There is no host\.txt"):
        lock_environment(root, uv="uv", run=FakeUv())


def test_pins_are_read_with_all_their_versions() -> None:
    assert read_pins(ENVIRONMENT + HOST) == {
        "nvidia-nccl": ("2.0",),
        "torch": ("2.8.0",),
        "rich": ("1", "2"),
    }
