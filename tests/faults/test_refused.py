"""A server that is overloaded, that hangs up, that hangs, or that says yes and means no."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.faults import harm
from tests.faults.proxy import Rule
from tests.rare import rarely, usual_of

if TYPE_CHECKING:
    from tests.faults.proxy import Fault
    from tests.faults.sites import Site
    from tests.faults.tally import Tally

pytestmark = [pytest.mark.needs("s3"), pytest.mark.light]

OVERLOADED = {
    429: "TooManyRequests",
    500: "InternalError",
    502: "",  # a gateway's, without a word of S3
    503: "SlowDown",
}
OBJECT = "/files/md5/.*[0-9a-f]{30}$"
PATIENCE_S = 2
RESETS = [harm.resets_before, harm.resets_after, harm.resets_midway]
COMPLETES = r"[?&]uploadId="
PLACES = ["", "large", COMPLETES]
USUAL = [
    (harm.resets_after, ""), (harm.resets_midway, ""), (harm.resets_before, "large"),
    (harm.resets_after, COMPLETES),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "retry_after"),
    usual_of(
        [(429, ""), (500, "1"), (502, ""), (503, "1")], itertools.product(OVERLOADED, ["", "1"])
    ),
)
def test_overload_that_passes(site: Site, tally: Tally, status: int, retry_after: str) -> None:
    headers = (("Retry-After", retry_after),) if retry_after else ()
    rule = site.proxy.add(Rule(harm.answers(status, OVERLOADED[status], headers), every=6))
    with tally.fault("429 and 5xx, with and without Retry-After"):
        with site.watched("s3"):
            ending = site.migrate("cloud", "s3")
        assert rule.hits > 0
        assert ending.complete, ending
        site.require_survived("cloud", "s3", clone=(status, retry_after) == (503, "1"))


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_overload_that_stays(site: Site, tally: Tally, method: str) -> None:
    where = f"{site.s3.prefix}/files/md5/" if method == "PUT" else "list-type"
    rule = site.proxy.add(Rule(harm.answers(500, "InternalError"), method, where))
    with tally.fault("429 and 5xx, with and without Retry-After"):
        with site.watched("s3") as watch:
            ending = site.migrate("hdd", "s3", jobs=32)
        assert rule.hits > 0
        assert ending.exit_code == (5 if method == "GET" else 6), ending
        assert ending.hint
        told = str(ending.report.get("not_intact", ending.message))
        assert "does not answer as it should (500" in told
        assert not any(key in watch.found for key in site.truth if key.startswith("files/"))
        site.require_survived("hdd", "s3")


@pytest.mark.parametrize(("fault", "where"), usual_of(USUAL, itertools.product(RESETS, PLACES)))
def test_resets(site: Site, tally: Tally, fault: Fault, where: str) -> None:
    rule = site.proxy.add(Rule(fault, "", where, every=10))
    in_parts = where.endswith("=")
    if where:  # completes an upload in parts, or is the whole
        rule.method, rule.every, rule.last = "POST" if in_parts else "PUT", 1, 2
        rule.where = where if in_parts else site.put_of_largest()
    source = "hdd" if where else "cloud"
    with tally.fault("connections reset before, after and in the middle"):
        with site.watched("s3"):
            ending = site.migrate(source, "s3", in_parts=in_parts)
        assert rule.hits > 0
        assert ending.complete, ending
        site.require_survived(source, "s3", clone=(where, fault) == ("", harm.resets_after))


@pytest.mark.parametrize(
    ("way", "method", "where"),
    [
        (("hdd", "s3"), "GET", "list-type=2"),
        rarely(("cloud", "ssd"), "GET", "/cloud/files/md5/"),
        rarely(("hdd", "s3"), "PUT", OBJECT),
        (("cloud", "s3"), "PUT", OBJECT),  # the server copies it by itself
        (("hdd", "s3"), "PUT", "large"),
        rarely(("hdd", "s3"), "PUT", "partNumber="),
        (("hdd", "s3"), "POST", r"\?uploadId="),
    ],
)
def test_hangs(site: Site, tally: Tally, way: tuple[str, str], method: str, where: str) -> None:
    for remote in ("cloud", "s3"):
        site.set(remote, "read_timeout", str(PATIENCE_S))
    where = site.put_of_largest() if where == "large" else where
    rule = site.proxy.add(Rule(harm.hangs, method, where, last=3))
    with tally.fault("a request that is never answered"):
        with site.watched(way[1]):
            ending = site.migrate(*way, in_parts=where.endswith("="))
        assert rule.hits > 0
        assert ending.complete, ending
        site.require_survived(*way, clone=way == ("cloud", "s3"))


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("times", [1, None])
def test_a_yes_that_means_no(site: Site, tally: Tally, is_done: bool, times: int | None) -> None:
    says = harm.answers_after if is_done else harm.answers
    rule = site.proxy.add(Rule(says(200, "InternalError"), "POST", r"\?uploadId=", last=times))
    with tally.fault("200 with an error on CompleteMultipartUpload"):
        with site.watched("s3"):
            ending = site.migrate("hdd", "s3", in_parts=True)
        assert rule.hits > 0
        if times is None and not is_done:
            assert ending.exit_code == 6, ending
            assert ending.counts["failed"] == 1
        else:
            assert ending.complete, ending
        site.require_survived("hdd", "s3", clone=(times, is_done) == (None, False))


@pytest.mark.parametrize("is_done", [False, True])
def test_a_yes_that_proves_nothing(site: Site, tally: Tally, is_done: bool) -> None:
    says = harm.answers_after if is_done else harm.answers
    rule = site.proxy.add(Rule(says(200, ""), "PUT", site.put_of_largest(), last=1))
    with tally.fault("200 without a word of the object that was put"):
        with site.watched("s3"):
            ending = site.migrate("hdd", "s3")
        assert rule.hits > 0
        assert ending.complete is is_done, ending
        site.require_survived("hdd", "s3")
