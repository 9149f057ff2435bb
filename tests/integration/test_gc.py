"""`./inv gc` from the host, of a cache that a project shares which no container here can see."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from scripts import process
from scripts.links.registry import register, registered
from tests.workspace import said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.workspace import Workspace

pytestmark = pytest.mark.needs("docker")

ODD = 'colleague\'s: "ü" $HOME'
COLLEAGUE = 4321
PREPARE = """
git config user.name Ada; git config user.email ada@example.com
git add --all; git commit -qm dvc
for version in one two three; do
    rm -rf data; mkdir data
    echo $version > data/file; echo same > data/same
    dvc add -q data; git add --all; git commit -qm $version; dvc push -q
done
git init -q second; mkdir second/part; cd second/part; dvc init -q --subdir
git config user.name Eve; git config user.email eve@example.com
dvc cache dir -q "$1"
echo two > shared.txt; echo own > own.txt; dvc add -q shared.txt own.txt
git add --all; git commit -qm first
dvc remove -q own.txt.dvc; rm own.txt; git add --all; git commit -qm second
"""


@dataclass(frozen=True)
class Colleagues:
    """A workspace, and another project on the same cache, outside every mount.

    The other one is a part of a repository, which belongs to somebody else.
    """

    workspace: Workspace
    other: Path
    cache: Path

    def gc(self, *arguments: str) -> process.Completed:
        return self.workspace.inv("gc", *arguments)

    def objects(self) -> set[str]:
        found = (self.cache / "files" / "md5").glob("*/*")
        return {path.read_text().strip() for path in found if path.suffix != ".dir"}


@pytest.fixture(scope="module")
def colleagues(workspace: Workspace) -> Iterator[Colleagues]:
    beside = workspace.root.parent
    cache, hdd, repository = beside / "cache", beside / "hdd", beside / ODD / "repository"
    for directory in (cache, hdd, repository.parent):
        directory.mkdir()
    other = repository / "part"
    workspace.write_env(DVC_CACHE_DIR=str(cache), DVC_REMOTE_HDD=str(hdd))
    workspace.up()
    done = workspace.inv("dvc-init")
    assert done.returncode == 0, said(done)
    done = workspace.inv("exec", "--", "sh", "-ec", PREPARE, "sh", str(cache))
    assert done.returncode == 0, said(done)
    shutil.move(workspace.root / "second", repository)
    shutil.rmtree(other / ".dvc" / "tmp")  # as in a fresh clone; nothing can make it there
    if os.getuid() == 0:  # git trusts nobody else's repository of itself
        process.run(["chown", "--recursive", str(COLLEAGUE), str(repository)])
    register(cache, workspace.root, ())
    register(cache, other, ())
    yield Colleagues(workspace, other, cache)
    register(cache, workspace.root, ())


def json_of(done: process.Completed) -> dict[str, Any]:
    assert done.returncode == 0, said(done)
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def test_nobody_asked_means_that_nothing_goes(colleagues: Colleagues) -> None:
    before = colleagues.objects()
    assert before == {"one", "two", "three", "same", "own"}
    planned = json_of(colleagues.gc("--json"))
    assert planned["other_projects"] == [str(colleagues.other)]
    assert not planned["applied"]
    # The list and the file of the first version, and the list of the second.
    assert planned["planned"]["objects"] == 3
    assert planned["kept"]["other_project"]["objects"] == 2
    told = colleagues.gc("--dry-run")
    assert told.returncode == 0, said(told)
    assert "Nothing was removed" in said(told)
    assert "needed by another project" in said(told)
    assert colleagues.objects() == before


def test_what_the_other_project_needs_stays_and_the_rest_comes_back(
    colleagues: Colleagues,
) -> None:
    before = sorted(colleagues.other.rglob("*"))
    done = colleagues.gc("--yes")
    assert done.returncode == 0, said(done)
    assert "Removed 3 objects" in said(done)
    assert colleagues.objects() == {"two", "three", "same", "own"}
    assert sorted(colleagues.other.rglob("*")) == before
    left = process.run(["docker", "ps", "--all", "--format", "{{.Names}}"]).stdout
    assert not [
        name for name in left.split() if colleagues.workspace.project in name and "run" in name
    ]
    script = (
        "git checkout -q HEAD~2; dvc pull -q; cat data/file; git checkout -q main; dvc checkout -q"
    )
    back = colleagues.workspace.inv("exec", "--", "sh", "-ec", script)
    assert back.stdout.split() == ["one"], said(back)


def test_a_project_that_is_not_there_ends_it_until_it_is_forgotten(
    colleagues: Colleagues,
) -> None:
    away = colleagues.other.parent.with_name("away")
    colleagues.other.parent.rename(away)
    before = colleagues.objects()
    done = colleagues.gc("--yes")
    assert done.returncode == 7, said(done)
    assert str(colleagues.other) in done.stderr
    assert f"./inv gc --forget {colleagues.other}" in done.stderr
    assert "Traceback" not in done.stderr
    assert colleagues.objects() == before
    done = colleagues.gc("--forget", str(colleagues.other))
    assert done.returncode == 0, said(done)
    roots = [project.root for project in registered(colleagues.cache)]
    assert roots == [colleagues.workspace.root.resolve()]
    done = colleagues.gc("--yes")
    assert done.returncode == 0, said(done)
    # "one" came back for a while; "own" is in no remote, so it stays whoever needs it.
    assert colleagues.objects() == {"three", "same", "own"}
    away.rename(colleagues.other.parent)
    assert colleagues.gc("--forget", "/nowhere").returncode == 7
    assert colleagues.gc("--keep", "some").returncode == 2


def test_a_project_that_the_container_sees_needs_no_other_container(
    colleagues: Colleagues,
) -> None:
    root = colleagues.workspace.root.resolve()
    repository = colleagues.other.parent
    repository.rename(root / "lent")
    (root / ".slipway" / "gc.yml").unlink()
    register(colleagues.cache, root / "lent" / "part", ())
    try:
        planned = json_of(colleagues.gc("--dry-run", "--json"))
    finally:
        (root / "lent").rename(repository)
    assert planned["other_projects"] == [str(root / "lent" / "part")]
    assert not (root / ".slipway" / "gc.yml").exists()
