"""Trials handed to Ray by Hydra's launcher: all at once, waited for, ended on Ctrl-C."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import ray
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, setup_globals
from omegaconf import DictConfig, OmegaConf, open_dict
from ray.exceptions import RayError, RayTaskError

from starter.errors import ConfigError, StarterError, TrainingError
from starter.record import began_at, declare_killed
from starter.trials.connecting import KEY, connect, require_room
from starter.trials.running import Job, Surroundings, run_trial

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hydra.types import HydraContext, TaskFunction

    from hydra_plugins.starter_ray import RayLauncher

_log = logging.getLogger(__name__)
_ENDS_WITHIN_S = 30.0
"""How long a trial may take to write down that it was interrupted."""


@dataclass(frozen=True)
class _Trial:
    number: int
    words: list[str]
    run_dir: Path
    answer: Any


class TrialTraceback(Exception):
    """Where in a process of Ray's a trial failed, as text."""

    def __str__(self) -> str:
        """Return the traceback on lines of its own."""
        return f"\n{self.args[0]}"


def launch(
    launcher: RayLauncher, job_overrides: Sequence[Sequence[str]], first: int
) -> list[JobReturn]:
    """Run trials on Ray, as many at once as there is room for.

    Args:
        launcher: Hydra's, after its ``setup``.
        job_overrides: The words of each trial.
        first: The number of the first one.

    Returns:
        What came of each, in the order of the words.

    Raises:
        ConfigError: A trial would lack what it is to train on.
        StarterError: Ray cannot be reached, or is lost on the way.
        KeyboardInterrupt: Ctrl-C; the trials are ended and say so in their records.
    """
    context, task, config = launcher.hydra_context, launcher.task_function, launcher.config
    if context is None or task is None or config is None:
        raise RuntimeError("Hydra calls setup() before launch().")
    remote = _plain(launcher.ray_cfg.remote)
    if OmegaConf.select(config, "trainer.accelerator") == "gpu" and not remote.get("num_gpus"):
        raise ConfigError(
            f"{KEY}.remote.num_gpus=0: trainer.accelerator is gpu, and a trial would see none.",
            hint=f"{KEY}.remote.num_gpus=1 gives each its own; with 0.5, two share one.",
        )
    setup_globals()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    Path(config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
    connect(_plain(launcher.ray_cfg.init))
    nodes, places = require_room(remote)
    count = len(job_overrides)
    _log.info(
        "%d trials, %d at once, on %d %s of Ray",
        count, min(count, places), nodes, "node" if nodes == 1 else "nodes",
    )  # fmt: skip
    surroundings = Surroundings()
    run = ray.remote(**remote)(run_trial)
    trials: list[_Trial] = []
    ended: dict[int, JobReturn] = {}
    try:
        for number, words in enumerate(job_overrides, start=first):
            job = _composed(context, task, config, words, number)
            answer = run.options(name=f"#{number}").remote(job, surroundings)
            shown = filter_overrides(words)
            _log.info("#%d : %s", number, " ".join(shown))
            trials.append(_Trial(number, list(shown), Path(job.run_dir), answer))
        for trial in _as_they_end(trials):
            ended[trial.number] = _returned(trial)
    except KeyboardInterrupt:
        _interrupt([trial for trial in trials if trial.number not in ended])
        raise
    except ConnectionError as error:
        raise TrainingError(
            f"The Ray cluster at {launcher.ray_cfg.init.address} is gone: {error}",
            hint="`train resume=RUN` goes on with each trial whose record is not complete.",
        ) from error
    return [ended[trial.number] for trial in trials]


def _composed(
    context: HydraContext, task: TaskFunction, config: DictConfig, words: Sequence[str], number: int
) -> Job:
    """Compose a trial's configuration here, where `now` is the same for all of a sweep."""
    composed = context.config_loader.load_sweep_config(config, list(words))
    with open_dict(composed):
        composed.hydra.job.id = f"trial_{number}"
        composed.hydra.job.num = number
    state = Singleton.get_state()
    HydraConfig.instance().set_config(composed)  # `${hydra:...}` may stand in the folder's name
    run_dir = Path(str(composed.hydra.sweep.dir)).absolute() / str(composed.hydra.sweep.subdir)
    return Job(context, task, composed, state, str(run_dir), began_at(run_dir))


def _as_they_end(trials: Sequence[_Trial]) -> Iterable[_Trial]:
    """Yield each trial as it ends."""
    waiting = {trial.answer: trial for trial in trials}
    while waiting:
        # For a second at a time: Ctrl-C must get through.
        done, _ = ray.wait(list(waiting), num_returns=1, timeout=1)
        for answer in done:
            yield waiting.pop(answer)


def _returned(trial: _Trial) -> JobReturn:
    """Return what came of a trial that has ended, and say it."""
    try:
        returned, told = cast("tuple[JobReturn, str]", ray.get(trial.answer))
    except RayTaskError:
        raise  # of what is around the trial: a bug
    except RayError as error:
        returned, told = JobReturn(overrides=trial.words, status=JobStatus.FAILED), ""
        returned.return_value = _lost(trial, error)
    if returned.status is not JobStatus.FAILED:
        _log.info("#%d complete", trial.number)
        return returned
    failure = returned._return_value  # noqa: SLF001  the public way raises it
    returned.overrides = returned.overrides or trial.words
    if told:
        failure.__cause__ = TrialTraceback(told)
    _log.error("#%d failed: %s", trial.number, failure)
    return returned


def _lost(trial: _Trial, error: RayError) -> StarterError:
    """Return what the loss of a trial's process means, and write it into its record."""
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    declare_killed(trial.run_dir)
    return TrainingError(
        f"Trial #{trial.number} was lost with its process or its machine: {reason}",
        hint=f"`train resume={trial.run_dir}` goes on. Was memory short? Fewer run at once if each "
        "gets more CPUs: hydra.launcher.ray.remote.num_cpus=2",
    )


def _interrupt(trials: Sequence[_Trial]) -> None:
    """Do to each trial what Ctrl-C does to a run, and wait until its record says so."""
    answers = [trial.answer for trial in trials]
    for answer in answers:
        ray.cancel(answer)
    if answers:
        ray.wait(answers, num_returns=len(answers), timeout=_ENDS_WITHIN_S)


def _plain(node: DictConfig) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", OmegaConf.to_container(node, resolve=True))
