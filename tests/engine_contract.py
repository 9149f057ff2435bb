"""What every engine keeps to: one suite, run on the one in memory and on the real one."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest

from scripts.container.engine import ImageRefused, ImageUnreachable
from scripts.container.model import BASE_LABEL, INPUTS_LABEL, PLAN_LABEL, Gpu
from scripts.container.overlay import render_overlay
from scripts.crossing.identity import Identity
from scripts.crossing.network_plan import NetworkPlan
from scripts.crossing.paths import Mount
from scripts.errors import SlipwayError
from scripts.report import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.container.engine import Engine

PROJECT = "slipway-contract"
IMAGE = "slipway-contract:built"
IMPORTED = "slipway-contract:imported"


class EngineContract:
    """Subclasses give a fixture ``engine``, a fixture ``base`` (an image that it holds), and a
    fixture ``root`` (a workspace that a service ``dev`` can be built in and started from)."""

    @pytest.fixture
    def root(self, tmp_path: Path, base: str) -> Path:
        (tmp_path / "Dockerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n")
        (tmp_path / "docker-compose.yml").write_text(
            "services:\n"
            "  dev:\n"
            "    build: {context: .}\n"
            "    command: [sleep, infinity]\n"
            "    stop_grace_period: 0s\n"
            "  object-store:\n"
            "    profiles: [demo]\n"
            "    build: {context: .}\n"
        )
        write_text(tmp_path / ".slipway" / "compose.yml", self.overlay(tmp_path, base, "one"))
        return tmp_path

    @staticmethod
    def overlay(root: Path, base: str, fingerprint: str) -> str:
        return render_overlay(
            root=root,
            project=PROJECT,
            image=IMAGE,
            build_args={"BASE_IMAGE": base},
            wanted_base=base,
            network=NetworkPlan(),
            inputs="inputs",
            fingerprint=fingerprint,
            editor={},
            workspace=str(root),
            identity=Identity("root", 0, 0),
            groups=(),
            shared=False,
            mounts=[Mount(root, str(root), "workspace")],
            ports=[],
            wanted_ports="",
            shm_size="64mb",
            gpu=Gpu.NONE,
            ca_bundle=None,
        )

    def test_it_says_what_it_is(self, engine: Engine) -> None:
        facts = engine.facts()
        assert facts.version[0].isdigit()
        assert facts.compose_version[0].isdigit()

    def test_what_it_does_not_hold_is_none(self, engine: Engine) -> None:
        assert engine.image("slipway-contract:never") is None
        assert engine.container("slipway-contract-never", "dev") is None

    def test_an_image_that_cannot_be_pulled_is_refused_or_out_of_reach(
        self, engine: Engine
    ) -> None:
        with pytest.raises((ImageRefused, ImageUnreachable), match="slipway-contract-none"):
            engine.pull("slipway-contract-none/none:none")

    def test_an_archive_becomes_an_image(self, engine: Engine, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("content")
        with tarfile.open(tmp_path / "root.tar", "w") as archive:
            archive.add(tmp_path / "file", "file")
        engine.import_image(tmp_path / "root.tar", IMPORTED)
        assert engine.image(IMPORTED) is not None

    def test_a_command_runs_in_a_container_that_is_gone_afterwards(
        self, engine: Engine, base: str
    ) -> None:
        program = "import sys; print('%d.%d' % sys.version_info[:2])"
        assert engine.run_once(base, ["python3", "-c", program]).stdout == "3.9\n"

    def test_a_service_is_built_started_replaced_and_taken_down(
        self, engine: Engine, root: Path, base: str
    ) -> None:
        lines: list[str] = []
        engine.compose(root, ["build", "dev"], follow=lines.append)
        assert lines, "long work shows what it does"
        built = engine.image(IMAGE)
        assert built is not None
        assert built.labels[INPUTS_LABEL] == "inputs"
        assert built.labels[BASE_LABEL] == base

        engine.compose(root, ["up", "--detach", "--no-build", "dev"])
        first = engine.container(PROJECT, "dev")
        assert first is not None
        assert first.running
        assert first.image_id == built.image_id
        assert first.labels[PLAN_LABEL] == "one"
        assert isinstance(engine.logs(first.container_id, lines=5), str)

        write_text(root / ".slipway" / "compose.yml", self.overlay(root, base, "two"))
        engine.compose(root, ["up", "--detach", "--no-build", "dev"])
        second = engine.container(PROJECT, "dev")
        assert second is not None
        assert second.container_id != first.container_id
        assert second.labels[PLAN_LABEL] == "two"

        engine.compose(root, ["down"])
        assert engine.container(PROJECT, "dev") is None

    def test_images_that_no_container_is_made_of_can_go(
        self, engine: Engine, root: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("content")
        with tarfile.open(tmp_path / "root.tar", "w") as archive:
            archive.add(tmp_path / "file", "file")
        engine.import_image(tmp_path / "root.tar", IMPORTED)
        engine.compose(root, ["build", "dev"], follow=lambda _line: None)
        repository = IMAGE.partition(":")[0]
        assert engine.unused_images(repository, "slipway.none") == (IMAGE, IMPORTED)
        engine.compose(root, ["up", "--detach", "--no-build", "dev"])
        assert engine.unused_images(repository, "slipway.none") == (IMPORTED,)
        assert engine.held_by([IMPORTED]) == len("content")
        assert engine.held_by([IMAGE]) == 0, "its layers are its base's too"
        assert engine.remove_images([IMAGE, IMPORTED]) == len("content")
        assert engine.image(IMPORTED) is None
        assert engine.image(IMAGE) is not None, "a container is made of it"
        engine.compose(root, ["down"])

    def test_a_failure_of_compose_is_an_error_of_ours(self, engine: Engine, root: Path) -> None:
        write_text(root / ".slipway" / "compose.yml", "services: [broken\n")
        with pytest.raises(SlipwayError):
            engine.compose(root, ["up", "--detach", "--no-build", "dev"])
