"""A trouble with git as each command has to tell it: within ten seconds, once, with a hint."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from tests.workspace import said

if TYPE_CHECKING:
    from tests.integration.git_site import Site

LIMIT_S = 10


def require_told(site: Site, *, row: str, seen: str, layer: str | None, told: str) -> None:
    """Assert what each says while there is a trouble.

    ``row`` of doctor begins with ``seen``; net finds ``layer`` at fault for the remote (``None``:
    there is no row for it); git inside says ``told``, and fails if that is anything.
    """
    for command, hints in (("up", 0), ("doctor", 0), ("net", 1 if layer else 0)):
        started = time.monotonic()
        done = site.person.inv(command, *(["--yes"] if command == "up" else []))
        assert time.monotonic() - started < LIMIT_S, command
        assert done.returncode == (4 if hints else 0), said(done)
        assert done.stderr.count("HINT ") == hints, said(done)
    found = site.person.row(row)
    assert found["seen"].startswith(seen), found
    assert (found["verdict"] == "works") is not bool(found["hint"])
    rows = json.loads(site.person.inv("net", "--json").stdout)["rows"]
    layers = {one["name"]: (one["layer"], bool(one["hint"])) for one in rows}
    expected = None if layer is None else (layer, bool(layer))
    assert layers.get("git remote origin") == expected, rows
    started = time.monotonic()
    done = site.exec("git", "fetch")
    assert time.monotonic() - started < LIMIT_S
    assert told in done.stdout + done.stderr
    assert (done.returncode == 0) is not bool(told), said(done)
