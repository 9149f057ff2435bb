"""The Docker engine, through its SDK; compose and commands inside through the docker command."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from scripts import process
from scripts.container.compose import run_compose
from scripts.container.engine import (
    EngineMissing,
    EngineUnavailable,
    ImageRefused,
    ImageUnreachable,
)
from scripts.container.model import ContainerFacts, EngineFacts, Gpu, ImageFacts
from scripts.errors import ContainerError
from scripts.settings.values import Port

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from scripts.container.engine import Follow

_API_TIMEOUT_S = 60
_CONFLICT = 409
_LAYER = re.compile(r"RUN|COPY|ADD|WORKDIR")
_CDI_DIRECTORIES = ("/etc/cdi", "/var/run/cdi")


class DockerEngine:
    """A real Docker engine; see :class:`scripts.container.engine.Engine` for the contract."""

    def __init__(self) -> None:
        self._facts: EngineFacts | None = None

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401  the SDK has no types
        import docker  # noqa: PLC0415  0.3 s that only work with the engine need pay

        with _translated():
            return docker.APIClient(
                base_url=_endpoint(), timeout=_API_TIMEOUT_S, version="auto", **_tls()
            )

    def close(self) -> None:
        """Close the connections to the engine; the next call opens new ones."""
        client = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()

    def facts(self) -> EngineFacts:
        """Return what the engine says about itself; asked again only while compose is missing."""
        if self._facts is None or not self._facts.compose_version:
            self._facts = self._ask_facts()
        return self._facts

    def _ask_facts(self) -> EngineFacts:
        with _translated():
            info = self._client.info()
        desktop = "Docker Desktop" in (info.get("OperatingSystem") or "")
        return EngineFacts(
            version=info["ServerVersion"],
            rootless=any("rootless" in option for option in info.get("SecurityOptions") or ()),
            gpu=_gpu(info),
            compose_version=_compose_version(),
            kernel=info.get("KernelVersion") or "",
            desktop=desktop,
            in_vm=desktop or sys.platform != "linux",
        )

    def image(self, name: str) -> ImageFacts | None:
        """Return a local image."""
        from docker.errors import ImageNotFound  # noqa: PLC0415

        try:
            with _translated():
                found = self._client.inspect_image(name)
        except ImageNotFound:
            return None
        return ImageFacts(found["Id"], found["Config"].get("Labels") or {}, _layers(found))

    def container(self, project: str, service: str) -> ContainerFacts | None:
        """Return the service's container, running or not."""
        labels = [
            f"com.docker.compose.project={project}",
            f"com.docker.compose.service={service}",
            "com.docker.compose.oneoff=False",
        ]
        with _translated():
            found = self._client.containers(all=True, filters={"label": labels})
        if not found:
            return None
        newest = max(found, key=lambda entry: entry["Created"])
        with _translated():
            facts = self._client.inspect_container(newest["Id"])
        state, image = facts["State"], self.image(facts["Image"])
        return ContainerFacts(
            container_id=facts["Id"],
            name=facts["Name"].lstrip("/"),
            running=state["Running"],
            health=(state.get("Health") or {}).get("Status", ""),
            image_id=facts["Image"],
            labels=facts["Config"].get("Labels") or {},
            ports=tuple(_published(facts["HostConfig"].get("PortBindings") or {})),
            layers=image.layers if image is not None else (),
        )

    def pull(self, name: str) -> None:
        """Pull an image, its layers' progress shown by docker itself."""
        pulled = process.run(["docker", "pull", name], check=False)
        if pulled.returncode == 0:
            return
        said = pulled.stderr.strip().splitlines()[-1:] or ["no reason given"]
        refused = ("not found", "denied", "unauthorized", "manifest unknown", "invalid reference")
        kind = ImageRefused if any(sign in said[0] for sign in refused) else ImageUnreachable
        raise kind(f"{name} cannot be pulled: {said[0]}")

    def import_image(self, archive: Path, name: str) -> None:
        """Make an image of one layer out of a tar archive."""
        process.run(["docker", "import", "--change", 'CMD ["bash"]', str(archive), name])

    def unused_images(self, repository: str, label: str) -> tuple[str, ...]:
        """Return what no container is made of."""
        nameless = {"dangling": True, "label": label}
        with _translated():
            used = {container["ImageID"] for container in self._client.containers(all=True)}
            listed = self._client.images(repository) + self._client.images(filters=nameless)
        names = {name for image in listed if image["Id"] not in used for name in _names(image)}
        ours = (f"{repository}:", "sha256:")
        return tuple(sorted(name for name in names if name.startswith(ours)))

    def held_by(self, images: Collection[str]) -> int:
        """Return how many bytes the engine holds for these images alone."""
        sizes: dict[tuple[str, ...], int] = {}
        shared: set[tuple[str, ...]] = set()
        with _translated():
            for image in self._client.images():
                layers = _layers(self._client.inspect_image(image["Id"]))
                stacks = [layers[: end + 1] for end in range(len(layers))]
                if set(_names(image)) <= set(images):
                    history = self._client.history(image["Id"])
                    sizes.update(zip(stacks, layer_sizes(history, len(layers))))
                else:
                    shared.update(stacks)
        return sum(size for stack, size in sizes.items() if stack not in shared)

    def remove_images(self, images: Collection[str]) -> int:
        """Remove images, and what the build cache holds of them alone."""
        from docker.errors import APIError, NotFound  # noqa: PLC0415

        stayed = []
        with _translated():
            held, cached = self.held_by(images), self._build_cache(shared=True)
            for image in images:
                try:
                    self._client.remove_image(image)
                except NotFound:
                    pass
                except APIError as error:
                    if error.status_code != _CONFLICT:
                        raise
                    stayed.append(image)
            alone = self._build_cache(shared=False)
            orphans = {record: size for record, size in alone.items() if record in cached}
            while gone := self._forget(orphans):
                orphans = {record: size for record, size in orphans.items() if record not in gone}
        return held - self.held_by(stayed) - sum(orphans.values())

    def _build_cache(self, *, shared: bool) -> dict[str, int]:
        """Return the sizes of the build cache's records that images share, or of the others."""
        found = self._client.df().get("BuildCache") or ()
        return {record["ID"]: record["Size"] for record in found if record["Shared"] is shared}

    def _forget(self, records: Iterable[str]) -> set[str]:
        """Remove records from the build cache; one that others are built on goes after them."""
        gone: set[str] = set()
        for record in records:
            pruned = self._client.prune_builds(filters={"id": [record]}, all=True)
            gone.update(pruned["CachesDeleted"] or ())
        return gone

    def run_once(self, image: str, argv: Sequence[str]) -> process.Completed:
        """Run a command in a container that is gone afterwards."""
        entry, *arguments = argv
        isolated = ["--rm", "--network", "none", "--cap-drop", "ALL", "--entrypoint", entry]
        return process.run(["docker", "run", *isolated, image, *arguments], check=False)

    def logs(self, container_id: str, *, lines: int) -> str:
        """Return the last lines that a container printed."""
        with _translated():
            printed: bytes = self._client.logs(container_id, tail=lines)
        return printed.decode(errors="replace")

    def compose(
        self,
        root: Path,
        arguments: Sequence[str],
        *,
        follow: Follow = None,
        secrets: Mapping[str, str] = MappingProxyType({}),
    ) -> process.Completed:
        """Run compose on the workspace's files."""
        return run_compose(root, arguments, follow=follow, secrets=secrets)

    def drop_networks(self, project: str) -> None:
        """Remove the project's networks that no container is on."""
        label = f"com.docker.compose.project={project}"
        with _translated():
            self._client.prune_networks(filters={"label": label})

    def execute(
        self,
        container_id: str,
        argv: Sequence[str],
        *,
        stdin: str = "",
        timeout_s: float | None = None,
    ) -> process.Completed:
        """Run a command in a running container."""
        command = ["docker", "exec", "--interactive", container_id, *argv]
        return process.run(command, stdin=stdin, check=False, timeout_s=timeout_s)


