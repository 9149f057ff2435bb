"""Credentials that expire half-way, and clocks that do not agree."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.faults import harm
from tests.faults.proxy import Rule

if TYPE_CHECKING:
    from tests.faults.proxy import Fault
    from tests.faults.sites import Site
    from tests.faults.tally import Tally

pytestmark = [pytest.mark.needs("s3"), pytest.mark.light]

CLOCK = "a clock an hour off"
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("remote", "first", "status"),  # S3 says 400, others 403
    [("s3", 1, 400), ("s3", 6, 403), ("s3", 20, 400), ("s3", 30, 403), ("cloud", 20, 400)],
)
def test_credentials_expire(site: Site, tally: Tally, remote: str, first: int, status: int) -> None:
    source, target = ("hdd", "s3") if remote == "s3" else ("cloud", "ssd")
    rule = site.proxy.add(Rule(harm.answers(status, "ExpiredToken"), first=first))
    with tally.fault("credentials that expire half-way"):
        with site.watched(target):
            ending = site.migrate(source, target)
        assert rule.hits > 0
        assert ending.exit_code in {5, 6}, ending
        told = ending.message + str(ending.report.get("not_intact", ""))
        assert "ExpiredToken" in told
        if ending.exit_code == 5:
            assert "expired" in ending.message
            assert "Renew" in ending.hint
        site.require_survived(source, target, clone=(remote, first, status) == ("s3", 20, 400))


@pytest.mark.parametrize(("by", "first"), [(HOUR, 1), (-HOUR, 20)])
def test_the_store_refuses_our_clock(site: Site, tally: Tally, by: timedelta, first: int) -> None:
    rule = site.proxy.add(Rule(harm.ClockAhead(by), first=first))
    with tally.fault(CLOCK):
        with site.watched("s3"):
            ending = site.migrate("hdd", "s3")
        assert rule.hits > 0
        assert ending.exit_code == 5, ending
        assert "clock" in ending.message
        assert "RequestTimeTooSkewed" in ending.message
        assert "clock" in ending.hint
        site.require_survived("hdd", "s3", clone=first > 1)


@pytest.mark.parametrize("fault", [harm.ClockAhead(HOUR / 6), harm.TellsLater(HOUR)])
def test_the_store_tells_another_time(site: Site, tally: Tally, fault: Fault) -> None:
    rule = site.proxy.add(Rule(fault))
    with tally.fault(CLOCK):
        with site.watched("s3"):
            ending = site.migrate("cloud", "s3")
        assert rule.hits > 0
        assert ending.complete, ending
        site.require_survived("cloud", "s3")
