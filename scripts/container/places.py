"""Where a secret may have ended up: what the engine and .slipway/ hold, read as streams."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from scripts import process
from scripts.container.compose import compose_command
from scripts.container.overlay import OVERLAY, written_image
from scripts.settings.env_file import PROXY_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from scripts.container.needles import Hit, Needles
    from scripts.progress import Phase

CHUNK_BYTES = 1 << 20
"""How much is searched at once: what a processor's cache holds."""


@dataclass(frozen=True)
class Place:
    """One kind of place, how much of it was read, and what stands where in it.

    ``searched_before`` counts what was not read again: the same content, the same secrets.
    """

    name: str
    size_bytes: int
    found: Mapping[str, frozenset[Hit]] = field(default_factory=dict)
    unsearched: tuple[str, ...] = ()
    searched_before: int = 0


class Search:
    """Gathers what is found in one place."""

    def __init__(self, needles: Needles, phase: Phase | None = None) -> None:
        self._needles, self._phase = needles, phase
        self._found: dict[str, frozenset[Hit]] = {}
        self._unsearched: list[str] = []
        self._size_bytes = 0

    def look(self, where: str, chunks: Iterator[bytes]) -> frozenset[Hit]:
        """Search chunks, which are all of one thing; return what is in it."""
        hits = self._needles.find(self._counted(chunks))
        if hits:
            self._found[where] = self._found.get(where, frozenset()) | hits
        return hits

    def look_at(self, where: str, text: str) -> None:
        """Search a text."""
        self.look(where, iter((text.encode(errors="surrogateescape"),)))

    def skip(self, reason: str) -> None:
        """Note that something cannot be searched, and why."""
        self._unsearched.append(reason)

    def place(self, name: str, *, searched_before: int = 0) -> Place:
        """Return what was seen, under the name of this kind of place."""
        unsearched = tuple(self._unsearched)
        return Place(name, self._size_bytes, self._found, unsearched, searched_before)

    def _counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._size_bytes += len(chunk)
            if self._phase is not None:
                self._phase.advance(len(chunk))
            yield chunk


def containers_of(project: str) -> tuple[str, ...]:
    """Return the containers of a compose project, stopped ones too."""
    listed = ["docker", "ps", "--all", "--quiet", "--no-trunc"]
    label = f"label=com.docker.compose.project={project}"
    return tuple(process.run([*listed, "--filter", label]).stdout.split())


def images_of(root: Path, containers: Sequence[str]) -> tuple[str, ...]:
    """Return the images that containers were made of, and the one that is planned."""
    used = ["docker", "inspect", "--format", "{{.Image}}", *containers]
    images = process.run(used).stdout.split() if containers else []
    built = ["docker", "image", "inspect", "--format", "{{.Id}}", written_image(root)]
    images += process.run(built, check=False).stdout.split()
    return tuple(dict.fromkeys(images))


def search_history(images: Sequence[str], needles: Needles) -> Place:
    """Search how images were made, and what they are configured with."""
    search = Search(needles)
    for image in images:
        name = short(image)
        printed = process.run(["docker", "history", "--no-trunc", "--format", "{{json .}}", image])
        search.look_at(f"history of image {name}", printed.stdout)
        printed = process.run(["docker", "image", "inspect", image])
        search.look_at(f"configuration of image {name}", printed.stdout)
    return search.place("image history and configuration")


def search_containers(containers: Sequence[str], needles: Needles) -> Place:
    """Search what containers are configured with: all that `docker inspect` shows."""
    search = Search(needles)
    for container in containers:
        printed = process.run(["docker", "inspect", container])
        search.look_at(f"configuration of container {short(container)}", printed.stdout)
    return search.place("container configuration")


def search_logs(containers: Sequence[str], needles: Needles) -> Place:
    """Search what containers printed."""
    search = Search(needles)
    for container in containers:
        with process.streamed(["docker", "logs", container], both=True) as stream:
            search.look(f"log of container {short(container)}", chunks_of(stream))
    return search.place("container logs")


def search_compose(root: Path, needles: Needles) -> Place:
    """Search what compose makes of its files here.

    The proxies of a build are taken from the environment by name, and Docker keeps them out of
    history and layers: their values in compose's answer are no leak.
    """
    search = Search(needles)
    if (root / OVERLAY).exists():
        command = compose_command(root, ["--profile", "*", "config", "--format", "json"])
        answer = process.run(command, cwd=root)
        content: dict[str, Any] = json.loads(answer.stdout)
        for service in content.get("services", {}).values():
            arguments = (service.get("build") or {}).get("args") or {}
            for key in PROXY_KEYS:
                arguments.pop(key, None)
        search.look_at("`docker compose config`", json.dumps(content, ensure_ascii=False))
    return search.place("compose output")


def search_state(directory: Path, needles: Needles) -> Place:
    """Search the names and contents of all files below a directory; no link is followed."""
    search = Search(needles)
    for path in sorted(directory.rglob("*")):
        where = path.relative_to(directory.parent).as_posix()
        search.look_at(f"name of {where}", where)
        if path.is_symlink() or not path.is_file():
            continue
        try:
            with path.open("rb") as stream:
                search.look(where, chunks_of(stream))
        except OSError as error:
            search.skip(f"{where}: {error.strerror or error}")
    return search.place(f"{directory.name}/")


def chunks_of(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what a stream holds, in pieces."""
    while True:
        chunk = stream.read(CHUNK_BYTES)
        if not chunk:
            return
        yield chunk


def short(identifier: str) -> str:
    """Return the part of an identifier by which people know it."""
    return identifier.rpartition(":")[2][:12]
