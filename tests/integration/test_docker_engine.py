from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from scripts import process
from scripts.container.engine import EngineMissing
from scripts.container.engines.docker import DockerEngine
from tests.engine_contract import IMAGE, IMPORTED, EngineContract
from tests.workspace import base_image

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker")


class TestDockerEngine(EngineContract):
    @pytest.fixture
    def engine(self) -> Iterator[DockerEngine]:
        engine = DockerEngine()
        yield engine
        engine.close()
        process.run(["docker", "image", "rm", "--force", IMAGE, IMPORTED], check=False)

    @pytest.fixture
    def base(self) -> str:
        return base_image()


# The SDK leaves a socket open when it cannot connect; here it is collected in this test alone.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_is_away_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(EngineMissing, match="No Docker engine answers") as caught:
        DockerEngine().facts()
    assert "./inv engine" in caught.value.hint
    del caught
    gc.collect()