def layer_sizes(history: Sequence[Mapping[str, Any]], count: int) -> list[int]:
    """Return the sizes of an image's layers, the lowest first; pure.

    The history names steps that made no layer too. Where it leaves open which they are, the upper
    layers are right: those that Slipway's Dockerfile made.

    Args:
        history: What the engine says of the image's steps, the last one first.
        count: How many layers the image has.
    """
    made = [step["Size"] for step in history if step["Size"] or _LAYER.match(step["CreatedBy"])]
    return [0] * (count - len(made)) + made[:count][::-1]


def _layers(image: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(image["RootFS"].get("Layers") or ())


def _names(image: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of an image in a list, its id where it has none."""
    named = [name for name in image["RepoTags"] or () if name != "<none>:<none>"]
    return tuple(named) or (image["Id"],)


@contextmanager
def _translated() -> Iterator[None]:
    import docker.errors  # noqa: PLC0415
    import requests  # noqa: PLC0415

    try:
        yield
    except docker.errors.NotFound:
        raise
    except docker.errors.APIError as error:
        raise ContainerError(f"The Docker engine refuses: {error.explanation or error}.") from error
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> EngineUnavailable:
    if "permission denied" in str(error).lower():
        return EngineUnavailable(
            "The Docker engine does not let this user in.",
            hint="Join its group with `sudo usermod -aG docker $USER`, then log in anew.",
        )
    return EngineMissing(
        "No Docker engine answers.",
        hint="`./inv engine` installs and starts one (Debian, Ubuntu), or says what to do.",
    )


def _endpoint() -> str | None:
    """Return where the engine listens: DOCKER_HOST, else the docker command's current context."""
    host = os.environ.get("DOCKER_HOST")
    if host:
        return host
    directory = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # no configuration: the SDK's default is the docker command's too
    context = os.environ.get("DOCKER_CONTEXT") or config.get("currentContext")
    if not context or context == "default":
        return None
    answer = process.run(
        ["docker", "context", "inspect", context, "--format", "{{.Endpoints.docker.Host}}"]
    )
    return answer.stdout.strip() or None


def _tls() -> dict[str, Any]:
    if not os.environ.get("DOCKER_TLS_VERIFY"):
        return {}
    from docker.utils import kwargs_from_env  # noqa: PLC0415

    return {"tls": kwargs_from_env()["tls"]}


def _compose_version() -> str:
    if not process.installed("docker"):
        return ""
    answer = process.run(["docker", "compose", "version", "--short"], check=False)
    return answer.stdout.strip().lstrip("v") if answer.returncode == 0 else ""


def _gpu(info: Mapping[str, Any], directories: Sequence[str] = _CDI_DIRECTORIES) -> Gpu:
    if "nvidia" in (info.get("Runtimes") or {}):
        return Gpu.RUNTIME
    discovered = [device.get("ID", "") for device in info.get("DiscoveredDevices") or ()]
    if any(device.startswith("nvidia.com/gpu") for device in discovered):
        return Gpu.CDI
    # Engines before 28.3 do not list devices; the specifications that they read do.
    for directory in info.get("CDISpecDirs") or ():
        if directory in directories and _names_nvidia(Path(directory)):
            return Gpu.CDI
    return Gpu.NONE


def _names_nvidia(directory: Path) -> bool:
    files = [*directory.glob("*.yaml"), *directory.glob("*.json")]
    return any("nvidia.com/gpu" in file.read_text(errors="replace") for file in files)


def _published(bindings: Mapping[str, Any]) -> Iterator[Port]:
    for container_port, places in bindings.items():
        number, _, _protocol = container_port.partition("/")
        for place in places or ():
            yield Port(int(number), int(place["HostPort"]), place["HostIp"] or "127.0.0.1")
