"""Bits that flip in requests, and requests that end too soon: what a real server refuses."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.faults import harm
from tests.faults.proxy import Rule
from tests.faults.tally import CUT, FLIP
from tests.rare import usual_of

if TYPE_CHECKING:
    from tests.faults.sites import Site
    from tests.faults.tally import Tally

pytestmark = pytest.mark.needs("s3")

OBJECTS = "/files/md5/"
MANY, PART, COMPLETES = f"{OBJECTS}.*$", "partNumber=", r"[?&]uploadId="
REQUESTS = {
    "flip": (harm.flips_a_bit_of_the_request, FLIP),
    "promised-more": (harm.ends_request_early, CUT),
    "as-if-all": (harm.shortens_request, CUT),
}
USUAL = [
    (MANY, "flip"), ("large", "flip"), ("large", "promised-more"), (PART, "flip"),
    (PART, "as-if-all"), (COMPLETES, "promised-more"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "name"), usual_of(USUAL, itertools.product([MANY, "large", PART, COMPLETES], REQUESTS))
)
def test_requests_to_the_target(site: Site, tally: Tally, name: str, what: str) -> None:
    fault, family = REQUESTS[name]
    method = "POST" if what.endswith("uploadId=") else "PUT"
    is_many, in_parts = what.startswith(OBJECTS), what.endswith("=")
    # So few that none is likely to be hit each time that it is sent again.
    many = {"every": 8} if is_many else {"last": 1}
    where = site.put_of_largest() if what == "large" else what
    rule = site.proxy.add(Rule(fault, method, where, **many))
    with tally.fault(family):
        with site.watched("s3"):
            ending = site.migrate("hdd", "s3", in_parts=in_parts)
        assert rule.hits > 0
        assert ending.complete, ending  # the server refuses it, and it is sent again
        site.require_survived("hdd", "s3", clone=is_many and name == "flip")
