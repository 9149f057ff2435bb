"""Turns of threads that look into directories."""

from __future__ import annotations

import threading

import pytest

from scripts.migration.stores.turns import Turns

WAITS_S = 20


class Clocks:
    """A clock that goes on by a second for each look, and a processor that works for a share."""

    def __init__(self, share: float) -> None:
        self._now_s = 0
        self._share = share

    def clock(self) -> float:
        self._now_s += 1
        return float(self._now_s)

    def worked(self) -> float:
        return self._now_s * self._share


def turns_of(share: float) -> Turns:
    clocks = Clocks(share)
    return Turns(clock=clocks.clock, worked=clocks.worked)


def test_who_works_goes_on_alone() -> None:
    turns = turns_of(0.9)
    for _ in range(5):
        with turns.one():
            pass
    assert turns.at_once == 1
    others: list[int] = []

    def come() -> None:
        with turns.one():
            others.append(1)

    with turns.one():
        other = threading.Thread(target=come)
        other.start()
        other.join(0.1)
        assert others == []
    other.join(WAITS_S)
    assert others == [1]


def test_where_they_wait_there_are_twice_as_many_each_time_and_an_end_to_it() -> None:
    turns = turns_of(0.1)
    found = []
    for _ in range(7):
        with turns.one():
            pass
        found.append(turns.at_once)
    assert found == [2, 4, 8, 16, 32, 32, 32]
    together = threading.Barrier(32)

    def come() -> None:
        with turns.one():
            together.wait(WAITS_S)

    threads = [threading.Thread(target=come) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAITS_S)
    assert not together.broken


def test_a_look_that_fails_gives_its_turn_back() -> None:
    turns = turns_of(0.1)
    with pytest.raises(FileNotFoundError), turns.one():
        raise FileNotFoundError
    with turns.one():
        assert turns.at_once == 1
