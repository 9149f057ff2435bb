from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.container.checks import judge_checkout, judge_links
from scripts.container.model import Verdict
from scripts.errors import CacheError
from scripts.links.checkout import Count, LinkState, Overview, TrackedFile
from scripts.links.choose import choose, what_dvc_does
from scripts.links.model import LINK_TYPES, Attempt, Measurement, Probed
from scripts.links.registry import RegisteredProject
from scripts.links.report import CacheReport, Sides
from scripts.links.shared import SharedDirectory, breaches

EXDEV = ("EXDEV", "the cache and the workspace are on two file systems or two mounts")
NONE = ("ENOTSUP", "the file system has none")


def probed(measured: bool = False, **failed: tuple[str, str]) -> Probed:
    """Return a side where everything works but what ``failed`` names."""
    attempts = tuple(
        Attempt(name, works=False, error=failed[name][0], reason=failed[name][1])
        if name in failed
        else Attempt(name, works=True, editable=name in ("reflink", "copy"))
        for name in LINK_TYPES
    )
    timed = tuple(
        Measurement(item.link_type, 100, 0.01, 0 if item.link_type != "copy" else 6_553_600)
        for item in attempts
        if item.works and measured
    )
    return Probed(attempts, 0.002, 65000, timed)


BTRFS = probed()
EXT4 = probed(reflink=NONE)
TWO_MOUNTS = probed(hardlink=EXDEV)
TWO_DISKS = probed(reflink=EXDEV, hardlink=EXDEV)


@pytest.mark.parametrize(
    ("wanted", "outside", "inside", "chosen", "dropped"),
    [
        ("reflink,copy", BTRFS, BTRFS, ("reflink", "copy"), []),
        ("", BTRFS, TWO_MOUNTS, ("reflink", "copy"), []),
        ("", EXT4, EXT4, ("copy",), ["reflink"]),
        ("hardlink,symlink", BTRFS, TWO_MOUNTS, ("symlink",), ["hardlink"]),
        ("reflink,hardlink,copy", EXT4, EXT4, ("hardlink", "copy"), ["reflink"]),
        ("copy", TWO_DISKS, TWO_DISKS, ("copy",), []),
    ],
)
def test_only_what_works_on_both_sides_is_chosen(
    wanted: str, outside: Probed, inside: Probed, chosen: tuple[str, ...], dropped: list[str]
) -> None:
    choice = choose(tuple(filter(None, wanted.split(","))), outside, inside)
    assert choice.types == chosen
    assert [item.link_type for item in choice.dropped] == dropped
    assert choice.falls_to_copy == (chosen[0] == "copy" and bool(dropped))


def test_a_type_that_cannot_work_is_refused_with_reason_and_remedy() -> None:
    with pytest.raises(CacheError, match="hardlink: inside, the cache and the workspace") as caught:
        choose(("hardlink",), BTRFS, TWO_MOUNTS)
    assert "move it there" in caught.value.hint
    with pytest.raises(CacheError) as caught:
        choose(("reflink",), EXT4, EXT4)
    assert "btrfs, xfs" in caught.value.hint
    assert caught.value.exit_code == 7


def test_what_dvc_does_is_said_for_each_type() -> None:
    wanted = ("hardlink", "symlink", "copy")
    told = {name: what_dvc_does(name, wanted, BTRFS, TWO_MOUNTS) for name in LINK_TYPES}
    assert told == {
        "reflink": "not in cache.type",
        "hardlink": "tries it in vain, then symlink",
        "symlink": "uses it",
        "copy": "uses it where symlink fails",
    }
    assert what_dvc_does("hardlink", ("hardlink",), TWO_DISKS, TWO_DISKS).startswith("fails")


def report(inside: Probed | None, wanted: tuple[str, ...] = ()) -> CacheReport:
    counts = {"copy": Count(20_000, 1_400_000_000, 1_400_000_000)}
    project = RegisteredProject(Path("/other"), ("symlink",), "2026-01-01T00:00:00+00:00", "ada")
    return CacheReport(
        sides=Sides("/c", "ext4", "/w", "ext4", probed(measured=True, reflink=NONE), inside),
        wanted=wanted,
        sample_files=100,
        sample_bytes=65536,
        overview=Overview("/w", counts, {}, (), ()),
        projects=(project,),
    )


