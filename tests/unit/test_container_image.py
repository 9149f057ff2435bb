from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.container import image
from scripts.container.compose import explain
from scripts.container.engines.memory import MemoryEngine
from scripts.container.installation import plan_installation
from scripts.container.packages import os_release
from scripts.errors import CommandFailed, ContainerError, ToolError
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from pathlib import Path


def test_a_registry_that_has_the_image_gives_it(tmp_path: Path) -> None:
    engine = MemoryEngine(registry=frozenset({"python:3.9"}))
    image.obtain_base(
        "python:3.9", chosen=False, engine=engine, root=tmp_path, progress=SilentProgress()
    )
    assert engine.changes == ["pull python:3.9"]


def test_a_chosen_image_that_no_registry_knows_is_a_typing_mistake(tmp_path: Path) -> None:
    engine = MemoryEngine()
    with pytest.raises(ContainerError, match=r"BASE_IMAGE: pyhton:3\.9") as caught:
        image.obtain_base(
            "pyhton:3.9", chosen=True, engine=engine, root=tmp_path, progress=SilentProgress()
        )
    assert caught.value.hint
    assert engine.changes == []


def test_a_base_of_another_python_is_refused_by_name() -> None:
    engine = MemoryEngine(registry=frozenset({"python:3.12"}), python="3.12")
    engine.pull("python:3.12")
    with pytest.raises(ContainerError, match=r"python:3\.12, which is not Python 3\.9: .* 3\.12"):
        image.require_python("python:3.12", engine)
    engine.python = "3.9"
    image.require_python("python:3.12", engine)


@pytest.mark.parametrize(
    ("text", "mirror"),
    [
        (
            "Types: deb\nURIs: http://mirror.test/debian\nSuites: bookworm\n",
            "http://mirror.test/debian",
        ),
        ("Types: deb\nURIs: http://u:planted@mirror.test/debian\n", ""),
        ("Types: deb\nURIs: http://mirror.test/ubuntu\n", ""),
        ("", ""),
    ],
)
def test_the_mirror_is_the_one_this_machine_uses(tmp_path: Path, text: str, mirror: str) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(text)
    assert image.host_mirror(tmp_path) == mirror


def test_the_old_form_of_sources_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(
        "deb [arch=amd64] https://mirror.test/debian/ bookworm main\n"
    )
    assert image.host_mirror(tmp_path) == "https://mirror.test/debian"


@pytest.mark.parametrize(
    ("release", "pinned"),
    [
        ({"ID": "debian", "VERSION_ID": "12"}, "trixie"),
        ({"ID": "debian", "VERSION_ID": "13"}, ""),
        ({"ID": "ubuntu", "VERSION_ID": "24.04", "ID_LIKE": "debian"}, ""),
        ({"ID": "linuxmint", "VERSION_ID": "22", "ID_LIKE": "ubuntu debian"}, ""),
    ],
)
def test_every_release_gets_compose_and_buildx(release: dict[str, str], pinned: str) -> None:
    installation = plan_installation(release, "linux")
    names = [package.partition("/")[0] for package in installation.packages]
    assert "docker-buildx" in names
    assert {"docker-compose", "docker-compose-v2"} & set(names)
    assert installation.pinned_suite == pinned
    assert (
        all(package.endswith(f"/{pinned}") for package in installation.packages[:4]) or not pinned
    )


@pytest.mark.parametrize(
    ("platform", "said"), [("darwin", "macOS"), ("win32", "Windows"), ("linux", "Fedora")]
)
def test_elsewhere_it_says_what_to_do(platform: str, said: str) -> None:
    with pytest.raises(ContainerError, match=said) as caught:
        plan_installation({"ID": "fedora", "PRETTY_NAME": "Fedora 42"}, platform)
    assert "https://docs.docker.com/" in caught.value.hint


def test_os_release_is_read_with_and_without_quotes(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text('ID=debian\nVERSION_ID="12"\n')
    assert os_release(tmp_path / "os-release") == {"ID": "debian", "VERSION_ID": "12"}
    assert os_release(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("#9 ERROR: write /x: no space left on device", "disk is full"),
        ("Bind for 127.0.0.1:8888 failed: port is already allocated", "PORTS"),
        ("invalid mount: bind source path does not exist: /data", "does not exist"),
        ("SSLError: certificate verify failed: self-signed", "certificate"),
    ],
)
def test_what_compose_says_is_translated_once(stderr: str, said: str) -> None:
    error = explain(CommandFailed(["docker", "compose", "up"], 1, stderr))
    assert isinstance(error, ContainerError)
    assert said in error.message
    assert stderr.rsplit(": ", 1)[-1] in error.message, "the tool's own words stay"
    assert error.hint


def test_what_is_not_known_stays_as_it_was() -> None:
    error = explain(CommandFailed(["docker", "compose", "up"], 1, "something new"))
    assert isinstance(error, ToolError)
    assert "something new" in error.message


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "#12 [dev environment 1/3] RUN --mount=type=cache,target=/c   /opt/installer/install x",
            "[environment 1/3] RUN /opt/installer/install x",
        ),
        ("#3 [pins 2/3] COPY environment.lock /", "[pins 2/3] COPY environment.lock /"),
        ("#7 [dev dev 1/2] RUN <<'END' (# The user, with", "[dev 1/2] RUN # The user, with"),
        ("#1 [dev internal] load build definition from Dockerfile", ""),
        ("#12 13.64 Installed 9 packages", ""),
    ],
)
def test_a_build_shows_its_steps_and_no_noise(line: str, shown: str) -> None:
    assert image.build_step(line) == shown


def test_an_update_that_the_mirror_lists_and_does_not_hold_is_known_by_name() -> None:
    stderr = (
        "Err:121 http://m.test/security bullseye/main amd64 git-lfs amd64 2.13\n"
        "  404  Not Found [IP: 192.0.2.1 80]\n"
        "E: Failed to fetch http://m.test/pool/updates/main/g/git-lfs/git-lfs_2.13-1%2bd_amd64.deb"
        "  404  Not Found [IP: 192.0.2.1 80]\n"
        "E: Unable to fetch some archives, maybe run apt-get update\n"
    )
    assert image.lacking_packages(stderr) == ("git-lfs",)
    assert image.lacking_packages("E: Unable to locate package no-such") == ()
