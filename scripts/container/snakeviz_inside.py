"""SnakeViz as its own command starts it, but for one header: its page loads nothing from elsewhere.

Run inside, with SnakeViz's own options. Its page asks a public server for two scripts before it
takes its own copies of them (snakeviz 2.2, viz.html). Where that server cannot be reached, the
chart would wait for it; where it can, its code would see the profile.
"""

from __future__ import annotations

import sys
from typing import Any

import snakeviz.cli
from snakeviz.main import VizHandler

_POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:"


def _set_default_headers(handler: Any) -> None:  # noqa: ANN401  tornado's, which is not ours
    handler.set_header("Content-Security-Policy", _POLICY)


if __name__ == "__main__":
    VizHandler.set_default_headers = _set_default_headers
    sys.exit(snakeviz.cli.main())
