"""The nouns of heart 1: what was observed, what is planned, what was proven. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from scripts.crossing.agent import SshFacts
from scripts.crossing.git import GitFacts
from scripts.crossing.gpg import GpgFacts
from scripts.crossing.routes import Routes
from scripts.crossing.signing import Signing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scripts.crossing.identity import HostUser, Identity
    from scripts.crossing.mounts import Ground
    from scripts.crossing.paths import Mount
    from scripts.crossing.proxies import RelayedProxy
    from scripts.crossing.ssh_config import SshHost
    from scripts.links.repair import Repaired
    from scripts.settings.values import Port

SERVICE = "dev"
"""The service of docker-compose.yml that a person works in."""
OBJECT_STORE = "object-store"
RAY_HEAD, RAY_WORKER = RAY_NODES = "ray-head", "ray-worker"
"""A Ray cluster; there may be several of the second."""
SERVICES_BESIDE = (OBJECT_STORE, *RAY_NODES)
"""The other services; their names are their host names inside."""
PYTHON_VERSION = (3, 9)
DEBIAN_BASE_IMAGE = "slipway-base:python3.9-bullseye"
"""What the base that Slipway makes itself is called."""
BASE_LABEL = "slipway.base"
INPUTS_LABEL = "slipway.inputs"
WANTED_LABEL = "slipway.wanted-base"
"""What BASE_IMAGE said, where ``BASE_LABEL`` names what stood in for it."""
PLAN_LABEL = "slipway.plan"
PORTS_LABEL = "slipway.ports"
"""What PORTS said when the container was made, where other ports may have had to do."""
PROXIES_LABEL = "slipway.proxies"
"""How a container reaches the host's proxies, where that needs help at run time: one of these."""
RELAYED, BY_VALUE = "relayed", "by value"


class Gpu(Enum):
    """How the engine offers a GPU, if it does."""

    NONE = "none"
    RUNTIME = "nvidia runtime"
    CDI = "CDI"


@dataclass(frozen=True)
class EngineFacts:
    """What the engine says about itself.

    ``compose_version`` is empty without the plugin, ``kernel`` the release that containers run on,
    ``desktop`` whether it is Docker Desktop, ``in_vm`` whether containers run in a virtual machine,
    as they do there and on every system but Linux.
    """

    version: str
    rootless: bool
    gpu: Gpu
    compose_version: str
    kernel: str = ""
    desktop: bool = False
    in_vm: bool = False


@dataclass(frozen=True)
class ImageFacts:
    """An image that the engine holds.

    ``layers`` tell its content: the id tells labels too, and each tool that builds adds its own.
    """

    image_id: str
    labels: Mapping[str, str]
    layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class ContainerFacts:
    """The service's container.

    ``health`` is empty where there is no health check, ``layers`` are those of its image.
    """

    container_id: str
    name: str
    running: bool
    health: str
    image_id: str
    labels: Mapping[str, str]
    ports: tuple[Port, ...] = ()
    layers: tuple[str, ...] = ()

    def is_made_of(self, image: ImageFacts) -> bool:
        """Tell whether it runs what ``image`` holds."""
        alike = bool(self.layers) and self.layers == image.layers
        return alike or self.image_id == image.image_id


@dataclass(frozen=True)
class Observed:
    """All facts that a plan needs, gathered in one place.

    ``groups`` are the groups by which the person may use the directories that are mounted;
    ``files`` maps the names of the files that go into the image or the service to their text;
    ``base`` is the image that ``base_name`` names, ``None`` where it is not local yet; ``taken``
    are the places on the host where a port might be published, but where something listens;
    ``unread_bundles`` are variables whose file of certificates is of no use.
    """

    engine: EngineFacts
    user: HostUser
    ground: Ground
    groups: tuple[int, ...]
    aws_directory: Path | None
    ca_bundle: Path | None
    files: Mapping[str, str]
    base_name: str
    base: ImageFacts | None
    image: ImageFacts | None
    container: ContainerFacts | None
    taken: frozenset[Port] = frozenset()
    unread_bundles: tuple[str, ...] = ()
    routes: Routes = field(default_factory=Routes)
    git: GitFacts = field(default_factory=GitFacts, repr=False)
    ssh: SshFacts = field(default_factory=SshFacts, repr=False)
    ssh_hosts: tuple[SshHost, ...] = ()
    gpg: GpgFacts = field(default_factory=GpgFacts)


