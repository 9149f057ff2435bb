"""Listings that tell what was true a while ago: not believed where an object can be asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from tests.contract.dvc_projects import key_of, md5
from tests.faults import harm
from tests.faults.proxy import Rule

if TYPE_CHECKING:
    from tests.faults.sites import Site
    from tests.faults.tally import Tally

pytestmark = [pytest.mark.needs("s3"), pytest.mark.light]

FAMILY = "stale listings"
RIGHT = b"a of v2\n"
KEY = key_of(md5(RIGHT))


@pytest.mark.parametrize("lists_shards", [False, True])
def test_the_target_omits_all_that_is_new(site: Site, tally: Tally, lists_shards: bool) -> None:
    stale = harm.Stale()
    site.proxy.add(Rule(stale, "GET", rf"list-type=2.*{site.s3.prefix}"))
    with tally.fault(FAMILY):
        with site.watched("s3"):
            first = site.migrate("hdd", "s3", lists_shards=lists_shards)
            second = site.migrate("hdd", "s3", lists_shards=lists_shards)
        assert stale.replayed > 0
        assert first.counts["copied"] == first.counts["planned"]
        for ending in (first, second):
            assert ending.complete, ending
            assert ending.report["evidence"] == {"read back": ending.counts["planned"]}
        site.require_survived("hdd", "s3", clone=lists_shards)


def test_the_target_loses_one_and_omits_it(site: Site, tally: Tally) -> None:
    omits = harm.Omits(KEY, math.inf)
    site.proxy.add(Rule(omits, "GET", rf"list-type=2.*{site.s3.prefix}"))
    rule = site.proxy.add(Rule(harm.answers(404, "NoSuchKey"), "GET", rf"{site.s3.prefix}/{KEY}"))
    with tally.fault(FAMILY):
        ending = site.migrate("hdd", "s3", lists_shards=True)
        assert rule.hits > 0
        assert ending.exit_code == 6, ending
        assert [loss["object"] for loss in ending.report["not_intact"]] == [KEY]
        site.require_survived("hdd", "s3")


@pytest.mark.parametrize(("times", "lists_shards"), [(1, False), (1, True), (math.inf, True)])
def test_the_target_omits_one_that_is_there(
    site: Site, tally: Tally, times: float, lists_shards: bool
) -> None:
    assert site.migrate("hdd", "s3").complete
    omits = harm.Omits(KEY, times)
    rule = site.proxy.add(Rule(omits, "GET", rf"list-type=2.*{site.s3.prefix}"))
    with tally.fault(FAMILY):
        with site.watched("s3"):
            ending = site.migrate("hdd", "s3", lists_shards=lists_shards)
        assert rule.hits > 0
        assert ending.complete, ending
        assert ending.counts["present"] == ending.counts["planned"]
        site.require_survived("hdd", "s3")


def test_the_target_still_shows_what_was_repaired(site: Site, tally: Tally) -> None:
    site.plant("s3", KEY, RIGHT.upper())
    stale = harm.Stale()
    site.proxy.add(Rule(stale, "GET", rf"list-type=2.*{site.s3.prefix}%2Ffiles"))
    with tally.fault(FAMILY):
        ending = site.migrate("hdd", "s3", lists_shards=True)
        assert stale.replayed > 0
        assert ending.complete, ending  # not by its old ETag, but read back
        assert [mended["object"] for mended in ending.report["repaired"]] == [KEY]
        site.require_survived("hdd", "s3")


def test_the_source_omits_one(site: Site, tally: Tally) -> None:
    rule = site.proxy.add(Rule(harm.Omits(KEY), "GET", r"list-type=2.*cloud%2F"))
    with tally.fault(FAMILY):
        with site.watched("ssd"):
            ending = site.migrate("cloud", "ssd")
        assert rule.hits > 0
        assert (ending.exit_code, ending.counts["missing"]) == (6, 1), ending
        (lost,) = ending.report["not_intact"]
        assert (lost["object"], lost["references"][0]["path"]) == (KEY, "a.txt")
        site.require_survived("cloud", "ssd")
