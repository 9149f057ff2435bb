"""What `./inv jupyter` and `./inv tensorboard` do inside: start a web server, tell of it, end it.

Run as ``python -m scripts.container.web_inside REQUEST``; speaks the protocol of
:mod:`scripts.links.worker`. A server's token, log and process id are in a directory of the
container that only its user may enter; the token is on no command line and in no variable.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import process
from scripts.errors import ContainerError
from scripts.links.worker import serve

if TYPE_CHECKING:
    from scripts.progress import Progress

ANSWERS_WITHIN_S = 60.0
_ENDS_WITHIN_S = 10.0
_MARK = "SLIPWAY_WEB"
"""A variable of the server, by which its process is known again."""
_LOG_LINES = 10


def start(_: Progress, *, name: str, port: int, shows: str) -> dict[str, Any]:
    """Start a server unless it runs, and wait until it answers.

    Args:
        name: ``jupyter`` or ``tensorboard``.
        port: Where it listens inside.
        shows: The directory that it shows.

    Returns:
        Its token (empty for TensorBoard), what it shows, and whether it ran already.

    Raises:
        ContainerError: It ended at once or does not answer, with the last lines of its log.
    """
    state = _directory(name)
    with (state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = _known(state, name)
        if known is not None:
            return {**known, "ran": True}
        token = secrets.token_urlsafe(24) if name == "jupyter" else ""
        log = state / "log"
        log.unlink(missing_ok=True)
        pid = process.start_logged(
            _command(name, port, shows, _configure(state, token)), log, env={_MARK: name}
        )
        described = {"pid": pid, "port": port, "shows": shows, "token": token}
        _write(state / "server.json", json.dumps(described))
        _wait(name, pid, port, log)
        return {**described, "ran": False}


def stop(_: Progress, *, name: str) -> dict[str, Any]:
    """End a server and forget its token; tell whether it ran."""
    state = _directory(name)
    with (state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = _known(state, name)
        if known is not None:
            _end(known["pid"], name)
        (state / "server.json").unlink(missing_ok=True)
        (state / "config.json").unlink(missing_ok=True)
    return {"ran": known is not None}


def _directory(name: str) -> Path:
    path = Path(tempfile.gettempdir()) / f"slipway-{name}-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise ContainerError(f"{path} in the container is not yours.", hint="Remove it there.")
    path.chmod(0o700)
    return path


def _command(name: str, port: int, shows: str, configuration: Path) -> list[str]:
    if name == "tensorboard":
        return ["tensorboard", "--logdir", shows, "--host", "0.0.0.0", "--port", str(port)]  # noqa: S104  published on the host's 127.0.0.1
    return [
        "jupyter", "lab", "--no-browser", "--ip=0.0.0.0", f"--port={port}",
        "--ServerApp.port_retries=0", f"--ServerApp.root_dir={shows}", f"--config={configuration}",
        *(["--allow-root"] if os.getuid() == 0 else []),
    ]  # fmt: skip


def _configure(state: Path, token: str) -> Path:
    path = state / "config.json"
    _write(path, json.dumps({"IdentityProvider": {"token": token}}))
    return path


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def _known(state: Path, name: str) -> dict[str, Any] | None:
    try:
        described: dict[str, Any] = json.loads((state / "server.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return described if _runs(described["pid"], name) else None


def _runs(pid: int, name: str) -> bool:
    """Tell whether the process is still that server: a number may be another's by now."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    # For a moment after a start the kernel shows no variables at all.
    return status != "Z" and (variables == [b""] or f"{_MARK}={name}".encode() in variables)


def _wait(name: str, pid: int, port: int, log: Path) -> None:
    deadline = time.monotonic() + ANSWERS_WITHIN_S
    while time.monotonic() < deadline:
        if not _runs(pid, name):
            raise _failed(f"{name} ended as soon as it was started.", log)
        if _answers(port):
            return
        time.sleep(0.1)
    _end(pid, name)
    raise _failed(f"{name} does not answer within {ANSWERS_WITHIN_S:g} s.", log)


def _failed(message: str, log: Path) -> ContainerError:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    shown = "".join(f"\n  {line[:200]}" for line in lines[-_LOG_LINES:] if line.strip())
    return ContainerError(message + shown, hint=f"In `./inv shell`, {log} holds all that it said.")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(pid: int, name: str) -> None:
    """End a server, gently first: JupyterLab then ends its kernels."""
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _ENDS_WITHIN_S
    while _runs(pid, name):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1:], {"start": start, "stop": stop}))
