"""Relays: start the program relay.py on the host, on a socket of the workspace, and ask it."""

from __future__ import annotations

import os
import socket
import stat
import sys
import time
from pathlib import Path

from scripts import process
from scripts.crossing.identity import served_owner

RELAY = Path(__file__).with_name("relay.py")
_START_S = 5


def start_relay(
    root: Path, listening: Path, upstream: str, *options: str, secret: str = ""
) -> bool:
    """Start a relay on the host, in place of one that listens already; tell whether it listens.

    Args:
        root: The workspace, whose owner may connect.
        listening: The socket to listen on, below ``root``.
        upstream: Where to; see :mod:`scripts.crossing.relay`.
        options: Further words of its command line.
        secret: What it reads from standard input, so that no list of processes shows it.
    """
    listening.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    listening.parent.chmod(0o755)  # what else is there is read inside; the socket has its own mode
    listening.unlink(missing_ok=True)
    command = [sys.executable, "-I", str(RELAY), f"unix:{listening.resolve()}", upstream, *options]
    owner = served_owner(root)
    if owner is not None:
        command += ["--owner", f"{owner[0]}:{owner[1]}"]
    process.start_detached(command, stdin=secret)
    end = time.monotonic() + _START_S
    while not answers(listening) and time.monotonic() < end:
        time.sleep(0.02)
    return answers(listening)


def answers(listening: Path) -> bool:
    """Tell whether a process listens; a socket without one refuses."""
    try:
        if not stat.S_ISSOCK(listening.stat().st_mode):
            return False
        directory = os.open(listening.parent, os.O_RDONLY)
        try:
            with socket.socket(socket.AF_UNIX) as attempt:
                attempt.settimeout(1)
                attempt.connect(f"/proc/self/fd/{directory}/{listening.name}")
        finally:
            os.close(directory)
    except OSError:
        return False
    return True
