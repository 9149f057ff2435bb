"""Bringing up, and above all failing to, on the engine in memory."""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
from pathlib import Path

import pytest

from scripts.container import bringup
from scripts.container.engines.memory import MemoryEngine
from scripts.container.model import DEBIAN_BASE_IMAGE, SERVICE, ContainerPlan, EngineFacts, Gpu
from scripts.container.plan import project_name
from scripts.errors import CommandFailed, ContainerError, SettingsError, ToolMissing
from scripts.progress import SilentProgress
from scripts.settings import ContainerSettings, DvcSettings, Settings
from scripts.settings.values import parse_ports

REPOSITORY = Path(__file__).resolve().parents[2]
OVERLAY = Path(".slipway") / "compose.yml"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name in ("Dockerfile", "docker-compose.yml", "apt.txt", "environment.lock"):
        shutil.copy(REPOSITORY / name, tmp_path)
    return Settings(tmp_path.resolve(), ContainerSettings(base_image="base:3.9"))


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine(registry=frozenset({"base:3.9"}))


def allow(*_: object) -> None:
    """Ask no package index: this engine downloads nothing."""


def up(settings: Settings, engine: MemoryEngine) -> ContainerPlan:
    plan = bringup.make_plan(settings, engine, os.environ)
    return bringup.apply_plan(plan, settings, engine, SilentProgress(), preflight=allow)[0]


def test_the_first_time_everything_is_made(settings: Settings, engine: MemoryEngine) -> None:
    plan = up(settings, engine)
    assert engine.changes == ["pull base:3.9", "build", "up"]
    assert (settings.root / OVERLAY).read_text() == plan.overlay


def test_the_second_time_nothing_is_done(settings: Settings, engine: MemoryEngine) -> None:
    up(settings, engine)
    engine.changes.clear()
    assert up(settings, engine).steps == ()
    assert engine.changes == []


def test_a_successor_is_rehearsed_before_its_predecessor_goes(
    settings: Settings, engine: MemoryEngine
) -> None:
    up(settings, engine)
    engine.changes.clear()
    up(
        dataclasses.replace(settings, container=ContainerSettings("base:3.9", shm_size="1gb")),
        engine,
    )
    assert engine.changes[:2] == ["run", "up"]


@pytest.mark.parametrize("verb", ["build", "run"])
def test_what_fails_before_the_change_leaves_the_container_running(
    settings: Settings, engine: MemoryEngine, verb: str
) -> None:
    before = up(settings, engine)
    container = engine.container(before.project, SERVICE)
    (settings.root / "environment.lock").write_text("changed==1\n")
    engine.fail_on = verb
    with pytest.raises(CommandFailed, match="on purpose"):
        up(settings, engine)
    assert engine.container(before.project, SERVICE) == container
    assert (settings.root / OVERLAY).read_text() == before.overlay
    assert container is not None
    assert engine.images[before.image].image_id == container.image_id


