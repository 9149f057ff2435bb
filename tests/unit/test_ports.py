from __future__ import annotations

import pytest

from scripts.crossing.ports import candidates, choose_ports, moved_notes
from scripts.settings.values import Port, parse_ports

ALL_ABOVE = tuple(range(8888, 8909))


def places(*numbers: int) -> frozenset[Port]:
    """Return port 8888 of the container, published on the host's ``numbers``."""
    return frozenset(Port(8888, number) for number in numbers)


@pytest.mark.parametrize(
    ("wanted", "taken", "expected"),
    [
        ("8888,6006", (), [8888, 6006]),
        ("8888", (8888,), [8889]),
        ("8888", (8888, 8889), [8890]),
        ("8888", (8889,), [8888]),
        ("8888", ALL_ABOVE, [8888]),  # none is free: the apply says so
        ("8888:8888", (8888,), [8888]),  # asked for by its number: the apply says so
        ("8888,8889", (8888,), [8890, 8889]),  # another entry wants the neighbour
        ("8888,8889:80", (8888,), [8890, 8889]),
        ("0.0.0.0:8888:8888", (8888,), [8888]),
    ],
)
def test_a_taken_port_gets_the_next_free_one_that_nobody_wants(
    wanted: str, taken: tuple[int, ...], expected: list[int]
) -> None:
    chosen = choose_ports(parse_ports(wanted), taken=places(*taken))
    assert [port.host_port for port in chosen] == expected


def test_two_taken_ports_do_not_get_the_same_neighbour() -> None:
    wanted = parse_ports("8888,8889")
    taken = frozenset({Port(8888, 8888), Port(8889, 8889)})
    assert [port.host_port for port in choose_ports(wanted, taken=taken)] == [8890, 8891]


@pytest.mark.parametrize(
    ("taken", "held", "kept", "expected"),
    [
        ((8888,), (8888,), (8888,), 8888),  # it is our own container that listens
        ((8888, 8889), (8889,), (8889,), 8889),  # ours holds the neighbour
        ((8889,), (8889,), (8889,), 8889),  # the other program ended: no flapping
        ((8889,), (8889,), (), 8888),  # PORTS has changed: asked again
        ((), (), (8889,), 8889),  # stopped: it is started as it was
        ((8889,), (), (8889,), 8888),  # stopped, and somebody came meanwhile
    ],
)
def test_a_choice_that_was_made_once_holds(
    taken: tuple[int, ...], held: tuple[int, ...], kept: tuple[int, ...], expected: int
) -> None:
    (chosen,) = choose_ports(
        parse_ports("8888"), taken=places(*taken), held=tuple(places(*held)), kept=places_of(kept)
    )
    assert chosen.host_port == expected
    assert chosen.instead_of == (None if expected == 8888 else 8888)


def places_of(numbers: tuple[int, ...]) -> tuple[Port, ...]:
    return tuple(Port(8888, number) for number in numbers)


@pytest.mark.parametrize(
    ("wanted", "held"), [("0.0.0.0:8888:8888", "8888"), ("8888", "0.0.0.0:8888:8888")]
)
def test_our_own_port_is_ours_on_every_address(wanted: str, held: str) -> None:
    ports = parse_ports(wanted)
    (chosen,) = choose_ports(ports, taken=frozenset(ports), held=parse_ports(held))
    assert chosen.host_port == 8888


def test_the_search_is_bounded_and_ends_at_the_last_port() -> None:
    assert len(candidates(parse_ports("8888,16006:6006"))) == 22
    assert [port.host_port for port in candidates(parse_ports("65534"))] == [65534, 65535]


def test_the_note_says_which_and_why() -> None:
    taken = places(8888)
    moved = choose_ports(parse_ports("8888"), taken=taken)
    assert moved_notes(moved, taken) == ("port 8888 is taken by another program: 8889 instead",)
    assert "was taken when the container was made" in moved_notes(moved, frozenset())[0]
    assert moved_notes(parse_ports("8888"), frozenset()) == ()
