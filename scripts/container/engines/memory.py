"""An engine that only remembers: the fake that tests and examples plan and bring up against.

It keeps the contract of :class:`scripts.container.engine.Engine`, lies on request
(``unreachable``, ``refuses``), and records what it was asked to change in ``changes``.
"""

from __future__ import annotations

import itertools
import json
import re
import tarfile
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from scripts.container.engine import EngineMissing, ImageRefused, ImageUnreachable
from scripts.container.model import (
    BASE_LABEL,
    INPUTS_LABEL,
    PLAN_LABEL,
    PORTS_LABEL,
    SERVICE,
    WANTED_LABEL,
    ContainerFacts,
    EngineFacts,
    Gpu,
    ImageFacts,
)
from scripts.container.overlay import OVERLAY
from scripts.errors import CommandFailed
from scripts.process import Completed
from scripts.settings.values import parse_ports

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from scripts.container.engine import Follow

_VERBS = ("build", "run", "up", "stop", "rm", "down")
_FACTS = EngineFacts(
    version="26.1.5", rootless=False, gpu=Gpu.NONE, compose_version="2.26.1", kernel="6.1.0"
)


@dataclass
class MemoryEngine:
    """A fake engine. ``registry`` is what it can pull; ``python`` what a base's python3 says."""

    engine_facts: EngineFacts = _FACTS
    available: bool = True
    registry: frozenset[str] = frozenset()
    registry_reachable: bool = True
    python: str = "3.9"
    fail_on: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    images: dict[str, ImageFacts] = field(default_factory=dict)
    containers: dict[tuple[str, str], ContainerFacts] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def facts(self) -> EngineFacts:
        """Return the facts it was made with."""
        if not self.available:
            raise EngineMissing("No Docker engine answers.", hint="Run `./inv engine`.")
        return self.engine_facts

    def image(self, name: str) -> ImageFacts | None:
        """Return an image it remembers."""
        return self.images.get(name)

    def container(self, project: str, service: str) -> ContainerFacts | None:
        """Return a container it remembers."""
        return self.containers.get((project, service))

    def pull(self, name: str) -> None:
        """Take an image out of ``registry``."""
        if not self.registry_reachable:
            raise ImageUnreachable(f"{name} cannot be pulled: no route to host")
        if name not in self.registry:
            raise ImageRefused(f"{name} cannot be pulled: not found")
        self._add_image(name, {})
        self.changes.append(f"pull {name}")

    def import_image(self, archive: Path, name: str) -> None:
        """Remember an image, and how large its files are."""
        with tarfile.open(archive) as files:
            self.sizes[name] = sum(file.size for file in files)
        self._add_image(name, {})
        self.changes.append(f"import {name}")

    def unused_images(self, repository: str, label: str) -> tuple[str, ...]:
        """Return the names of images that no container it remembers is made of."""
        del label  # it remembers no image without a name
        used = {container.image_id for container in self.containers.values()}
        return tuple(
            sorted(
                name
                for name, image in self.images.items()
                if name.startswith(f"{repository}:") and image.image_id not in used
            )
        )

    def held_by(self, images: Collection[str]) -> int:
        """Return the sizes of what was imported: what is built adds nothing to its base here."""
        return sum(self.sizes.get(name, 0) for name in images)

    def remove_images(self, images: Collection[str]) -> int:
        """Forget images, but those of containers."""
        used = {container.image_id for container in self.containers.values()}
        gone = [name for name in images if self.images[name].image_id not in used]
        freed = self.held_by(gone)
        for name in gone:
            del self.images[name]
            self.changes.append(f"remove {name}")
        return freed

    def run_once(self, image: str, argv: Sequence[str]) -> Completed:
        """Answer as a base image's python3 would."""
        return Completed(tuple(argv), 0, f"{self.python}\n", "" if image in self.images else "?")

    def logs(self, container_id: str, *, lines: int) -> str:
        """Return nothing: no container ever printed."""
        return f"{container_id}: {lines} lines asked\n"

    def drop_networks(self, project: str) -> None:
        """Record it: it has no networks."""
        self.changes.append(f"drop networks of {project}")

    def compose(
        self,
        root: Path,
        arguments: Sequence[str],
        *,
        follow: Follow = None,
        secrets: Mapping[str, str] = MappingProxyType({}),
    ) -> Completed:
        """Do what ``build``, ``run``, ``up`` and ``down`` do, in memory, by the overlay's text."""
        self.secrets.update(secrets)
        verb = next(word for word in arguments if word in _VERBS)
        if verb == self.fail_on:
            raise CommandFailed(["docker", "compose", *arguments], 1, f"{verb} failed on purpose")
        overlay = (root / OVERLAY).read_text(encoding="utf-8")
        project = _value(overlay, r'^name: "(.*)"')
        image = _value(overlay, r'^    image: "(.*)"')
        if verb == "build":
            labels = {
                key: _value(overlay, rf'"{key}": "(.*?)"')
                for key in (INPUTS_LABEL, BASE_LABEL, WANTED_LABEL)
            }
            self._add_image(image, labels)
        elif verb == "up":
            labels = {
                key: _value(overlay, rf'"{key}": "(.*?)"') for key in (PLAN_LABEL, PORTS_LABEL)
            }
            ports = json.loads(_value(overlay, r"^    ports: !override (.*)$"))
            identifier = f"container-{next(self._numbers)}"
            self.containers[project, SERVICE] = ContainerFacts(
                identifier, f"{project}-{SERVICE}-1", running=True, health="",
                image_id=self.images[image].image_id,
                labels={**self.images[image].labels, **labels},
                ports=parse_ports(",".join(ports) or "none"),
            )  # fmt: skip
        elif verb in ("down", "rm"):
            self.containers.pop((project, SERVICE), None)
        elif verb == "stop":
            known = self.containers[project, SERVICE]
            self.containers[project, SERVICE] = replace(known, running=False)
        self.changes.append(verb)
        if follow is not None:
            follow(f"{verb} done")
        return Completed(tuple(arguments), 0, "", "")

    def execute(
        self,
        container_id: str,
        argv: Sequence[str],
        *,
        stdin: str = "",
        timeout_s: float | None = None,
    ) -> Completed:
        """Return the answer laid down for a command's first word."""
        del stdin, timeout_s
        answer = self.answers.get(argv[0])
        found = 0 if answer is not None else 127
        return Completed(tuple(argv), found, answer or "", "" if answer else container_id)

    def _add_image(self, name: str, labels: Mapping[str, str]) -> None:
        self.images[name] = ImageFacts(f"sha256:{next(self._numbers):064d}", labels)


def _value(text: str, pattern: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise CommandFailed(["docker", "compose"], 15, f"the overlay lacks {pattern}")
    return found.group(1)
