from __future__ import annotations

import json
from pathlib import Path

from scripts.container.visiting import outermost, render_visit

ODD = 'a: "b"\\c $HOME ü'


def test_no_path_can_break_the_overlay() -> None:
    text = render_visit([Path("/data", ODD), Path("/data", ODD, ".git")], {"KEY": "$value"})
    service = json.loads(text)["services"]["dev"]
    assert service["environment"] == {"KEY": "$$value"}
    (volume,) = service["volumes"]
    assert volume["source"] == volume["target"] == f"/data/{ODD}".replace("$", "$$")
    assert volume["read_only"]
    assert volume["bind"] == {"create_host_path": False}


def test_what_lies_in_another_place_needs_no_mount() -> None:
    places = [Path(path) for path in ("/a/b/c", "/a/b", "/a/bb", "/a/b")]
    assert outermost(places) == [Path("/a/b"), Path("/a/bb")]
