"""Where Hydra looks for plugins: the sweeper of `starter.search`.

A namespace package: it has no `__init__.py`, as plugins that are installed are in it too. Hydra
imports it for every command, so that Optuna is only imported when there is something to search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hydra.plugins.sweeper import Sweeper

if TYPE_CHECKING:
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig


class StudySweeper(Sweeper):
    """Searches with Optuna; takes what `hydra/sweeper/optuna_study.yaml` says."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  checked where they are used
        self._settings = settings

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Take Hydra's configuration, check the search's own, and make the launcher."""
        from starter.search.sweeper import StudySweep  # noqa: PLC0415  Optuna: two seconds

        self._search = StudySweep(**self._settings)
        self._search.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> None:
        """Run the trials that the study still lacks."""
        self._search.sweep(arguments)
