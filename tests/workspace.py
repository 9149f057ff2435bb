"""A clone of this repository as a person has it, and the commands they type there."""

from __future__ import annotations

import json
import os
import shutil
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from scripts import process
from scripts.container.engines.docker import DockerEngine
from scripts.container.overlay import written_image
from scripts.container.plan import project_name
from tests.forked import run_module

if TYPE_CHECKING:
    from scripts.process import Completed

REPOSITORY = Path(__file__).resolve().parents[1]


@lru_cache
def base_image() -> str:
    """Return the base image that this machine's containers are built on."""
    inv = [sys.executable, "-m", "invoke", "--search-root", str(REPOSITORY)]
    planned = process.run([*inv, "plan", "--json"], cwd=REPOSITORY)
    return str(json.loads(planned.stdout)["base_image"])


class Workspace:
    """A clone at ``root``, used by the user ``uid`` (this process's own if ``None``)."""

    ups: ClassVar = 0
    """How often any of them was brought up, or was to be."""

    def __init__(self, root: Path, uid: int | None = None) -> None:
        self.root = root
        self.uid = uid
        self._clone()

    @classmethod
    def opened(cls, root: Path, uid: int | None = None) -> Workspace:
        """Return a workspace that is there already."""
        found = cls.__new__(cls)
        found.root, found.uid = root, uid
        found.write_env()
        return found

    def _clone(self) -> None:
        """Copy what git would commit now, so that uncommitted work is tested too."""
        listed = process.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=REPOSITORY
        ).stdout
        for name in filter(None, listed.split("\0")):
            if (REPOSITORY / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, self.root / name)
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        process.run(["git", "init", "--quiet", "--initial-branch", "main"], cwd=self.root)
        process.run(["git", "add", "--all"], cwd=self.root)
        process.run(["git", *identity, "commit", "--quiet", "-m", "Clone"], cwd=self.root)
        self.write_env()
        if self.uid is not None:
            process.run(["chown", "-R", f"{self.uid}:{self.uid}", str(self.root)])

    @property
    def project(self) -> str:
        return project_name(self.root.resolve())

    def write_env(self, **values: str) -> None:
        """Write ``.env``; other workspaces hold the usual ports, so none is published."""
        lines = {"PORTS": "none", **values}
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        (self.root / ".env").write_text(text, encoding="utf-8")

    def inv(self, *arguments: str, env: dict[str, str] | None = None) -> Completed:
        """Run a task; the caller judges.

        In this Python, which holds the host requirements; another user may not be let to it, and
        uses ./inv, which finds them one.
        """
        if self.uid is not None:
            return self.run(["./inv", *arguments], env=env)
        Workspace.ups += "up" in arguments
        words = ["--search-root", str(self.root), *arguments]
        return run_module("invoke", words, cwd=self.root, env=env, check=False)

    def run(self, command: list[str], *, env: dict[str, str] | None = None) -> Completed:
        """Run a command here, as this workspace's user."""
        Workspace.ups += "up" in command
        if self.uid is not None:
            user = ["--reuid", str(self.uid), "--regid", str(self.uid), "--init-groups"]
            command = ["setpriv", *user, *command]
            env = {"HOME": str(self.root.parent), "USER": "ada", **(env or {})}
        return process.run(command, cwd=self.root, env=env, check=False)

    def up(self) -> Completed:
        """Bring it up; it must work."""
        done = self.inv("up", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run a task with ``--json`` and return what it printed on standard output."""
        done = self.inv(*arguments, "--json")
        assert done.stdout, done.stderr
        content: dict[str, Any] = json.loads(done.stdout)
        return content

    def rows_of_net(self, env: dict[str, str]) -> dict[str, dict[str, str]]:
        """Return the rows that `./inv net` prints, by their name; it may find that some fail."""
        rows = json.loads(self.inv("net", "--json", env=env).stdout)["rows"]
        return {row["name"]: row for row in rows}

    def container_id(self) -> str:
        labels = [f"label=com.docker.compose.project={self.project}"]
        labels.append("label=com.docker.compose.service=dev")
        labels.append("label=com.docker.compose.oneoff=False")  # images have the other two too
        filters = [word for label in labels for word in ("--filter", label)]
        return process.run(["docker", "ps", "--quiet", "--no-trunc", *filters]).stdout.strip()

    @property
    def image(self) -> str:
        """The image that was planned last."""
        return written_image(self.root)

    def inspect(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(
            process.run(["docker", "inspect", self.container_id()]).stdout
        )[0]
        return facts

    def remove(self, *, images: bool = False) -> None:
        """Take everything down that this workspace made in the engine.

        Its images only where they are nobody else's: every clone of this content has the same.
        """
        if (self.root / ".slipway" / "compose.yml").exists():
            process.run([sys.executable, "-m", "invoke", "down"], cwd=self.root, check=False,
                        env={**os.environ, "BASE_IMAGE": base_image()})  # fmt: skip
        if images:
            label = f"label=com.docker.compose.project={self.project}"
            built = process.run(["docker", "images", "--quiet", "--filter", label]).stdout.split()
            engine = DockerEngine()
            engine.remove_images(set(built))
            engine.close()


def said(done: Completed) -> str:
    """Return all that a command printed, its lines joined as a person reads them."""
    return " ".join((done.stdout + done.stderr).split())
