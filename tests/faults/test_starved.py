"""A migration that may open fewer files than it wants to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rare import usual_of

if TYPE_CHECKING:
    from tests.faults.sites import Site
    from tests.faults.tally import Tally

pytestmark = [pytest.mark.needs("s3"), pytest.mark.light]


WAYS = [("s3", False), ("ssd", False), ("ssd", True)]
LIMITS = [20, 28, 40]
USUAL = [(*way, limit) for way, limit in zip(WAYS, LIMITS)]


@pytest.mark.parametrize(
    ("target", "processes", "open_files"),
    usual_of(USUAL, [(*way, limit) for way in WAYS for limit in LIMITS]),
)
def test_no_more_files_can_be_opened(
    site: Site, tally: Tally, target: str, processes: bool, open_files: int
) -> None:
    with tally.fault("EMFILE: no more files can be opened"):
        with site.watched(target):
            ending = site.migrate(
                "hdd", target, open_files=open_files, jobs=32, processes=processes
            )
        assert ending.exit_code in {0, 2, 3, 5, 6}, ending
        if ending.exit_code:
            told = ending.message + str(ending.report.get("not_intact", ""))
            assert "Too many open files" in told or "ulimit -n" in ending.hint, ending
        site.require_survived("hdd", target, clone=(target, open_files) == ("ssd", 40))
