"""A trial as its own job sees it, in whatever process or machine that runs: by its number."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from optuna.samplers import RandomSampler
from optuna.trial import Trial

from starter.search import study as studies

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


class ReportedTrial:
    """A trial of the study that the job's configuration names.

    Args:
        number: The trial's number.

    Raises:
        ConfigError: The study cannot be opened.
    """

    def __init__(self, number: int) -> None:
        sweeper = HydraConfig.get().sweeper
        self._url = str(sweeper.storage)
        study = studies.load(
            self._url,
            str(sweeper.study_name),
            pruner=cast("BasePruner", instantiate(sweeper.pruner)),
            sampler=RandomSampler(),  # it is never asked: the search has sampled already
        )
        with studies.explained(self._url):
            self._trial = Trial(study, studies.trial_id(study, number))
            told = study.trials[number].intermediate_values
        self._told = set(told)

    def report(self, epoch: int, value: float) -> None:
        """Tell the study what was measured after an epoch; once, also when training went on.

        Raises:
            ConfigError: The study cannot be written.
        """
        if epoch not in self._told:
            with studies.explained(self._url):
                self._trial.report(value, epoch)

    def is_hopeless(self) -> bool:
        """Tell whether the pruner would end the trial here.

        Raises:
            ConfigError: The study cannot be read.
        """
        with studies.explained(self._url):
            return self._trial.should_prune()
