"""One trial in a process of Ray's: made to look like a run that a person started there."""

from __future__ import annotations

import os
import pickle
import socket
import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from omegaconf import DictConfig, open_dict

from starter.errors import StarterError
from starter.record import began_at, declare_killed
from starter.resuming import LAST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hydra.types import HydraContext, TaskFunction


def _umask() -> int:
    """Return the rights that new files lack; there is no way to ask but to set."""
    now = os.umask(0)
    os.umask(now)
    return now


@dataclass(frozen=True)
class Surroundings:
    """What a trial has of the command that asked for it, wherever it runs."""

    directory: str = field(default_factory=os.getcwd)
    argv: list[str] = field(default_factory=lambda: list(sys.argv))
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    umask: int = field(default_factory=_umask)


@dataclass(frozen=True)
class Job:
    """A trial, as Hydra composed it.

    ``run_dir`` is the folder of its run, ``before`` when a run began that stood there already.
    """

    context: HydraContext
    task: TaskFunction
    config: DictConfig
    singletons: dict[Any, Any]
    run_dir: str
    before: str | None


def run_trial(job: Job, surroundings: Surroundings) -> tuple[JobReturn, str]:
    """Run a trial; one that was begun before, by a process that is gone, goes on.

    Returns:
        What Hydra says of it, and the traceback of what is no error for a person.
    """
    try:
        with _like(surroundings):
            setup_globals()
            Singleton.set_state(job.singletons)
            HydraConfig.instance().set_config(job.config)
            _go_on(job)
            returned = run_job(
                hydra_context=job.context,
                task_function=job.task,
                config=job.config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
    except Exception as error:  # noqa: BLE001  an error here is one of the trial
        returned = JobReturn(overrides=[], status=JobStatus.FAILED, _return_value=error)
    if returned.status is not JobStatus.FAILED:
        return returned, ""
    failure = returned._return_value  # noqa: SLF001  the public way raises it
    returned.return_value = _portable(failure)
    if isinstance(failure, StarterError):
        return returned, ""
    told = traceback.format_exception(type(failure), failure, failure.__traceback__)
    return returned, "".join(told)


def _go_on(job: Job) -> None:
    """Go on from the last epoch, where Ray runs a trial again whose process was lost."""
    run_dir = Path(job.run_dir)
    if began_at(run_dir) == job.before:
        return
    declare_killed(run_dir)
    if (run_dir / LAST).is_file():
        with open_dict(job.config):
            job.config.ckpt_path = str(run_dir / LAST)


@contextmanager
def _like(surroundings: Surroundings) -> Iterator[None]:
    """Run the block with the directory, words, variables and rights of new files of the command.

    Raises:
        StarterError: The directory is not on this machine.
    """
    before = Surroundings()
    try:
        os.chdir(surroundings.directory)
    except OSError as error:
        raise StarterError(
            f"{surroundings.directory} is not on {socket.gethostname()}: {error.strerror}.",
            hint="All nodes of a cluster need the workspace, at the same path.",
        ) from error
    sys.argv[:] = surroundings.argv
    os.umask(surroundings.umask)
    # What the node says for itself stands: its name, its GPUs, its threads.
    added = {k: v for k, v in surroundings.environ.items() if k not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        os.chdir(before.directory)
        sys.argv[:] = before.argv
        os.umask(before.umask)
        for name in added:
            os.environ.pop(name, None)


def _portable(error: Any) -> Any:  # noqa: ANN401  what a task raised
    """Return an error that survives the way to another process: some take no part in pickling."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    except Exception:  # noqa: BLE001  whatever its class does
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
