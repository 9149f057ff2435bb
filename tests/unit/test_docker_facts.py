"""What the real engine's answers mean; the answers are as Docker 26 and 28 give them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scripts.container.engines import docker
from scripts.container.model import Gpu
from scripts.settings.values import Port

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("info", "gpu"),
    [
        ({"Runtimes": {"runc": {}}}, Gpu.NONE),
        ({"Runtimes": None, "DiscoveredDevices": None}, Gpu.NONE),
        ({"Runtimes": {"nvidia": {}, "runc": {}}}, Gpu.RUNTIME),
        ({"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}]}, Gpu.CDI),
        ({"DiscoveredDevices": [{"Source": "cdi", "ID": "vendor.com/nic=0"}]}, Gpu.NONE),
    ],
)
def test_a_gpu_counts_only_if_the_engine_offers_it(info: dict[str, Any], gpu: Gpu) -> None:
    assert docker._gpu(info) is gpu


def test_engines_that_list_no_devices_are_known_by_their_specifications(tmp_path: Path) -> None:
    looks_into = (str(tmp_path),)
    info = {"Runtimes": {"runc": {}}, "CDISpecDirs": [str(tmp_path), "/elsewhere"]}
    assert docker._gpu(info, looks_into) is Gpu.NONE
    (tmp_path / "nvidia.yaml").write_text('cdiVersion: "0.5.0"\nkind: nvidia.com/gpu\n')
    assert docker._gpu(info, looks_into) is Gpu.CDI


@pytest.mark.parametrize(
    ("steps", "sizes"),
    [
        ([(0, "CMD"), (7, "RUN x"), (0, "ENV a=b"), (0, "WORKDIR /"), (5, "")], [5, 0, 7]),
        ([(7, "RUN x"), (0, "/bin/sh -c #(nop) ADD file"), (5, "")], [0, 5, 7]),
        ([(7, "RUN x"), (0, "RUN y"), (5, ""), (9, "left from before a squash")], [5, 0, 7]),
    ],
)
def test_sizes_of_layers_are_read_from_the_history(
    steps: list[tuple[int, str]], sizes: list[int]
) -> None:
    history = [{"Size": size, "CreatedBy": command} for size, command in steps]
    assert docker.layer_sizes(history, len(sizes)) == sizes


def test_published_ports_are_read_from_the_engines_bindings() -> None:
    bindings = {
        "8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18888"}],
        "6006/tcp": [{"HostIp": "", "HostPort": "6006"}],
        "22/tcp": None,
    }
    assert list(docker._published(bindings)) == [Port(8888, 18888), Port(6006, 6006)]


def test_the_engine_is_found_where_the_docker_command_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert docker._endpoint() is None, "no configuration: the default socket"
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "default"}))
    assert docker._endpoint() is None
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere.sock")
    assert docker._endpoint() == "unix:///elsewhere.sock"