def test_the_report_says_what_each_type_costs_this_project() -> None:
    made = report(probed(measured=True, reflink=NONE))
    rows = {row.link_type: row for row in made.rows()}
    assert rows["copy"].project_bytes == 1_400_000_000
    assert rows["hardlink"].project_bytes == 0
    assert rows["reflink"].seconds_inside is None
    assert rows["reflink"].project_bytes is None
    assert rows["hardlink"].editable is False
    assert made.advice() == "hardlink", "reflinks do not work, and DVC copies"
    assert report(probed(measured=True, reflink=NONE), ("symlink",)).advice() == ""
    content = json.loads(json.dumps(made.as_json()))
    assert content["checkout"]["files"] == 20_000
    assert content["projects"] == [{"root": "/other", "cache_type": ["symlink"]}]


def test_a_container_that_does_not_run_leaves_the_inside_open() -> None:
    made = report(None)
    assert [row.inside for row in made.rows()] == [None] * 4
    assert made.advice() == ""
    assert made.as_json()["probe_s"]["inside"] is None


def sides(inside: Probed) -> Sides:
    return Sides("/c", "btrfs", "/w", "btrfs", BTRFS, inside)


@pytest.mark.parametrize(
    ("wanted", "inside", "verdict", "words"),
    [
        (("reflink", "copy"), BTRFS, Verdict.WORKS, "reflink, outside and inside"),
        (("hardlink", "copy"), TWO_MOUNTS, Verdict.WARNING, "copy; hardlink does not work inside"),
        (("hardlink",), TWO_MOUNTS, Verdict.FAILED, "no type of hardlink works"),
        ((), EXT4, Verdict.WORKS, "copy; reflink does not work"),
    ],
)
def test_the_links_row_says_what_dvc_uses(
    wanted: tuple[str, ...], inside: Probed, verdict: Verdict, words: str
) -> None:
    check = judge_links(wanted, sides(inside))
    assert check.verdict is verdict
    assert words in check.seen
    assert bool(check.hint) == ("outside and inside" not in words)


def tracked(
    state: LinkState, *, is_right: bool | None = True, in_cache: bool = True
) -> TrackedFile:
    return TrackedFile(
        "/w/a", "/c/o", "0" * 32, "md5", "/w/a", state, 5, 5, in_cache, is_right=is_right
    )


@pytest.mark.parametrize(
    ("file", "verdict", "words"),
    [
        (tracked(LinkState.HARDLINK), Verdict.WORKS, "1 hardlink"),
        (tracked(LinkState.COPY), Verdict.WARNING, "a copy though links are wanted"),
        (tracked(LinkState.COPY, is_right=False), Verdict.WORKS, "1 copy"),
        (tracked(LinkState.COPY, in_cache=False), Verdict.WARNING, "not in the cache"),
        (tracked(LinkState.DANGLING, is_right=None), Verdict.FAILED, "leads nowhere"),
        (tracked(LinkState.HARDLINK, is_right=False), Verdict.FAILED, "edited through a link"),
    ],
)
def test_the_checkout_row_names_what_is_trouble(
    file: TrackedFile, verdict: Verdict, words: str
) -> None:
    wanted = ("hardlink",)
    kind = file.trouble(wanted)
    troubled = {kind: 1} if kind else {}
    counts = {file.state.value: Count(1, 5, 5)}
    overview = Overview("/w", counts, troubled, (file,) if kind else (), ())
    check = judge_checkout(wanted, overview)
    assert check.verdict is verdict
    assert words in check.seen
    assert ("--fix" in check.hint) == (kind not in ("", "uncached"))
    assert ("dvc fetch" in check.hint) == (kind == "uncached")


def test_a_list_that_the_cache_lacks_is_a_warning() -> None:
    check = judge_checkout((), Overview("/w", {}, {}, (), ("/w/data",)))
    assert check.verdict is Verdict.WARNING
    assert "/w/data" in check.seen
    assert "dvc fetch" in check.hint


TOP = Path("/c")


def shared(*modes: int, gid: int = 7) -> list[SharedDirectory]:
    return [SharedDirectory(TOP / str(n), gid, mode) for n, mode in enumerate(modes)]


@pytest.mark.parametrize(
    ("found", "groups", "words"),
    [
        (shared(0o2770, 0o2775), {7}, []),
        (shared(0o2770), {8}, ["you are not in"]),
        (shared(0o2750), {7}, ["may not be written by the group"]),
        (shared(0o2770, 0o770, 0o770), {7}, ["does not hand its group on", "and 1 more"]),
        ([*shared(0o2770), *shared(0o2770, gid=9)], {7}, ["is not of the group"]),
    ],
)
def test_each_breach_of_a_shared_cache_is_named(
    found: list[SharedDirectory], groups: set[int], words: list[str]
) -> None:
    told = "; ".join(breaches(found, groups))
    assert bool(told) == bool(words)
    for word in words:
        assert word in told
