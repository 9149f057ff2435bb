"""The search: which trials the study still lacks, launched in batches, told how they ended.

Hydra's own Optuna sweeper reads the search space and makes the words of each job; what it does not
know is added here: pruning, a study that goes on, and jobs that know which trial they are.
"""

from __future__ import annotations

import functools
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from hydra.utils import instantiate
from hydra_plugins.hydra_optuna_sweeper._impl import (
    OptunaSweeperImpl,
    create_params_from_overrides,
)
from omegaconf import OmegaConf
from optuna.distributions import distribution_to_json
from optuna.samplers import RandomSampler
from optuna.trial import Trial, TrialState

from starter.changes import RECORD
from starter.checking import check_search
from starter.errors import ConfigError, StarterError, TrainingError
from starter.record import COMPLETE, FAILED, PRUNED, RUNNING, read_record, value_of
from starter.resuming import LAST
from starter.search import study as studies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hydra.core.utils import JobReturn
    from hydra.plugins.launcher import Launcher
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial

_log = logging.getLogger(__name__)
RESULTS = "optimization_results.yaml"
"""What Hydra's own sweeper leaves as well."""


class StudySweep(OptunaSweeperImpl):
    """Runs the trials that a study lacks.

    Args:
        settings: Those of `hydra/sweeper/optuna_study.yaml`; sampler and pruner are configurations
            of what is built elsewhere: the pruner by each job, the sampler anew for each trial,
            with a seed that follows from its own (or the run's) and the trial's number. A search
            that goes on then proposes what an unbroken one would have proposed.

    Raises:
        ConfigError: A setting is unknown, or not as it must be.
    """

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  checked at once
        check_search(settings)
        del settings["pruner"]
        super().__init__(search_space=None, **settings)
        self._space: dict[str, BaseDistribution] = {}
        self._fixed: dict[str, Any] = {}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take Hydra's configuration, and make the launcher that it names."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self._metric = str(config.metric)
        self._seed = int(config.seed)
        self._launcher = cast("Launcher", self.launcher)

    def sweep(self, arguments: list[str]) -> None:
        """Run the trials that the study still lacks.

        Args:
            arguments: The command's words, some of which may be searched.

        Raises:
            ConfigError: The study was another search, or there is nothing to search.
            TrainingError: Too many trials have failed.
            StarterError: A trial met what none would have been spared: bad data, a full disk.
        """
        words = [*self._parse_sweeper_params_config(), *arguments]
        # The last word of each key, as everywhere; in their order, in which the sampler draws.
        last = {word.partition("=")[0]: word for word in words}
        self._space, self._fixed = create_params_from_overrides(list(last.values()))
        if not self._space:
            raise ConfigError(
                "There is nothing to search.",
                hint="Name values: `optimizer.lr=tag(log,interval(0.001,0.1))`, or give them "
                "below hydra.sweeper.params.",
            )
        if self.sampler.get("_partial_"):
            self.n_trials = min(self.n_trials, math.prod(map(len, self._grid().values())))
        folder = Path(str(self.sweep_dir)).resolve()
        with studies.alone(folder):
            self._begin(folder)
            try:
                while self._run_batch(folder):
                    pass
            except KeyboardInterrupt as error:
                raise KeyboardInterrupt("The same command goes on with the search.") from error
            self._conclude(folder)

    def _begin(self, folder: Path) -> None:
        """Open the study, or begin it, and see that it is the search of before.

        Raises:
            ConfigError: It is another search.
            TrainingError: Too many of its trials have failed already.
        """
        study = studies.begin(str(self.storage), str(self.study_name), self.direction)
        about = {
            "metric": self._metric,
            "space": {key: distribution_to_json(self._space[key]) for key in sorted(self._space)},
            "words": sorted(f"{key}={value}" for key, value in self._fixed.items()),
        }
        before = study.user_attrs.get(studies.ABOUT)
        if any(trial.state.is_finished() for trial in study.trials):
            studies.require_same(str(self.study_name), before, about)
        elif study.trials and before != about:
            # Its first trial met a mistake in the command, which is mended now.
            study = studies.begin_anew(study, str(self.storage), self.direction)
            study.set_user_attr(studies.ABOUT, about)
        elif not study.trials and next(folder.glob(f"*/{RECORD}"), None):
            raise ConfigError(
                f"{folder} holds runs of a search, but its study is not there.",
                hint="Put study.db back, move the folder away, or begin another study: "
                "hydra.sweeper.study_name=NAME",
            )
        else:
            study.set_user_attr(studies.ABOUT, about)
        counts = _counted(study.trials)
        _log.info(
            "study %s: %s of %s trials are done  %s", study.study_name,
            sum(counts.values()), self.n_trials, folder,
        )  # fmt: skip
        if self._failed_too_often(study):
            raise self._too_many_failures(study)

    def _run_batch(self, folder: Path) -> bool:
        """Run as many trials as run at once; return whether there were any to run."""
        study = self._load()
        left = [each for each in study.trials if not each.state.is_finished()]
        left = [each for each in left if not self._settled(study, each, folder)]
        done = len(study.trials) - len(left)
        # What a killed search left behind, first; these have their numbers and parameters already.
        numbers: list[int | None] = [*(each.number for each in left[: self.n_jobs])]
        numbers += [None] * max(0, min(self.n_jobs, self.n_trials - done) - len(numbers))
        if not numbers:
            return False
        jobs = [self._job(study, number, folder) for number in numbers]
        returns = self._launcher.launch([words for _, words in jobs], initial_job_idx=self.job_idx)
        self.job_idx += len(jobs)
        study = self._load()
        for (number, _), job in zip(jobs, returns):
            self._tell(study, number, job)
        return True

    def _load(self) -> Study:
        return studies.load(str(self.storage), str(self.study_name))

    def _job(self, study: Study, number: int | None, folder: Path) -> tuple[int, Sequence[str]]:
        """Return a trial's number and the words of its job; without a number, of a new trial."""
        if number is None:
            study.sampler = self._sampler(len(study.trials))
            trial = study.ask()
        else:
            # Only one that was killed while it was asked for lacks parameters.
            whole = self._space.keys() <= study.trials[number].params.keys()
            study.sampler = RandomSampler() if whole else self._sampler(number)
            trial = Trial(study, studies.trial_id(study, number))
        (words,) = self._configure_trials([trial], self._space, self._fixed)
        words = [*words, f"trial={trial.number}"]
        last = folder / str(trial.number) / LAST
        if number is not None and last.is_file():
            words.append(f"ckpt_path='{last}'")
        return trial.number, words

    def _sampler(self, number: int) -> BaseSampler:
        """Return the sampler for a trial."""
        settings = self.sampler.copy()
        if "seed" in settings:
            seed = self._seed if settings.seed is None else settings.seed
            settings.seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        sampler = instantiate(settings)
        if isinstance(sampler, functools.partial):
            sampler = sampler(self._grid())
        return cast("BaseSampler", sampler)

    def _grid(self) -> dict[str, Any]:
        """Return all values of each parameter, which the sampler of a grid wants to know."""
        try:
            return {key: self._to_grid_sampler_choices(each) for key, each in self._space.items()}
        except ValueError as error:
            raise ConfigError(
                f"hydra/sweeper/sampler=grid: {error}",
                hint="Name all values: choice(...) or range(...), no interval(...).",
            ) from error

    def _settled(self, study: Study, trial: FrozenTrial, folder: Path) -> bool:
        """Tell how a trial ended that a killed search had no time to tell of, where that is known.

        Raises:
            ConfigError: It is still being trained.
        """
        run = folder / str(trial.number)
        if not (run / RECORD).is_file():
            return False
        record = read_record(run)
        if record["status"] == RUNNING:
            raise ConfigError(
                f"{run} is still being trained by process {record['process']['pid']} "
                f"of {record['process']['host']}.",
                hint="Wait for its end, then search again. If it is gone, remove the folder.",
            )
        if record["status"] == COMPLETE:
            value = value_of(record["metrics"], self._metric)
            self._note(study, trial.number, TrialState.COMPLETE, value)
        elif record["status"] == PRUNED:
            self._note(study, trial.number, TrialState.PRUNED)
        elif record["status"] == FAILED and record["error"].startswith(TrainingError.__name__):
            self._note(study, trial.number, TrialState.FAIL, reason=record["error"])
        else:
            return False
        return True

    def _tell(self, study: Study, number: int, job: JobReturn) -> None:
        """Tell the study how a trial's job ended.

        Raises:
            TrainingError: More trials have failed than may.
            StarterError: It ended by what is no fault of its parameters.
        """
        try:
            value = job.return_value
        except TrainingError as error:
            failure: Exception = error
        except StarterError:
            raise  # the trial stays as it is, for the same command to take up
        except Exception as error:  # noqa: BLE001  anything: the code that is searched is a person's
            _log.warning("trial %s", number, exc_info=error)
            failure = error
        else:
            state = TrialState.PRUNED if value is None else TrialState.COMPLETE
            self._note(study, number, state, value)
            return
        self._note(study, number, TrialState.FAIL, reason=f"{type(failure).__name__}: {failure}")
        if self._failed_too_often(study):
            if not isinstance(failure, StarterError):
                raise failure
            raise self._too_many_failures(study) from failure

    def _failed_too_often(self, study: Study) -> bool:
        return _counted(study.trials)["fail"] > self.max_failure_rate * self.n_trials

    def _too_many_failures(self, study: Study) -> TrainingError:
        failed = [each for each in study.trials if each.state == TrialState.FAIL]
        reason = failed[-1].system_attrs.get(studies.WHY, "")
        return TrainingError(
            f"{len(failed)} of {self.n_trials} trials have failed, the last one so: {reason}",
            hint="Narrow the search down, or raise hydra.sweeper.max_failure_rate "
            f"(now {self.max_failure_rate:g}).",
        )

    def _note(
        self,
        study: Study,
        number: int,
        state: TrialState,
        value: float | None = None,
        *,
        reason: str = "",
    ) -> None:
        """Write into the study how a trial ended, and say so."""
        if reason:
            key = studies.trial_id(study, number)
            study._storage.set_trial_system_attr(key, studies.WHY, reason)  # noqa: SLF001  Optuna's
        study.sampler = self._sampler(number)
        try:
            study.tell(number, value, state)
        except RuntimeError as error:
            # A grid that is done stops `Study.optimize`, which is not what runs here.
            if "Study.stop" not in str(error):
                raise
        counts = _counted(study.trials)
        words = reason or ("" if value is None else f"{self._metric} {value:.4f}")
        if counts["complete"]:
            words += f"  best {study.best_value:.4f} of trial {study.best_trial.number}"
        done = f"{sum(counts.values())}/{self.n_trials}"
        _log.info("%s  trial %s %s  %s", done, number, _WORDS[state], words)

    def _conclude(self, folder: Path) -> None:
        """Say what was found, and leave it in a file.

        Raises:
            TrainingError: No trial was completed.
        """
        study = self._load()
        counts = _counted(study.trials)
        if not counts["complete"]:
            raise TrainingError(
                f"None of the {len(study.trials)} trials was completed.",
                hint=f"`sweep {folder}` shows how each ended.",
            )
        best = study.best_trial
        found = {"name": "optuna", "best_params": best.params, "best_value": best.value}
        OmegaConf.save(OmegaConf.create(found), folder / RESULTS)
        _log.info("best  trial %s  %s %.4f  %s", best.number, self._metric, best.value, best.params)
        _log.info("`sweep %s` shows all", folder)


_WORDS = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


def _counted(trials: Sequence[FrozenTrial]) -> dict[str, int]:
    """Return how many trials ended in each way."""
    states = [each.state for each in trials]
    return {state.name.lower(): states.count(state) for state in _WORDS}
