"""How a started server looks: its address on a line of its own, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from scripts.container.web import Server


def server_view(server: Server) -> Text:
    """Return the address alone, so that a program can read it too."""
    return Text(server.url, no_wrap=True, overflow="ignore")


def server_line(server: Server) -> str:
    """Return what a person should know beside it."""
    state = "runs already" if server.ran else "answers"
    return f"{server.title} {state}; it shows {server.shows}"
