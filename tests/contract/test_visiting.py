"""What is written for git is what real git reads."""

from __future__ import annotations

from pathlib import Path

from scripts import process
from scripts.container.visiting import render_trust

ODD = 'a: "b"\\c $HOME ü'


def test_git_reads_every_path_as_it_is(tmp_path: Path) -> None:
    places = [Path("/data", ODD), Path("/line\nbreak"), Path("/data", ODD)]
    file = tmp_path / "config"
    file.write_text(render_trust(places), encoding="utf-8")
    told = process.run(
        ["git", "config", "--file", str(file), "--null", "--get-all", "safe.directory"]
    )
    assert told.stdout.split("\0")[:-1] == [str(place) for place in places[:2]]
