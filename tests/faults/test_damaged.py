"""Bits that flip at the source, in answers and at the target, and answers that end too soon."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.contract.dvc_projects import key_of, md5
from tests.faults import harm
from tests.faults.proxy import Rule
from tests.faults.tally import CUT, FLIP
from tests.rare import usual_of

if TYPE_CHECKING:
    from tests.faults.sites import Site
    from tests.faults.tally import Tally

pytestmark = [pytest.mark.needs("s3"), pytest.mark.light]

PLACES = [
    ("small", "ssd"), ("large", "s3"), ("list", "ssd"), ("legacy", "ssd"), ("list", "s3")
]  # fmt: skip
IN_PROCESSES = [("large", "ssd"), ("legacy", "ssd")]
SMALL = key_of(md5(b"a of v2\n"))


def flip(content: bytes) -> bytes:
    wrong = bytearray(content)
    wrong[len(wrong) // 2] ^= 1
    return bytes(wrong)


def keys_by_kind(site: Site) -> dict[str, str]:
    """A small file, the largest one, a directory's list, and text that DVC 2 named."""
    lists = [key for key in site.truth if key.endswith(".dir") and key.startswith("files/")]
    legacy = [key for key in site.truth if not key.startswith("files/") and ".dir" not in key]
    return {
        "small": SMALL,
        "large": site.largest(),
        "list": min(lists),
        "legacy": min(legacy),
    }


@pytest.mark.parametrize(
    ("kind", "target", "processes"),
    [(*place, False) for place in PLACES] + [(*place, True) for place in IN_PROCESSES],
)
def test_at_the_source(site: Site, tally: Tally, kind: str, target: str, processes: bool) -> None:
    key = keys_by_kind(site)[kind]
    right = site.hdd.get(key)
    with tally.fault("a bit flipped at the source"):
        site.hdd.put(key, flip(right))
        before = site.hdd.md5s()
        with site.watched(target) as watch:
            ending = site.migrate("hdd", target, processes=processes)
        assert (ending.exit_code, ending.counts["corrupt"]) == (6, 1), ending
        lost = {loss["object"]: loss for loss in ending.report["not_intact"]}
        assert lost[key]["status"] == "corrupt"
        assert all(loss["references"] for loss in lost.values())
        assert not set(lost) & set(watch.found)
        assert site.hdd.md5s() == before
        site.hdd.put(key, right)
        site.require_survived("hdd", target, clone=(kind, target) == ("list", "s3"))


ANSWERS = {
    "flip": (harm.flips_a_bit_of_the_answer, FLIP),
    "promised-more": (harm.ends_early, CUT),
    "as-if-all": (harm.shortens, CUT),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_many_answers_of_the_source(site: Site, tally: Tally, name: str) -> None:
    target = "ssd"  # between two buckets of one server no answer holds an object
    fault, family = ANSWERS[name]
    rule = site.proxy.add(Rule(fault, "GET", "/cloud/files/md5/", share=0.3))
    with tally.fault(family):
        with site.watched(target):
            ending = site.migrate("cloud", target)
        assert rule.hits > 0
        assert ending.exit_code in {0, 6}, ending
        site.require_survived("cloud", target, clone=name == "as-if-all")


@pytest.mark.parametrize(
    ("remote", "name"),
    usual_of(
        [("cloud", "flip"), ("s3", "promised-more"), ("s3", "as-if-all")],
        itertools.product(["cloud", "s3"], ANSWERS),
    ),
)
def test_a_listing(site: Site, tally: Tally, name: str, remote: str) -> None:
    fault, family = ANSWERS[name]
    prefix = site.cloud.prefix if remote == "cloud" else site.s3.prefix
    lists_shards = remote == "s3"
    where = rf"list-type=2.*prefix={prefix}%2F{'files' if lists_shards else ''}"
    rule = site.proxy.add(Rule(fault, "GET", where, last=1))
    target = "ssd" if remote == "cloud" else "s3"
    with tally.fault(family):
        with site.watched(target):
            source = "cloud" if remote == "cloud" else "hdd"
            ending = site.migrate(source, target, lists_shards=lists_shards)
        assert rule.hits == 1
        assert ending.exit_code in {0, 6}, ending
        site.require_survived(source, target)


@pytest.mark.parametrize(
    ("kind", "name"),
    usual_of(
        [("small", "flip"), ("large", "as-if-all"), ("list", "flip")],
        itertools.product(["small", "large", "list"], ["flip", "as-if-all"]),
    ),
)
def test_one_answer_is_not_blamed_on_the_source(
    site: Site, tally: Tally, name: str, kind: str
) -> None:
    fault, family = ANSWERS[name]
    where = f"/cloud/{keys_by_kind(site)[kind]}"
    rule = site.proxy.add(Rule(fault, "GET", where, last=1))
    with tally.fault(family):
        with site.watched("ssd"):
            ending = site.migrate("cloud", "ssd")
        assert rule.hits == 1
        assert ending.complete, ending
        site.require_survived("cloud", "ssd")


@pytest.mark.parametrize(
    ("kind", "target", "processes"),
    [(*place, False) for place in PLACES] + [(*place, True) for place in IN_PROCESSES],
)
def test_at_the_target(site: Site, tally: Tally, kind: str, target: str, processes: bool) -> None:
    key = keys_by_kind(site)[kind]
    with tally.fault("a bit flipped at the target"):
        site.plant(target, key, flip(site.hdd.get(key)))
        with site.watched(target):
            ending = site.migrate("hdd", target, processes=processes)
        assert ending.complete, ending
        assert [entry["object"] for entry in ending.report["repaired"]] == [key]
        again = site.require_survived("hdd", target)
        assert again.counts["repaired"] == again.counts["copied"] == 0


@pytest.mark.parametrize("kind", ["small", "large", "list"])
def test_at_the_target_while_it_is_filled(site: Site, tally: Tally, kind: str) -> None:
    key = keys_by_kind(site)[kind]
    with tally.fault("a bit flipped at the target"):
        site.planted.add(key)
        ending = site.migrate("hdd", "ssd", rots_at="copying ends", rots=site.ssd.path / key)
        assert ending.exit_code == 6, ending
        assert [loss["object"] for loss in ending.report["not_intact"]] == [key]
        again = site.require_survived("hdd", "ssd", clone=kind == "list")
        assert [entry["object"] for entry in again.report["repaired"]] == [key]
