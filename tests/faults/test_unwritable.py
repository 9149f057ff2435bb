"""A project that may be read and not written: it is another user's, or on a read-only mount."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.sites import Site
    from tests.faults.tally import Tally

pytestmark = [pytest.mark.needs("s3"), pytest.mark.light]

FAMILY = "a project that may not be written to"
REMEMBERED, RECORDED = ".dvc/tmp/slipway", ".slipway"
"""Where Slipway keeps what it knows. DVC walks through the latter, so all may look into it."""


@pytest.fixture
def closed(site: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A project in which another user has migrated before, and let nobody else in."""
    assert site.migrate("hdd", "ssd").complete
    site.empty("ssd")
    modes = {REMEMBERED: request.param, RECORDED: 0o555}
    for place, mode in modes.items():
        assert any((site.project.root / place).iterdir())
        (site.project.root / place).chmod(mode)
    yield site
    for place in modes:
        (site.project.root / place).chmod(0o755)


@pytest.mark.parametrize("closed", [0o555, 0o000], indirect=True)
@pytest.mark.parametrize("target", ["ssd", "s3"])
def test_what_cannot_be_remembered_stops_nobody(closed: Site, tally: Tally, target: str) -> None:
    with tally.fault(FAMILY):
        with closed.watched(target):
            ending = closed.migrate("hdd", target, unprivileged=True)
        assert ending.complete, ending
        assert "This run is not remembered" in ending.said[-1]
        closed.require_survived("hdd", target)


def test_a_fresh_clone_that_is_read_only(site: Site, tally: Tally) -> None:
    """DVC itself has not been there yet: it makes ``.dvc/tmp`` whenever it opens a project."""
    dvc = site.project.root / ".dvc"
    shutil.rmtree(dvc / "tmp")
    dvc.chmod(0o555)
    try:
        with tally.fault(FAMILY):
            with site.watched("ssd"):
                ending = site.migrate("hdd", "ssd", unprivileged=True)
            assert ending.complete, ending
            assert "inventory.json" in ending.said[0]
            assert not (dvc / "tmp").exists()
            site.require_survived("hdd", "ssd")
    finally:
        dvc.chmod(0o755)


@pytest.mark.parametrize("closed", [0o555], indirect=True)
def test_what_was_left_unfinished_is_found_without_a_mark(closed: Site, tally: Tally) -> None:
    """A run with nothing to do looks thoroughly where it could not have been told to."""
    with tally.fault(FAMILY):
        assert closed.migrate("hdd", "s3", unprivileged=True).complete
        (key, *_) = closed.truth
        closed.s3.begin(key)
        ending = closed.migrate("hdd", "s3", unprivileged=True)
        assert (ending.complete, ending.counts["copied"]) == (True, 0), ending
        assert closed.s3.leftovers() == []
        closed.require_survived("hdd", "s3")