class Action(Enum):
    """One thing that ``up`` does, in the order of this list."""

    OBTAIN_BASE = "obtain the base image"
    BUILD = "build the image"
    CREATE = "create the container"
    RECREATE = "replace the container"
    START = "start the container"


@dataclass(frozen=True)
class Step:
    """An action of a plan, and why it is in it."""

    action: Action
    reason: str


@dataclass(frozen=True)
class ContainerPlan:
    """What the container will be, and what has to be done for it.

    ``overlay`` is the text of ``.slipway/compose.yml``, ``files`` that of what git and ssh read
    inside, by path in the workspace, ``agent`` the SSH agent that is passed on, ``agent_needed``
    whether git has a use for it, ``agent_fix`` what brings it a key, ``gpg`` the agent of GnuPG,
    ``signing`` how git inside signs, ``relayed`` the proxies that are passed on, and ``lent`` the
    remotes for which the host's credentials are. ``index_url`` is the
    package index, without an account; empty for the tools' own default. ``steps`` is empty where
    the container runs already, as planned. ``notes`` are choices that a person should know of.
    """

    root: Path
    project: str
    image: str
    workspace: str
    cache_directory: str
    identity: Identity
    groups: tuple[int, ...]
    mounts: tuple[Mount, ...]
    ports: tuple[Port, ...]
    gpu: Gpu
    base_name: str
    ca_bundle: Path | None
    inputs: str
    overlay: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    agent: Path | None = None
    agent_needed: bool = False
    agent_fix: str = ""
    gpg: GpgFacts = field(default_factory=GpgFacts)
    signing: Signing = field(default_factory=Signing)
    lent: tuple[str, ...] = ()
    relayed: tuple[RelayedProxy, ...] = ()
    index_url: str = ""

    def needs(self, action: Action) -> bool:
        """Tell whether ``action`` is one of the steps."""
        return any(step.action is action for step in self.steps)

    def as_json(self) -> dict[str, object]:
        """Return the plan for programs."""
        return {
            "schema_version": 1,
            "project": self.project,
            "image": self.image,
            "base_image": self.base_name,
            "workspace": self.workspace,
            "cache_directory": self.cache_directory,
            "user": {
                "name": self.identity.username,
                "uid": self.identity.uid,
                "gid": self.identity.gid,
                "reason": self.identity.reason,
                "groups": list(self.groups),
            },
            "mounts": [
                {
                    "source": str(mount.source),
                    "target": mount.target,
                    "purpose": mount.purpose,
                    "read_only": mount.read_only,
                }
                for mount in self.mounts
            ],
            "ports": [port.as_json() for port in self.ports],
            "gpu": self.gpu.value,
            "ca_bundle": str(self.ca_bundle) if self.ca_bundle else None,
            "steps": [{"action": step.action.value, "reason": step.reason} for step in self.steps],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Status:
    """The container as it is, beside what ``up`` would make of it."""

    plan: ContainerPlan
    container: ContainerFacts | None

    def as_json(self) -> dict[str, object]:
        """Return the status for programs."""
        found = self.container
        return {
            "schema_version": 1,
            "container": found.name if found else None,
            "running": bool(found and found.running),
            "health": found.health if found else "",
            "image": self.plan.image,
            "workspace": self.plan.workspace,
            "ports": [port.as_json() for port in self.plan.ports],
            "up_to_date": not self.plan.steps,
        }


class Verdict(Enum):
    """What a check found."""

    WORKS = "works"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Check:
    """One row of the proof: a name, a verdict, what was seen, and what to do about it."""

    name: str
    verdict: Verdict
    seen: str
    hint: str = ""


@dataclass(frozen=True)
class Proof:
    """What was found by asking from inside.

    ``elapsed_s`` is how long asking took, ``repaired`` what was mended before, if that was asked.
    """

    checks: tuple[Check, ...]
    elapsed_s: float = field(compare=False, default=0.0)
    repaired: Repaired | None = None

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.verdict is Verdict.FAILED)

    def as_json(self) -> dict[str, object]:
        """Return the proof for programs."""
        return {
            "schema_version": 1,
            "works": not self.failed,
            "elapsed_s": round(self.elapsed_s, 3),
            "repaired": self.repaired.as_json() if self.repaired else None,
            "checks": [
                {
                    "name": check.name,
                    "verdict": check.verdict.value,
                    "seen": check.seen,
                    "hint": check.hint,
                }
                for check in self.checks
            ],
        }
