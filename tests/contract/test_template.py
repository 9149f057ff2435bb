"""A project made of the real template, on a real disk."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.errors import SettingsError, SlipwayError, ToolError
from scripts.template.create import new_project

REPOSITORY = Path(__file__).resolve().parents[2]


def test_nothing_of_the_templates_name_is_left(tmp_path: Path) -> None:
    made = new_project(REPOSITORY, "cat-or-dog", tmp_path / "deep" / "down")
    assert made.path == tmp_path / "deep" / "down" / "cat-or-dog"
    files = [path for path in made.path.rglob("*") if path.is_file()]
    assert len(files) == made.files > 50
    for path in files:
        assert b"starter" not in path.read_bytes().lower(), path
        assert "starter" not in path.relative_to(made.path).as_posix().lower()
    assert (made.path / "cat_or_dog" / "__init__.py").is_file()
    assert os.access(made.path / "bin" / "train", os.X_OK)
    assert compileall.compile_dir(made.path, quiet=1)
    assert list(made.path.parent.iterdir()) == [made.path], "nothing is left beside it"
    assert made.path.stat().st_mode & 0o777 == 0o777 & ~_umask()


def test_what_git_ignores_is_not_copied(tmp_path: Path) -> None:
    template = tmp_path / "demo"
    template.mkdir()
    (template / ".gitignore").write_text("/runs/\n")
    (template / "runs").mkdir()
    (template / "runs" / "old").touch()
    (template / "new file.txt").write_text("starter")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    made = new_project(tmp_path, "cats", tmp_path)
    assert sorted(path.name for path in made.path.iterdir()) == [".gitignore", "new file.txt"]


def test_what_exists_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "cats").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="cats exists already"):
        new_project(REPOSITORY, "cats", tmp_path)


@pytest.mark.parametrize("name", ["json", "torch", "Hydra-Core", "scripts", "tests", "starter"])
def test_names_of_what_it_needs_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="would hide it"):
        new_project(REPOSITORY, name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_git_or_template_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="not a git repository"):
        new_project(tmp_path, "cats", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    with pytest.raises(SlipwayError, match="There is no template"):
        new_project(tmp_path, "cats", tmp_path)


FULL = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
from scripts.errors import SlipwayError
from scripts.template.create import new_project
try:
    new_project(Path(sys.argv[1]), "cats", Path(sys.argv[2]))
except SlipwayError as error:
    print(error.message)
"""


def test_where_it_cannot_be_written_nothing_is_left(tmp_path: Path) -> None:
    """Files above 2,000 bytes cannot be written, as on a disk that becomes full on the way."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(REPOSITORY), str(tmp_path)],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"Cannot make {tmp_path / 'cats'}: File too large.\n"
    assert list(tmp_path.iterdir()) == []


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
