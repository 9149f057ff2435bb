"""The words of a command line: how those of many runs become those of one."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import open_dict, read_write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MANY = ("-m", "--multirun", "hydra.mode=")
_ONE = "hydra.mode=RUN"


def searching(words: Sequence[str]) -> list[str]:
    """Return a command's words with ``-m`` where a search is chosen: that is always many runs."""
    chosen = [word for word in words if word.startswith("hparams_search=")]
    said = any(word.startswith(_MANY) for word in words)
    return [*words] if said or not chosen or chosen[-1].endswith("=null") else [*words, "-m"]


def alone(words: Sequence[str]) -> list[str]:
    """Return the words of a trial of a search as those of a run of its own."""
    kept = [word for word in words if not word.startswith("trial=")]
    return kept if len(kept) == len(words) else [*kept, _ONE]


def quoted(path: Path) -> str:
    """Return a path as Hydra reads it as one value."""
    return "'{}'".format(str(path).replace("\\", "\\\\").replace("'", "\\'"))


@contextmanager
def one_of_many() -> Iterator[None]:
    """Let a run that is one of many look like the only one, to whatever starts processes for it.

    Lightning starts the other processes of a distributed run with this one's command line, which
    is that of all the runs, and leaves in the environment that they are there.
    """
    settings: Any = HydraConfig.get()
    if settings.mode != RunMode.MULTIRUN:
        yield
        return
    with read_write(settings), open_dict(settings):
        settings.run.dir = settings.runtime.output_dir
    argv, environ = sys.argv, dict(os.environ)
    sys.argv = [argv[0], *settings.overrides.task, *settings.overrides.hydra, _ONE]
    try:
        yield
    finally:
        sys.argv = argv
        os.environ.clear()
        os.environ.update(environ)
