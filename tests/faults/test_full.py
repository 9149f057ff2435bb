"""An S3 store that is full, or whose quota is reached, as real servers word it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.faults import harm
from tests.faults.proxy import Rule
from tests.rare import usual_of

if TYPE_CHECKING:
    from tests.faults.sites import Site
    from tests.faults.tally import Tally

pytestmark = [pytest.mark.needs("s3"), pytest.mark.light]

FAMILY = "an S3 store that is full"
WORDS = {
    "MinIO": (507, "XMinioStorageFull"),
    "Ceph": (403, "QuotaExceeded"),
    "Swift": (400, "EntityTooLarge"),
}
WAYS = [("hdd", "s3"), ("cloud", "s3")]
USUAL = [(WAYS[0], "MinIO"), (WAYS[0], "Swift"), (WAYS[1], "Ceph")]
WRITES = "/files/md5/|/[0-9a-f]{2}/"
"""Every object, whole or a part of it; the question before is not among them."""


@pytest.mark.parametrize(("way", "server"), usual_of(USUAL, itertools.product(WAYS, WORDS)))
def test_it_fills_up_half_way(site: Site, tally: Tally, server: str, way: tuple[str, str]) -> None:
    rule = site.proxy.add(Rule(harm.answers(*WORDS[server]), "PUT", WRITES, first=10))
    with tally.fault(FAMILY):
        with site.watched("s3") as watch:
            ending = site.migrate(*way)
        assert rule.hits > 0
        assert ending.exit_code == 6, ending
        assert 0 < ending.counts["copied"] < ending.counts["planned"]
        told = [loss["reason"] for loss in ending.report["not_intact"]]
        assert all("full or a quota" in reason or "not published" in reason for reason in told)
        assert str(WORDS[server][0]) in str(told)  # obstore tells the code of a 4xx only
        assert watch.found.items() <= site.truth.items()
        site.require_survived(*way, clone=(server, way[0]) == ("Swift", "hdd"))


@pytest.mark.parametrize("server", WORDS)
def test_it_is_full_from_the_start(site: Site, tally: Tally, server: str) -> None:
    rule = site.proxy.add(Rule(harm.answers(*WORDS[server]), "PUT"))
    with tally.fault(FAMILY):
        ending = site.migrate("hdd", "s3")
        assert rule.hits > 0
        assert ending.exit_code == 5, ending
        assert "full or a quota is reached" in ending.message
        assert WORDS[server][1] in ending.message
        assert "the same command again" in ending.hint
        assert site.s3.md5s() == {}
        site.require_survived("hdd", "s3")
