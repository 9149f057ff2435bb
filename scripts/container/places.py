"""Where a secret may have ended up: what the engine and .slipway/ hold, read as streams."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, cast

from scripts import process
from scripts.container.compose import compose_command
from scripts.container.overlay import OVERLAY
from scripts.container.plan import project_name
from scripts.settings.env_file import PROXY_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from scripts.container.needles import Hit, Needles
    from scripts.progress import Phase, Progress

_CHUNK_BYTES = 4 << 20
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
"""How gzip, bzip2 and xz begin, which tarfile opens by itself."""
_ZSTANDARD = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class Place:
    """One kind of place, how much of it was read, and what stands where in it."""

    name: str
    size_bytes: int
    found: Mapping[str, frozenset[Hit]] = field(default_factory=dict)
    unsearched: tuple[str, ...] = ()


class _Search:
    """Gathers what is found in one place."""

    def __init__(self, needles: Needles, phase: Phase | None = None) -> None:
        self._needles, self._phase = needles, phase
        self._found: dict[str, frozenset[Hit]] = {}
        self._unsearched: list[str] = []
        self._size_bytes = 0

    def look(self, where: str, chunks: Iterator[bytes]) -> None:
        hits = self._needles.find(self._counted(chunks))
        if hits:
            self._found[where] = self._found.get(where, frozenset()) | hits

    def look_at(self, where: str, text: str) -> None:
        self.look(where, iter((text.encode(errors="surrogateescape"),)))

    def skip(self, reason: str) -> None:
        self._unsearched.append(reason)

    def place(self, name: str) -> Place:
        return Place(name, self._size_bytes, self._found, tuple(self._unsearched))

    def _counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._size_bytes += len(chunk)
            if self._phase is not None:
                self._phase.advance(len(chunk))
            yield chunk


def search_all(root: Path, needles: Needles, progress: Progress) -> tuple[Place, ...]:
    """Search everything that belongs to the workspace ``root``.

    Raises:
        CommandFailed: The engine does not give what it holds.
    """
    project = project_name(root)
    listed = ["docker", "ps", "--all", "--quiet", "--no-trunc"]
    label = f"label=com.docker.compose.project={project}"
    containers = process.run([*listed, "--filter", label]).stdout.split()
    used = ["docker", "inspect", "--format", "{{.Image}}", *containers]
    images = process.run(used).stdout.split() if containers else []
    built = ["docker", "image", "inspect", "--format", "{{.Id}}", f"slipway-dev:{project}"]
    images += process.run(built, check=False).stdout.split()
    images = list(dict.fromkeys(images))
    with progress.phase("searching containers, logs and .slipway/"):
        small = (
            search_history(images, needles),
            search_containers(containers, needles),
            search_logs(containers, needles),
            search_compose(root, needles),
            search_state(root / OVERLAY.partition("/")[0], needles),
        )
    return (*small, search_layers(images, needles, progress))


def search_history(images: Sequence[str], needles: Needles) -> Place:
    """Search how images were made, and what they are configured with."""
    search = _Search(needles)
    for image in images:
        name = _short(image)
        printed = process.run(["docker", "history", "--no-trunc", "--format", "{{json .}}", image])
        search.look_at(f"history of image {name}", printed.stdout)
        printed = process.run(["docker", "image", "inspect", image])
        search.look_at(f"configuration of image {name}", printed.stdout)
    return search.place("image history and configuration")


def search_containers(containers: Sequence[str], needles: Needles) -> Place:
    """Search what containers are configured with: all that `docker inspect` shows."""
    search = _Search(needles)
    for container in containers:
        printed = process.run(["docker", "inspect", container])
        search.look_at(f"configuration of container {_short(container)}", printed.stdout)
    return search.place("container configuration")


def search_logs(containers: Sequence[str], needles: Needles) -> Place:
    """Search what containers printed."""
    search = _Search(needles)
    for container in containers:
        with process.streamed(["docker", "logs", container], both=True) as stream:
            search.look(f"log of container {_short(container)}", _chunks(stream))
    return search.place("container logs")


def search_compose(root: Path, needles: Needles) -> Place:
    """Search what compose makes of its files here.

    The proxies of a build are taken from the environment by name, and Docker keeps them out of
    history and layers: their values in compose's answer are no leak.
    """
    search = _Search(needles)
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
    search = _Search(needles)
    for path in sorted(directory.rglob("*")):
        where = path.relative_to(directory.parent).as_posix()
        search.look_at(f"name of {where}", where)
        if path.is_symlink() or not path.is_file():
            continue
        try:
            with path.open("rb") as stream:
                search.look(where, _chunks(stream))
        except OSError as error:
            search.skip(f"{where}: {error.strerror or error}")
    return search.place(f"{directory.name}/")


def search_layers(images: Sequence[str], needles: Needles, progress: Progress) -> Place:
    """Search every file of every layer, those that a later layer removes too.

    Nothing is unpacked to the disk; files that are packed themselves are searched as they are.
    """
    if not images:
        return Place("image layers", 0)
    sizes = process.run(["docker", "image", "inspect", "--format", "{{.Size}}", *images]).stdout
    total = sum(map(int, sizes.split()))
    with progress.phase("searching image layers", total=total, unit="bytes") as phase:
        search = _Search(needles, phase)
        with process.streamed(["docker", "save", *images]) as stream, _opened(stream) as saved:
            for member in saved:
                part = saved.extractfile(member) if member.isfile() else None
                if part is not None:
                    _search_part(search, member.name, part)
    return search.place("image layers")


def _search_part(search: _Search, name: str, part: IO[bytes]) -> None:
    """Search one part of a saved image: a layer, which is an archive itself, or a description."""
    head = part.read(512)
    rest = _Rejoined(head, part)
    layer = f"image layer {_short(name.replace('/layer.tar', '').rpartition('/')[2])}"
    magic = head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + len(_TAR_MAGIC)]
    if head.startswith(_ZSTANDARD):
        search.skip(f"{layer}: it is packed with zstandard")
    elif magic != _TAR_MAGIC and not head.startswith(_PACKED):
        search.look(f"{name} of the saved image", _chunks(rest))
    else:
        with _opened(rest) as files:
            for member in files:
                search.look_at(f"{layer}, a name", f"{member.name} {member.linkname}")
                content = files.extractfile(member) if member.isreg() else None
                if content is not None and member.size:
                    search.look(f"{layer}, file /{member.name}", _chunks(content))


class _Rejoined(io.RawIOBase):
    """A stream of which the beginning has been read already."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int = -1) -> bytes:
        if not self._head:
            return self._rest.read(size)
        wanted = len(self._head) if size < 0 else size
        head, self._head = self._head[:wanted], self._head[wanted:]
        return head + self._rest.read(size if size < 0 else size - len(head))


def _opened(stream: object) -> tarfile.TarFile:
    return tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|*", bufsize=1 << 20)


def _chunks(stream: IO[bytes] | _Rejoined) -> Iterator[bytes]:
    while True:
        chunk = stream.read(_CHUNK_BYTES)
        if not chunk:
            return
        yield chunk


def _short(identifier: str) -> str:
    return identifier.rpartition(":")[2][:12]
