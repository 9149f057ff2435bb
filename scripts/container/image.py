"""The image: where its base comes from, whether that is Python 3.9, and the build."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.container.engine import ImageRefused, ImageUnreachable
from scripts.container.model import DEBIAN_BASE_IMAGE, PYTHON_VERSION, SERVICE
from scripts.container.packages import install_packages
from scripts.crossing.reached import hint_for
from scripts.errors import CommandFailed, ContainerError
from scripts.process import run_followed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.container.engine import Engine
    from scripts.crossing.reached import Reached
    from scripts.progress import Progress
    from scripts.settings import Settings

DEBIAN_SUITE = "bullseye"
"""The Debian release whose python3 is 3.9."""
UNREACHED = "SLIPWAY_UNREACHED"
"""Tells a build that no index is in reach; see docker-compose.yml."""
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_BOOTSTRAP_PACKAGES = ("mmdebstrap", "debian-archive-keyring", "uidmap")
"""uidmap lets a user who is not root make a root file system, in a user namespace."""
_BASE_PACKAGES = ("ca-certificates", "python3", "python3-dev", "python3-venv")
_BUILD_STEP = re.compile(r"^#\d+ \[(?:\w+ )?(?P<stage>[\w-]+ \d+/\d+)\] (?P<what>.+)$")
_STEP_SHOWN = 70
_LACKS_PACKAGES = re.compile(
    "No matching distribution found|No solution found|network was disabled", re.IGNORECASE
)
"""What pip, and uv without a network, print where they lack a package."""


def obtain_base(name: str, *, chosen: bool, engine: Engine, root: Path, progress: Progress) -> str:
    """Pull the base image, or make one from Debian packages where no registry has it.

    Args:
        name: The image that is wanted.
        chosen: Whether a person chose it: then a registry's "no" is an error, since something
            else in its place would hide a typing mistake.
        engine: Where the image goes.
        root: The workspace; its ``.slipway`` holds the archive while it is made.
        progress: Told what happens.

    Returns:
        The name of the image that is there now: ``name``, or what stands in for it.

    Raises:
        ContainerError: A chosen image does not exist, or no base could be made.
    """
    try:
        with progress.phase(f"pulling {name}"):
            engine.pull(name)
    except ImageRefused as error:
        if chosen:
            raise ContainerError(
                f"BASE_IMAGE: {error.message}", hint="Look at its name and tag in .env."
            ) from error
        progress.say(error.message)
    except ImageUnreachable as error:
        progress.say(error.message)
    else:
        return name
    if engine.image(DEBIAN_BASE_IMAGE) is not None:
        progress.say(f"{DEBIAN_BASE_IMAGE}, made from Debian packages before, stands in for it.")
    else:
        progress.say("Building a Python 3.9 base from Debian packages instead (about a minute).")
        make_debian_base(engine, root, progress)
    return DEBIAN_BASE_IMAGE


def refresh_base(name: str, engine: Engine, progress: Progress) -> None:
    """Ask a registry for a newer base image; without an answer, what is here has to do."""
    try:
        with progress.phase(f"pulling {name}"):
            engine.pull(name)
    except (ImageRefused, ImageUnreachable) as error:
        progress.say(f"{error.message}; the base image that is here is used.")


def make_debian_base(engine: Engine, root: Path, progress: Progress) -> None:
    """Make the image ``DEBIAN_BASE_IMAGE`` from Debian's packages.

    Raises:
        ContainerError: No mirror gave the packages.
        ToolMissing: mmdebstrap cannot be installed here.
    """
    install_packages(*_BOOTSTRAP_PACKAGES, why="makes a base image", progress=progress)
    archive = root / ".slipway" / "base.tar"
    archive.parent.mkdir(exist_ok=True)
    packages = ",".join(dict.fromkeys((*_BASE_PACKAGES, *system_packages(root))))
    failures: list[CommandFailed] = []
    try:
        for sources in _debian_sources():
            try:
                with progress.phase("fetching Debian packages"):
                    _bootstrap(archive, packages, sources, progress)
            except CommandFailed as error:
                failures.append(error)
                place = sources[-1] if sources else "mmdebstrap's default mirror"
                progress.say(f"Not from {place}: {_reason(error)}")
                continue
            with progress.phase("importing the base image"):
                engine.import_image(archive, DEBIAN_BASE_IMAGE)
            return
    finally:
        archive.unlink(missing_ok=True)
    raise ContainerError(
        f"No Debian mirror gave a Python 3.9 base.\n  {_reason(failures[0])}",
        hint="Set BASE_IMAGE in .env to an image that this machine has, or connect it.",
    ) from failures[0]


def _debian_sources() -> Iterator[tuple[str, ...]]:
    """Yield lines of sources.list to try; none of them means mmdebstrap's own choice.

    Where the security updates cannot be had at all, the release alone has to do.
    """
    mirror = host_mirror()
    if mirror:
        release = f"deb {mirror} {DEBIAN_SUITE} main"
        yield release, f"deb {mirror}-security {DEBIAN_SUITE}-security main"
        yield (release,)
    yield ()


def _bootstrap(archive: Path, packages: str, sources: tuple[str, ...], progress: Progress) -> None:
    """Make the archive; a security update that the mirror lists and does not hold is left out."""
    try:
        _mmdebstrap(archive, packages, sources)
    except CommandFailed as error:
        lacking = lacking_packages(error.stderr)
        if not lacking or len(sources) < len(("release", "security")):
            raise
        progress.say(
            f"The mirror lists a security update of {', '.join(lacking)} that it does not hold; "
            "the release's own package is taken."
        )
        _mmdebstrap(archive, packages, sources, without_update=lacking)


def lacking_packages(stderr: str) -> tuple[str, ...]:
    """Return the packages that apt could not fetch because the mirror does not hold them."""
    names = re.findall(r"Failed to fetch \S*/([^/_\s]+)_\S*\.deb\s+404", stderr)
    return tuple(sorted(set(names)))


def _mmdebstrap(
    archive: Path, packages: str, sources: tuple[str, ...], without_update: tuple[str, ...] = ()
) -> None:
    hooks = []
    if without_update:
        pin = f"Pin: release n={DEBIAN_SUITE}-security\nPin-Priority: -1"
        text = f"Package: {' '.join(without_update)}\n{pin}\n"
        place = '"$1"/etc/apt/preferences.d/slipway'
        hooks = [f"--setup-hook=printf %s {shlex.quote(text)} > {place}"]
    command = [
        "mmdebstrap", "--variant=minbase", f"--keyring={_KEYRING}", f"--include={packages}",
        *hooks, DEBIAN_SUITE, str(archive), *sources,
    ]  # fmt: skip
    run_followed(command, follow=lambda _line: None)


def _reason(error: CommandFailed) -> str:
    lines = [line for line in error.stderr.splitlines() if line.startswith("E: ")]
    return lines[0][3:] if lines else error.message


def host_mirror(sources: Path = Path("/etc/apt")) -> str:
    """Return the Debian mirror that this machine uses already, empty if it uses none."""
    texts = [
        file.read_text(encoding="utf-8", errors="replace")
        for pattern in ("sources.list", "sources.list.d/*.list", "sources.list.d/*.sources")
        for file in sorted(sources.glob(pattern))
    ]
    for text in texts:
        for url in re.findall(
            r"^(?:deb\s+(?:\[.*?\]\s+)?|URIs:\s*)(https?://\S+)", text, re.MULTILINE
        ):
            # An address with a password in it would end up in the image's sources.
            if re.search(r"/debian/?$", url) and "@" not in url:
                return str(url).rstrip("/")
    return ""


def system_packages(root: Path) -> tuple[str, ...]:
    """Return the Debian packages of ``apt.txt``: one a line, ``#`` starts a comment."""
    lines = (root / "apt.txt").read_text(encoding="utf-8").splitlines()
    names = (line.partition("#")[0].strip() for line in lines)
    return tuple(name for name in names if name)