def test_what_fails_during_the_change_is_put_back(
    settings: Settings, engine: MemoryEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = up(settings, engine)
    container = engine.container(before.project, SERVICE)
    assert container is not None
    compose = engine.compose

    def lose_it_once(root: Path, arguments: list[str], **options: object) -> object:
        if arguments[0] == "up" and engine.containers:
            engine.containers.clear()
            raise CommandFailed(["docker", "compose", "up"], 1, "port race")
        return compose(root, arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "compose", lose_it_once)
    changed = dataclasses.replace(settings, container=ContainerSettings("base:3.9", shm_size="1gb"))
    with pytest.raises(CommandFailed, match="port race"):
        up(changed, engine)
    again = engine.container(before.project, SERVICE)
    assert again is not None
    assert again.running
    assert again.labels == container.labels
    assert (settings.root / OVERLAY).read_text() == before.overlay


def test_a_first_start_that_fails_leaves_nothing_half_done(
    settings: Settings, engine: MemoryEngine
) -> None:
    engine.fail_on = "up"
    with pytest.raises(CommandFailed):
        up(settings, engine)
    assert engine.container(project_name(settings.root), SERVICE) is None
    assert not (settings.root / OVERLAY).exists()


def test_a_taken_port_that_was_asked_for_is_named_before_anything_is_done(
    settings: Settings, engine: MemoryEngine
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        ports = parse_ports(f"{number}:8888")
        blocked = dataclasses.replace(
            settings, container=ContainerSettings("base:3.9", ports=ports)
        )
        with pytest.raises(ContainerError, match=str(number)) as caught:
            up(blocked, engine)
    assert "PORTS" in caught.value.hint
    assert "build" not in engine.changes


def test_a_taken_port_gets_a_neighbour_and_keeps_it(
    settings: Settings, engine: MemoryEngine
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        blocked = dataclasses.replace(
            settings, container=ContainerSettings("base:3.9", ports=parse_ports(str(number)))
        )
        (port,) = up(blocked, engine).ports
        assert number < port.host_port <= number + 20
        assert (port.container_port, port.instead_of) == (number, number)
        again = up(blocked, engine)
        assert (again.steps, again.ports) == ((), (port,))
        assert any(f"port {number} is taken by another program" in note for note in again.notes)
    later = up(blocked, engine)
    assert (later.steps, later.ports) == ((), (port,)), "the other program ended"
    assert any(f"port {number} was taken when" in note for note in later.notes)
    described = bringup.read_status(blocked, engine).as_json()["ports"]
    assert described == [{"address": "127.0.0.1", "host": port.host_port,
                          "container": number, "instead_of": number}]  # fmt: skip
    bringup.take_down(blocked, engine, SilentProgress())
    assert [port.host_port for port in up(blocked, engine).ports] == [number]


def test_a_cache_directory_that_is_not_there_is_named(
    settings: Settings, engine: MemoryEngine
) -> None:
    missing = settings.root.parent / "no-cache"
    with pytest.raises(SettingsError, match="DVC_CACHE_DIR"):
        up(dataclasses.replace(settings, dvc=DvcSettings(cache_dir=missing)), engine)
    assert not missing.exists()
    assert engine.changes == []


def test_a_base_of_another_python_is_refused_before_the_build(
    settings: Settings, engine: MemoryEngine
) -> None:
    engine.python = "3.12"
    with pytest.raises(ContainerError, match=r"not Python 3\.9"):
        up(settings, engine)
    assert "build" not in engine.changes


@pytest.mark.parametrize("version", ["", "2.20.3"])
def test_an_engine_without_a_usable_compose_is_refused(settings: Settings, version: str) -> None:
    facts = EngineFacts("26.1", rootless=False, gpu=Gpu.NONE, compose_version=version)
    with pytest.raises(ToolMissing, match="docker compose"):
        bringup.make_plan(settings, MemoryEngine(engine_facts=facts))


def test_building_alone_leaves_a_running_container_as_it_is(
    settings: Settings, engine: MemoryEngine
) -> None:
    plan = up(settings, engine)
    container = engine.container(plan.project, SERVICE)
    bringup.build(plan, settings, engine, SilentProgress(), preflight=allow)
    assert engine.container(plan.project, SERVICE) == container
    assert bringup.read_status(settings, engine).as_json()["up_to_date"] is False


def test_taking_down_what_never_was_is_no_error(settings: Settings, engine: MemoryEngine) -> None:
    bringup.take_down(settings, engine, SilentProgress())
    up(settings, engine)
    bringup.take_down(settings, engine, SilentProgress())
    assert engine.containers == {}
    with pytest.raises(ContainerError, match="does not exist yet"):
        bringup.find_running(settings.root, engine)


def chosen(settings: Settings, name: str) -> Settings:
    container = ContainerSettings(base_image=name, base_image_set=True)
    return dataclasses.replace(settings, container=container)


def test_a_chosen_base_that_no_registry_knows_is_an_error_though_a_stand_in_is_here(
    settings: Settings, engine: MemoryEngine
) -> None:
    engine._add_image(DEBIAN_BASE_IMAGE, {})
    with pytest.raises(ContainerError, match=r"BASE_IMAGE: pyhton:3\.9"):
        up(chosen(settings, "pyhton:3.9"), engine)
    assert engine.changes == []


def test_a_chosen_base_out_of_reach_is_stood_in_for_and_not_tried_again(
    settings: Settings, engine: MemoryEngine
) -> None:
    engine._add_image(DEBIAN_BASE_IMAGE, {})
    engine.registry_reachable = False
    plan = up(chosen(settings, "mirror.test/python:3.9"), engine)
    assert plan.base_name == DEBIAN_BASE_IMAGE
    assert any("stands in for it" in note for note in plan.notes)
    engine.changes.clear()
    assert up(chosen(settings, "mirror.test/python:3.9"), engine).steps == ()
    del engine.images[DEBIAN_BASE_IMAGE]
    assert up(chosen(settings, "mirror.test/python:3.9"), engine).steps == (), "pruned since"
    assert engine.changes == []


def test_the_default_base_is_stood_in_for_without_asking_again(
    settings: Settings, engine: MemoryEngine
) -> None:
    engine._add_image(DEBIAN_BASE_IMAGE, {})
    default = dataclasses.replace(settings, container=ContainerSettings())
    assert up(default, engine).base_name == DEBIAN_BASE_IMAGE
    assert engine.changes == ["build", "up"]
