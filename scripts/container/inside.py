"""Commands inside: run one in the running container, with the person's terminal and secrets.

Values reach the command through docker's own environment, by name, so that neither the command
line nor `docker inspect` shows them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol
from urllib.parse import quote

from scripts import process
from scripts.container.bringup import connect, find_running
from scripts.container.model import BY_VALUE, PROXIES_LABEL, RELAYED, SERVICES_BESIDE
from scripts.container.overlay import GROUP_UMASK
from scripts.crossing.agent import follow_agent
from scripts.crossing.gpg import follow_gpg
from scripts.crossing.paths import workspace_target
from scripts.crossing.proxies import forward_proxies, plan_proxies
from scripts.errors import SettingsError
from scripts.links.answers import Answers
from scripts.settings.env_file import PASSED_INSIDE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.container.model import ContainerFacts
    from scripts.crossing.proxies import RelayedProxy
    from scripts.progress import Progress
    from scripts.settings import Settings

WORKER = "scripts.links.worker"
_TERMINAL_KEYS = ("TERM", "COLORTERM", "NO_COLOR", "LANG")


def is_inside(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether this process runs in the container."""
    return bool(environ.get("SLIPWAY_CONTAINER"))


def command_inside(
    container: ContainerFacts,
    argv: Sequence[str],
    *,
    workdir: str,
    names: Sequence[str],
    terminal: bool,
    umask: str = "",
) -> list[str]:
    """Return the docker command that runs ``argv`` inside; pure.

    Args:
        container: The running container.
        argv: The command and its arguments.
        workdir: Where it runs inside.
        names: Names of the variables that it gets; docker reads their values by itself.
        terminal: Whether it gets a terminal.
        umask: Its umask in octal digits; empty for the container's own, which docker cannot set.
    """
    if umask:
        argv = ["sh", "-c", 'umask "$0"; exec "$@"', umask, *argv]
    variables = [word for name in names for word in ("--env", name)]
    flags = ["--interactive", *(["--tty"] if terminal else [])]
    return [
        "docker",
        "exec",
        *flags,
        *variables,
        "--workdir",
        workdir,
        container.container_id,
        *argv,
    ]


def hand_over(
    root: Path, argv: Sequence[str], added: Mapping[str, str] = MappingProxyType({})
) -> NoReturn:
    """Hand this terminal over to a command inside; its exit code becomes this process's.

    Args:
        root: The workspace, whose container runs.
        argv: The command and its arguments; inside already, it is run in place.
        added: Variables that it gets beside the settings'.

    Raises:
        ContainerError: The container does not run.
    """
    if is_inside():
        process.become(argv)
    settings, engine = connect(root)
    container = find_running(root, engine)
    follow_host(settings, container)
    environ = {**os.environ, **added}
    command, values = _prepared(settings, container, argv, environ, tuple(added))
    process.become(command, env=values)


def hand_over_task(root: Path, task: str) -> None:
    """Run the task that this process was called for inside instead; return if it is inside.

    Args:
        root: The workspace, whose container runs.
        task: The task's name on the command line; it and all behind it is repeated inside.

    Raises:
        ContainerError: The container does not run.
    """
    if not is_inside():
        hand_over(root, task_command(root, task))


def task_command(root: Path, task: str) -> list[str]:
    """Return the command that repeats inside what this process was called for."""
    words = sys.argv[sys.argv.index(task) :]
    return ["invoke", "--search-root", workspace_target(root), *words]


def require_visible(path: str, root: Path) -> None:
    """Check that a file that is named outside can be written inside under the same name.

    Raises:
        SettingsError: It is not in the workspace.
    """
    if path and not is_inside() and root not in Path(path).resolve().parents:
        raise SettingsError(
            f"{path} is outside the workspace, where the container cannot write.",
            hint=f"Choose a path below {root}.",
        )


