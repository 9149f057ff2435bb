"""What `./inv jupyter` and its like do inside: start a web server, tell of it, end it.

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
import socket
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import process
from scripts.errors import ContainerError
from scripts.links.worker import serve

if TYPE_CHECKING:
    from scripts.progress import Progress

ANSWERS_WITHIN_S = 120.0
"""A first start reads hundreds of modules from a cold disk, and the machine may be busy."""
_ENDS_WITHIN_S = 10.0
_MARK = "SLIPWAY_WEB"
"""A variable of the server, by which its process is known again."""
_LOG_LINES = 10


def start(
    _: Progress, *, name: str, port: int, shows: str, within_s: float = ANSWERS_WITHIN_S
) -> dict[str, Any]:
    """Start a server unless it runs, and wait until it answers.

    Args:
        name: ``jupyter``, ``tensorboard`` or ``snakeviz``.
        port: Where it listens inside.
        shows: The directory that it shows.
        within_s: How long it may take until it answers.

    Returns:
        Its token (empty for all but JupyterLab), what it shows, and whether it ran already.

    Raises:
        ContainerError: Another program has the port, or the server ended at once or does not
            answer; with the last lines of its log.
    """
    state = _directory(name)
    with (state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        log = state / "log"
        known = _known(state, name)
        if known is not None:
            # Whoever started it may have gone before it answered.
            _wait(name, known["pid"], known["port"], log, within_s)
            return {**known, "ran": True}
        if _accepts(port):  # its answers would be taken for those of the new server
            raise ContainerError(
                f"Another program inside listens on port {port}, which is {name}'s.",
                hint="End it; in `./inv shell`, `ps -ef` shows what runs.",
            )
        token = secrets.token_urlsafe(24) if name == "jupyter" else ""
        if log.exists():
            log.replace(state / "log.before")
        pid = process.start_logged(
            _command(name, port, shows, _configure(state, token)), log, env={_MARK: name}
        )
        described = {"pid": pid, "port": port, "shows": shows, "token": token}
        _write(state / "server.json", json.dumps(described))
        _wait(name, pid, port, log, within_s)
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


def last_lines(_: Progress, *, name: str) -> dict[str, Any]:
    """Return the last lines that a server printed."""
    return {"lines": _last_lines(_directory(name) / "log")}


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
    if name == "snakeviz":
        served = [sys.executable, "-m", "scripts.container.snakeviz_inside", "--server"]
        return [*served, "--hostname", "0.0.0.0", "--port", str(port), shows]  # noqa: S104  likewise
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


def _wait(name: str, pid: int, port: int, log: Path, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not _runs(pid, name):
            raise _failed(f"{name} ended as soon as it was started.", log)
        if _answers(port):
            return
        time.sleep(0.1)
    _end(pid, name)
    raise _failed(f"{name} does not answer within {within_s:g} s.", log)


def _failed(message: str, log: Path) -> ContainerError:
    shown = "".join(f"\n  {line}" for line in _last_lines(log))
    return ContainerError(message + shown, hint=f"In `./inv shell`, {log} holds all that it said.")


def _last_lines(log: Path) -> list[str]:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return [line[:200] for line in lines if line.strip()][-_LOG_LINES:]


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


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
    """End a server, gently first: JupyterLab then ends its kernels. It is gone afterwards."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):  # it ended by itself just now
            os.killpg(pid, number)
        deadline = time.monotonic() + _ENDS_WITHIN_S
        while time.monotonic() < deadline:
            if not _runs(pid, name):
                return
            time.sleep(0.05)
    raise ContainerError(
        f"{name} does not end (process {pid} inside).", hint="`./inv down` ends it for certain."
    )


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1:], {"start": start, "stop": stop, "last_lines": last_lines}))
