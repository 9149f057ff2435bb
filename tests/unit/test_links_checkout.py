"""What a state is as good as, what is trouble, and sums that pass through JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from scripts.links.checkout import Count, LinkState, Overview, Tracked, TrackedFile, count_by_state
from scripts.links.relinked import Linked, draw_sample

FILE = TrackedFile(
    path="/w/data/a",
    object_path="/c/files/md5/ab/cd",
    oid="abcd",
    hash_name="md5",
    out="/w/data",
    state=LinkState.HARDLINK,
    size_bytes=10,
)


def file(state: LinkState, *, is_right: bool | None = None) -> TrackedFile:
    return replace(FILE, state=state, is_right=is_right)


@pytest.mark.parametrize("state", LinkState)
@pytest.mark.parametrize("link_type", ["reflink", "hardlink", "symlink", "copy"])
def test_a_state_is_as_wanted_only_where_it_is_that_or_costs_nothing(
    state: LinkState, link_type: str
) -> None:
    expected = state.value == link_type or (
        state is LinkState.INLINE and link_type in ("reflink", "copy")
    )
    assert state.is_as_wanted(link_type, 10) is expected


def test_an_empty_file_is_as_good_as_a_hardlink() -> None:
    assert LinkState.INLINE.is_as_wanted("hardlink", 0)
    assert not LinkState.INLINE.is_as_wanted("symlink", 0)


@pytest.mark.parametrize(
    ("state", "is_right", "link_types", "expected"),
    [
        (LinkState.HARDLINK, False, (), "corrupt"),
        (LinkState.SYMLINK, False, ("copy",), "corrupt"),
        (LinkState.HARDLINK, True, ("reflink",), ""),
        (LinkState.HARDLINK, None, ("reflink",), ""),
        (LinkState.DANGLING, None, (), "dangling"),
        (LinkState.FOREIGN, True, (), "foreign"),
        (LinkState.COPY, True, ("reflink", "copy"), "copied"),
        (LinkState.COPY, None, ("hardlink",), "copied"),
        (LinkState.COPY, False, ("hardlink",), ""),
        (LinkState.COPY, True, ("copy",), ""),
        (LinkState.COPY, True, (), ""),
        (LinkState.INLINE, True, ("reflink",), ""),
        (LinkState.REFLINK, False, ("reflink",), ""),
        (LinkState.MISSING, None, ("reflink",), ""),
    ],
)
def test_trouble_is_what_a_person_did_not_mean(
    state: LinkState, is_right: bool | None, link_types: tuple[str, ...], expected: str
) -> None:
    assert file(state, is_right=is_right).trouble(link_types) == expected


def test_an_overview_counts_all_names_some_and_passes_through_json() -> None:
    files = [file(LinkState.DANGLING)] * 5 + [file(LinkState.HARDLINK)] * 2
    overview = Tracked("/w", tuple(files), ("/w/unknown",)).overview(listed=3)
    assert overview.counts == {"hardlink": Count(2, 20, 0), "dangling": Count(5, 50, 0)}
    assert overview.troubled == {"dangling": 5}
    assert len(overview.listed) == 3
    assert Overview.from_json(json.loads(json.dumps(overview.as_json()))) == overview


def test_nothing_tracked_is_no_count() -> None:
    assert count_by_state([]) == {}


def test_a_sample_is_the_same_each_time_and_spread_over_the_list() -> None:
    linked = [Linked(str(number), "", "hardlink") for number in range(20_000)]
    sample = draw_sample(linked)
    assert sample == draw_sample(linked)
    assert len(set(sample)) == 1000
    assert {int(item.path) // 2000 for item in sample} == set(range(10))
    assert draw_sample(linked[:10]) == tuple(linked[:10])
