"""Old images: what is offered, what is asked, what goes and what stays; on the engine in memory."""

from __future__ import annotations

import pytest

from scripts.container.engines.memory import MemoryEngine
from scripts.container.old_images import find_old, offer_removal, remove_old, require_consent
from scripts.errors import SettingsError
from scripts.progress import SilentProgress


class Listening(SilentProgress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def engine() -> MemoryEngine:
    engine = MemoryEngine()
    for name, size in (("slipway-dev:old", 2_000_000_000), ("slipway-dev:planned", 9), ("x:y", 9)):
        engine._add_image(name, {})
        engine.sizes[name] = size
    return engine


def test_what_is_planned_or_somebody_elses_stays(engine: MemoryEngine) -> None:
    old = find_old(engine, "slipway-dev:planned")
    assert (old.names, old.size_bytes) == (("slipway-dev:old",), 2_000_000_000)
    removed = remove_old(old, engine, SilentProgress())
    assert removed.freed_bytes == 2_000_000_000
    assert sorted(engine.images) == ["slipway-dev:planned", "x:y"]
    assert find_old(engine, "slipway-dev:planned").names == ()


def test_nothing_goes_without_a_yes(engine: MemoryEngine) -> None:
    progress = Listening()
    offer_removal(engine, "slipway-dev:planned", progress, lambda _question: False)
    (said,) = progress.said
    assert "1 old image of which no container is made (2.0 GB): `./inv clean` removes" in said
    with pytest.raises(SettingsError, match="Nothing was removed"):
        require_consent(find_old(engine, ""), lambda _question: False)
    assert engine.changes == []


def test_a_person_is_asked_and_told_what_it_freed(engine: MemoryEngine) -> None:
    progress = Listening()
    offer_removal(engine, "slipway-dev:planned", progress, lambda question: "2.0 GB" in question)
    assert progress.said == ["2.0 GB are free again."]
    assert engine.changes == ["remove slipway-dev:old"]


def test_what_frees_next_to_nothing_is_not_worth_a_word(engine: MemoryEngine) -> None:
    progress = Listening()
    engine.sizes["slipway-dev:old"] = 2_700
    offer_removal(engine, "slipway-dev:planned", progress, lambda _question: True)
    assert progress.said == []
    assert engine.changes == []