class RunShown(Protocol):
    """How a program is run on this terminal: one of :mod:`scripts.process`'s ways."""

    def __call__(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        """Run it and return its exit code."""


def run_inside(
    settings: Settings,
    container: ContainerFacts,
    argv: Sequence[str],
    added: Mapping[str, str],
    *,
    run: RunShown = process.run_shown,
) -> int:
    """Run a command inside on this terminal, with variables ``added``; return its exit code."""
    command, values = _prepared(settings, container, argv, {**os.environ, **added}, tuple(added))
    return run(command, env=values)


def become_logs(root: Path, *, follow: bool, lines: int) -> NoReturn:
    """Hand this terminal over to what the container prints."""
    engine = connect(root)[1]
    container = find_running(root, engine)
    flags = ["--follow"] if follow else []
    process.become(["docker", "logs", "--tail", str(lines), *flags, container.container_id])


def words_behind(argv: Sequence[str]) -> list[str]:
    """Return what stands behind ``--`` on a command line, word for word; nothing without one."""
    return list(argv[argv.index("--") + 1 :]) if "--" in argv else []


def split_command(argv: Sequence[str]) -> list[str]:
    """Return the command that stands behind ``--`` on a command line, word for word.

    Raises:
        SettingsError: There is none.
    """
    command = words_behind(argv)
    if not command:
        raise SettingsError(
            "There is no command to run.", hint="For example: ./inv exec -- python -V"
        )
    return command


def project_command(root: Path, command: str, argv: Sequence[str]) -> list[str]:
    """Return a command of the project in ``demo/``, to be run inside; pure.

    Args:
        root: The workspace.
        command: Which of ``demo/bin``.
        argv: The command line that this process got; what stands behind ``--`` is the command's.
    """
    return ["python", f"{workspace_target(root)}/demo/bin/{command}", *words_behind(argv)]


def ask_inside(
    settings: Settings,
    container: ContainerFacts,
    request: Mapping[str, Any],
    progress: Progress,
    *,
    module: str = WORKER,
) -> dict[str, Any]:
    """Call a function of a worker module inside and return its result.

    It ends when this process does: the worker watches its standard input.

    Raises:
        SlipwayError: What the function raised inside.
        CommandFailed: The worker could not run.
    """
    argv = worker_command({**request, "attended": True}, module)
    command, values = _prepared(settings, container, argv, os.environ, terminal=False)
    answers = Answers(progress)
    process.run_attended(command, follow=answers.take, env=values)
    return answers.result()


def worker_command(request: Mapping[str, Any], module: str = WORKER) -> list[str]:
    """Return the command that has a request answered, to be run inside, in the workspace."""
    return ["python", "-m", module, json.dumps(request)]


def follow_host(settings: Settings, container: ContainerFacts) -> None:
    """See that what a command inside uses of the host is there: agents, and relays to proxies."""
    follow_agent(settings.root, os.environ)
    follow_gpg(settings.root)
    follow_proxies(settings, container)


def follow_proxies(settings: Settings, container: ContainerFacts) -> tuple[RelayedProxy, ...]:
    """See that the relays which the container was made for still run: a restart ends them."""
    if container.labels.get(PROXIES_LABEL) != RELAYED:
        return ()
    plan = plan_proxies(settings.network, services=SERVICES_BESIDE, sockets_cross=True)
    forward_proxies(settings.root, plan.relayed, anew=False)
    return plan.relayed


def values_inside(
    settings: Settings,
    container: ContainerFacts,
    environ: Mapping[str, str],
    added: Sequence[str] = (),
) -> dict[str, str]:
    """Return the variables that a command inside gets; secrets are among them.

    A proxy is not, but where no relay can keep its password outside: the container has it.
    """
    names = (*PASSED_INSIDE, *_TERMINAL_KEYS, *added)
    passed = {key: environ[key] for key in names if environ.get(key)}
    values = {**settings.network.indexes.for_commands(), **settings.passed, **passed}
    if container.labels.get(PROXIES_LABEL) == BY_VALUE:
        plan = plan_proxies(settings.network, services=SERVICES_BESIDE, sockets_cross=False)
        values.update(plan.by_value)
    # A training run records what it ran in; inside, nothing else knows.
    values["SLIPWAY_IMAGE_ID"] = container.image_id
    if settings.dvc.cache_dir is not None:  # inside, a symbolic link to it would lead nowhere
        values["DVC_CACHE_DIR"] = str(settings.dvc.cache_dir)
    return values


def _prepared(
    settings: Settings,
    container: ContainerFacts,
    argv: Sequence[str],
    environ: Mapping[str, str],
    added: Sequence[str] = (),
    *,
    terminal: bool | None = None,
) -> tuple[list[str], dict[str, str]]:
    """Return the docker command and the values of its variables; ``terminal=False`` for programs.

    A program's command runs in the workspace, a person's where the person is.
    """
    values = values_inside(settings, container, environ, added)
    workdir = _same_place(Path.cwd() if terminal is None else settings.root, settings.root)
    if terminal is None:
        terminal = sys.stdin.isatty() and sys.stdout.isatty()
    command = command_inside(
        container, argv, workdir=workdir, names=sorted(values), terminal=terminal,
        umask=GROUP_UMASK if settings.cache_shared else "",
    )  # fmt: skip
    return command, values


def _same_place(here: Path, root: Path) -> str:
    """Return the directory inside that is ``here`` outside; the workspace where there is none."""
    workspace = workspace_target(root)
    try:
        relative = here.resolve().relative_to(root)
    except ValueError:
        return workspace
    return f"{workspace}/{relative.as_posix()}" if relative.parts else workspace


def attach_uri(settings: Settings, container: ContainerFacts) -> str:
    """Return the address under which VS Code attaches to a running container.

    Its Dev Containers extension reads the container's name as JSON in hexadecimal digits.
    """
    name = json.dumps({"containerName": f"/{container.name}"}, separators=(",", ":"))
    path = quote(workspace_target(settings.root))
    return f"vscode-remote://attached-container+{name.encode().hex()}{path}"


def attach_editor(settings: Settings, container: ContainerFacts) -> str:
    """Open VS Code on a running container; return what to tell the person."""
    uri = attach_uri(settings, container)
    if not process.installed("code"):
        return f"`code` is not on PATH. Where it is, open:\n  code --folder-uri {uri}"
    process.run(["code", "--folder-uri", uri])
    return f"VS Code opens {uri}"