def require_python(base_name: str, engine: Engine) -> None:
    """Check that a base image's python3 is the one that everything here is built for.

    Raises:
        ContainerError: It is another version, or there is none.
    """
    wanted = ".".join(map(str, PYTHON_VERSION))
    program = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    answer = engine.run_once(base_name, ["python3", "-c", program])
    found = answer.stdout.strip()
    if found == wanted:
        return
    what = f"its python3 is {found}" if answer.returncode == 0 else "it has no python3 that starts"
    raise ContainerError(
        f"BASE_IMAGE is {base_name}, which is not Python {wanted}: {what}.",
        hint=f"Choose an image with Python {wanted} in .env, or remove the line for the default.",
    )


def build_step(line: str) -> str:
    """Return what a line of BuildKit's plain progress says a person: the stage and the command.

    Empty for lines that begin no step. Mounts are left out, and a script is cut short.
    """
    step = _BUILD_STEP.match(line)
    if step is None:
        return ""
    what = " ".join(re.sub(r"--mount=\S+", "", step["what"]).split())
    if what.startswith("RUN <<"):
        what = "RUN " + what.partition(" (")[2]
    shown = what if len(what) <= _STEP_SHOWN else f"{what[:_STEP_SHOWN].rstrip()} ..."
    return f"[{step['stage']}] {shown}"


def build_image(
    engine: Engine,
    settings: Settings,
    progress: Progress,
    *,
    options: tuple[str, ...] = (),
    unreached: Reached | None = None,
) -> None:
    """Build the service's image from ``Dockerfile`` and the overlay.

    Args:
        engine: The engine that builds.
        settings: Name the workspace and the package indexes, whose passwords are secrets.
        progress: Told each step.
        options: Of compose's ``build``.
        unreached: The package index, if it is out of reach: then only what is cached is taken.

    Raises:
        ContainerError: The build failed for a known reason.
        CommandFailed: It failed for another one; the message ends with its last lines.
    """
    said = set()

    def follow(line: str) -> None:
        step = build_step(line)
        if step and step not in said:
            said.add(step)
            progress.say(step)

    secrets = settings.network.indexes.for_build()
    if unreached is not None:
        secrets[UNREACHED] = unreached.seen
    try:
        with progress.phase("building the image"):
            command = ["build", *options, SERVICE]
            engine.compose(settings.root, command, follow=follow, secrets=secrets)
    except CommandFailed as error:
        if unreached is None or not _LACKS_PACKAGES.search(error.stderr):
            raise
        raise ContainerError(
            "The build needs packages that are not cached, and their index is out of reach: "
            f"{unreached.seen}.",
            hint=hint_for(unreached),
        ) from error
