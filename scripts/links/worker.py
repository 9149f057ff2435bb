"""Answer one request from the host: the functions of this room, called inside the container.

``python -m scripts.links.worker REQUEST`` with a JSON object: ``{"call": NAME, ARGUMENTS}``. On
standard output, one JSON object per line::

    {"phase": NAME, "total": N or null, "unit": UNIT}   a phase begins, and ends the one before
    {"advance": N}                                      so many more units are done
    {"phase_end": true}
    {"say": TEXT}
    {"result": {...}}   or   {"error": {"kind": CLASS, "message": TEXT, "hint": TEXT}}  at last

Everything else, and what libraries print, goes to standard error. With ``"attended": true`` it
ends when its standard input does: the host's process is gone then.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from scripts.errors import EXIT_INTERRUPTED, CacheError, SlipwayError
from scripts.links.answers import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

    from scripts.progress import Phase, Progress

_INTERVAL_S = 0.1
"""How long counts are gathered before a line tells them."""


class LineProgress:
    """A :class:`scripts.progress.Progress` that writes lines of the protocol."""

    def __init__(self, lines: TextIO) -> None:
        self._lines = lines
        self._lock = threading.Lock()
        self._gathered = 0
        self._told_s = 0.0

    def write(self, content: dict[str, Any]) -> None:
        """Write one line, at once."""
        with self._lock:
            self._write(content)

    def _write(self, content: dict[str, Any]) -> None:
        self._lines.write(json.dumps(content) + "\n")
        self._lines.flush()

    @contextmanager
    def phase(
        self, name: str, *, total: int | None = None, unit: str = "objects"
    ) -> Iterator[Phase]:
        """Open a phase."""
        self.write({"phase": name, "total": total, "unit": unit})
        try:
            yield self
        finally:
            with self._lock:
                self._tell()
                self._write({"phase_end": True})

    def advance(self, amount: int = 1) -> None:
        """Count more units as done; safe to call from any thread."""
        with self._lock:
            self._gathered += amount
            if time.monotonic() - self._told_s >= _INTERVAL_S:
                self._tell()

    def _tell(self) -> None:
        if self._gathered:
            self._write({"advance": self._gathered})
            self._gathered = 0
            self._told_s = time.monotonic()

    def say(self, message: str) -> None:
        """Tell one thing that a person wants to know now."""
        self.write({"say": message})


def _probe(
    _: Progress,
    *,
    cache: str,
    workspace: str,
    files: int = 0,
    file_bytes: int = 0,
    visible: Sequence[str] = (),
) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415

    from scripts.links.probe import probe  # noqa: PLC0415

    for path in visible:
        if not os.path.lexists(path):
            raise CacheError(
                f"Inside, the cache is another directory than outside: {path} is not there.",
                hint="`./inv up` mounts it as the settings say now.",
            )
    return asdict(probe(Path(cache), Path(workspace), files=files, file_bytes=file_bytes))


def _tracked(
    progress: Progress,
    *,
    root: str = ".",
    link_types: Sequence[str] = (),
    contents: bool = False,
    listed: int | None = None,
) -> dict[str, Any]:
    from scripts.links.checkout import LISTED  # noqa: PLC0415
    from scripts.links.tracked import observe  # noqa: PLC0415

    tracked = observe(_absolute(root), contents=contents, progress=progress)
    return tracked.overview(link_types, listed=LISTED if listed is None else listed).as_json()


def _relink(
    progress: Progress,
    *,
    link_types: Sequence[str],
    root: str = ".",
    paths: Sequence[str] | None = None,
    allow_copy: bool = False,
) -> dict[str, Any]:
    from scripts.links.relink import relink  # noqa: PLC0415

    return relink(
        _absolute(root), link_types, paths=paths, allow_copy=allow_copy, progress=progress
    ).as_json()


def _repair(progress: Progress, *, link_types: Sequence[str], root: str = ".") -> dict[str, Any]:
    from scripts.links.repair import repair  # noqa: PLC0415

    return repair(_absolute(root), link_types, progress=progress).as_json()


def _plot(_: Progress, *, report: dict[str, Any], path: str) -> dict[str, Any]:
    from scripts.links.plot import plot_types  # noqa: PLC0415

    plot_types(report, Path(path))
    return {}


CALLS: dict[str, Callable[..., dict[str, Any]]] = {
    "probe": _probe,
    "tracked": _tracked,
    "relink": _relink,
    "repair": _repair,
    "plot": _plot,
}
"""What can be asked for. Each imports what it needs: the probe answers before DVC would be read."""


def answer(
    request: dict[str, Any],
    progress: LineProgress,
    calls: Mapping[str, Callable[..., dict[str, Any]]] = CALLS,
) -> int:
    """Answer a request on the lines of ``progress`` and return the exit code."""
    arguments = {key: value for key, value in request.items() if key not in ("call", "attended")}
    try:
        progress.write({"result": calls[request["call"]](progress, **arguments)})
    except SlipwayError as error:
        kind = type(error).__name__
        progress.write({"error": {"kind": kind, "message": error.message, "hint": error.hint}})
    except KeyboardInterrupt:
        progress.write({"error": {"kind": INTERRUPTED, "message": "interrupted", "hint": ""}})
        return EXIT_INTERRUPTED
    return 0


def serve(argv: Sequence[str], calls: Mapping[str, Callable[..., dict[str, Any]]] = CALLS) -> int:
    """Answer the request that is the only argument, by one of ``calls``; return the exit code."""
    request = json.loads(argv[0])
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    if request.get("attended"):
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    return answer(request, LineProgress(lines), calls)


def _end_with_stdin() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGINT)


def _absolute(root: str) -> Path:
    return Path(os.path.abspath(root))  # noqa: PTH100  links in it stay: paths are compared as text


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1:]))
