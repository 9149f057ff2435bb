"""The container engine as Slipway needs it: one protocol, whose comments are its contract."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Callable, Optional, Protocol

from scripts.errors import ContainerError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from scripts.container.model import ContainerFacts, EngineFacts, ImageFacts
    from scripts.process import Completed


Follow = Optional[Callable[[str], None]]
"""Gets each line that a long command prints."""


class EngineUnavailable(ContainerError):
    """No engine answers, or it does not let this user in."""


class EngineMissing(EngineUnavailable):
    """No engine answers; installing or starting one would help."""


class ImageRefused(ContainerError):
    """A registry answered, and said no: there is no such image, or it is not for this user."""


class ImageUnreachable(ContainerError):
    """No registry could be reached for an image."""


class Engine(Protocol):
    """What is asked of a container engine and of compose.

    Every method raises :class:`EngineUnavailable` if the engine stops answering.
    """

    def facts(self) -> EngineFacts:
        """Return what the engine says about itself."""

    def image(self, name: str) -> ImageFacts | None:
        """Return a local image; never asks a registry."""

    def container(self, project: str, service: str) -> ContainerFacts | None:
        """Return the service's container, running or not."""

    def pull(self, name: str) -> None:
        """Pull an image.

        Raises:
            ImageRefused: The registry says that there is no such image, or not for this user.
            ImageUnreachable: No registry answered.
        """

    def import_image(self, archive: Path, name: str) -> None:
        """Make an image of one layer out of a tar archive of a root file system."""

    def unused_images(self, repository: str, label: str) -> tuple[str, ...]:
        """Return what no container is made of, running or not.

        Args:
            repository: Its images are returned by their names.
            label: Images without a name that have it are returned by their ids.
        """

    def held_by(self, images: Collection[str]) -> int:
        """Return how many bytes the engine holds for these images alone."""

    def remove_images(self, images: Collection[str]) -> int:
        """Remove images, and what the build cache holds of them alone; return the bytes freed.

        One that a container has come to be made of stays.
        """

    def run_once(self, image: str, argv: Sequence[str]) -> Completed:
        """Run a command in a container that is gone afterwards; no network, no mounts."""

    def logs(self, container_id: str, *, lines: int) -> str:
        """Return the last lines that a container printed."""

    def drop_networks(self, project: str) -> None:
        """Remove the project's networks that no container is on."""

    def compose(
        self,
        root: Path,
        arguments: Sequence[str],
        *,
        follow: Follow = None,
        secrets: Mapping[str, str] = MappingProxyType({}),
    ) -> Completed:
        """Run compose on the workspace's files and return what it printed.

        Args:
            root: The workspace.
            arguments: What compose shall do.
            follow: Gets each line as it is printed: for long work.
            secrets: Variables that its files name beside those of the environment.

        Raises:
            ContainerError: It failed for a reason that is known; the hint says what helps.
            CommandFailed: It failed for another reason.
        """

    def execute(
        self,
        container_id: str,
        argv: Sequence[str],
        *,
        stdin: str = "",
        timeout_s: float | None = None,
    ) -> Completed:
        """Run a command in a running container; its exit code is for the caller to judge."""
