from __future__ import annotations

import pytest

from scripts.container.engine import EngineMissing
from scripts.container.engines.memory import MemoryEngine
from tests.engine_contract import EngineContract


class TestMemoryEngine(EngineContract):
    @pytest.fixture
    def engine(self) -> MemoryEngine:
        engine = MemoryEngine(registry=frozenset({"base:python"}))
        engine.pull("base:python")
        return engine

    @pytest.fixture
    def base(self) -> str:
        return "base:python"


def test_an_engine_that_is_away_says_so() -> None:
    with pytest.raises(EngineMissing):
        MemoryEngine(available=False).facts()
