"""`./inv engine`: install and start a container engine from the distribution's packages."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from scripts import process
from scripts.container.engine import EngineMissing, EngineUnavailable
from scripts.container.image import host_mirror
from scripts.container.packages import (
    as_root,
    install_packages,
    os_release,
    refresh_package_lists,
)
from scripts.errors import ContainerError, SlipwayError, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.container.engine import Engine
    from scripts.progress import Progress

_DESKTOP = "https://docs.docker.com/desktop/"
_START_TIMEOUT_S = 60
_LOG = Path("/var/log/slipway-dockerd.log")
_PINNED_SUITE = "trixie"


@dataclass(frozen=True)
class Installation:
    """Which packages bring an engine, and from which release of Debian they must be taken.

    ``pinned_suite`` is empty where the system's own release has them all.
    """

    packages: tuple[str, ...]
    pinned_suite: str = ""


def plan_installation(release: Mapping[str, str], platform: str) -> Installation:
    """Return how an engine with compose v2 and buildx is installed; pure.

    Args:
        release: The fields of os-release(5).
        platform: ``sys.platform``.

    Raises:
        ContainerError: Not on this system; the hint says what to do instead.
    """
    family = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if platform in ("darwin", "win32"):
        system = "macOS" if platform == "darwin" else "Windows"
        raise ContainerError(
            f"On {system} the container engine is Docker Desktop, which Slipway does not install.",
            hint=f"Install it from {_DESKTOP}, start it, and run the same command again.",
        )
    if "ubuntu" in family:
        return Installation(("docker.io", "docker-compose-v2", "docker-buildx", "iptables"))
    if "debian" in family:
        names = ("docker.io", "docker-cli", "docker-compose", "docker-buildx")
        version = release.get("VERSION_ID", "")
        if version.isdigit() and int(version) <= 12:
            # Debian 12's engine is 20.10, without compose v2 and buildx; the next release's
            # packages need only its C library's 2.34.
            pinned = tuple(f"{name}/{_PINNED_SUITE}" for name in names)
            return Installation((*pinned, "iptables"), _PINNED_SUITE)
        return Installation((*names, "iptables"))
    name = release.get("PRETTY_NAME", platform)
    raise ContainerError(
        f"Slipway installs an engine on Debian and Ubuntu only; this is {name}.",
        hint="See https://docs.docker.com/engine/install/, then run the same command again.",
    )


def ensure_engine(engine: Engine, confirm: Callable[[str], bool], progress: Progress) -> None:
    """Have an engine with compose that answers: the one that is there, or one that is installed.

    Args:
        engine: The engine to ask.
        confirm: Asks the person before anything is installed.
        progress: Told what happens.

    Raises:
        ContainerError: None answers, and the person does not want one installed, or it cannot be.
        ToolMissing: The engine has no compose, and the person does not want it installed.
    """
    try:
        if engine.facts().compose_version:
            return
        problem: SlipwayError = ToolMissing(
            "The Docker engine answers, but `docker compose` is not installed.",
            hint="`./inv engine` installs it (Debian, Ubuntu); else see "
            "https://docs.docker.com/compose/install/.",
        )
    except EngineMissing as error:
        problem = error
    plan_installation(os_release(), sys.platform)  # says what to do where it cannot be installed
    if not confirm(f"{problem.message} Install and start one from this system's packages?"):
        raise problem
    install_engine(engine, progress)


def install_engine(engine: Engine, progress: Progress) -> None:
    """Install an engine with compose and buildx where they are missing, and start it.

    Raises:
        ContainerError: Not on this system, or the engine does not start.
        ToolMissing: Root is needed and there is no sudo.
        CommandFailed: apt-get failed.
    """
    installation = plan_installation(os_release(), sys.platform)
    if installation.pinned_suite and not _complete():
        _pin(installation.pinned_suite, progress)
    install_packages(*installation.packages, why="the container engine", progress=progress)
    with progress.phase("starting the engine"):
        _start()
        _wait(engine)
    progress.say(f"Docker {engine.facts().version} answers.")


def _complete() -> bool:
    plugins = ("compose", "buildx")
    return process.installed("dockerd") and all(
        process.run(["docker", plugin, "version"], check=False).returncode == 0
        for plugin in plugins
    )


def _pin(suite: str, progress: Progress) -> None:
    """Let apt take what is asked for by name, and nothing else, from a newer Debian release.

    Raises:
        ContainerError: This machine's sources name no mirror of Debian to take it from.
    """
    mirror = host_mirror()
    if not mirror:
        raise ContainerError(
            "The sources of apt name no Debian mirror to take the engine from.",
            hint="See https://docs.docker.com/engine/install/debian/, then try again.",
        )
    source = (
        f"Types: deb\nURIs: {mirror}\nSuites: {suite}\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
    priority = f"Package: *\nPin: release n={suite}\nPin-Priority: 100\n"
    with progress.phase(f"adding Debian {suite} for the engine's packages only"):
        _write_as_root("/etc/apt/sources.list.d/slipway-engine.sources", source)
        _write_as_root("/etc/apt/preferences.d/slipway-engine", priority)
        refresh_package_lists()


def _write_as_root(path: str, text: str) -> None:
    process.run(as_root(["tee", path]), stdin=text)


def _start() -> None:
    if Path("/run/systemd/system").is_dir():
        process.run(as_root(["systemctl", "enable", "--now", "docker"]))
        return
    if process.run(["docker", "info"], check=False).returncode == 0:
        return
    # No service manager, as in many CI machines: the daemon is started by itself.
    command = ["setsid", "--fork", "sh", "-c", f"exec dockerd >>{_LOG} 2>&1 </dev/null"]
    process.run(as_root(command))


def _wait(engine: Engine) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            engine.facts()
        except EngineMissing as error:
            if time.monotonic() > deadline:
                tail = process.run(["tail", "-n", "8", str(_LOG)], check=False).stdout
                raise ContainerError(
                    f"The engine does not answer after {_START_TIMEOUT_S} s.\n{tail}",
                    hint=f"Its log is {_LOG} (with systemd: `journalctl -u docker`).",
                ) from error
            time.sleep(0.5)
        except EngineUnavailable:
            raise  # it runs, and refuses this user: the error says how to join its group
        else:
            return
