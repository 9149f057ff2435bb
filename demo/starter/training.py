"""Training and measuring with Lightning; all slow imports are behind this one."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, cast

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from starter.building import build
from starter.callbacks.lines import metrics_line
from starter.callbacks.pruning import Pruning
from starter.callbacks.seeding import SeedEachBatch, seed_everything
from starter.checkpoints import WholeCheckpoints, epochs_done, metrics_measured
from starter.errors import ConfigError
from starter.failures import explained_failures
from starter.models.classifier import Classifier
from starter.record import plain_metrics
from starter.words import one_of_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lightning import Callback, Trainer
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.loggers import Logger

    from starter.data.module import ClassifiedData

_log = logging.getLogger(__name__)
_SETTINGS = ("seed", "name", "data", "model", "loss", "optimizer", "experiment")
"""What a checkpoint holds of the configuration: enough to build the network and find the data."""


@dataclass(frozen=True)
class Result:
    """What came of a run; the checkpoint is the best one, by its path in the run's folder."""

    metrics: dict[str, float | None]
    checkpoint: str | None
    pruned: bool = False
    """Whether it is a trial that its search gave up before all epochs were over."""


def fit(config: DictConfig) -> Result:
    """Train as a configuration says, then look at the test data with the best checkpoint.

    Args:
        config: The checked configuration.

    Raises:
        DataError: The data cannot be used.
        TrainingError: Training cannot go on.
    """
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    quieten()
    seed_everything(config.seed)
    with one_of_many(), _parting(), explained_failures(config.data.batch_size):
        data: ClassifiedData = build(config.data)
        data.prepare_data()
        data.setup()
        if config.ckpt_path:
            data.first_epoch = epochs_done(Path(config.ckpt_path))
            if data.first_epoch > config.trainer.max_epochs:
                raise ConfigError(
                    f"trainer.max_epochs={config.trainer.max_epochs}: {config.ckpt_path} has "
                    f"{data.first_epoch} epochs behind it.",
                    hint="To go on, raise trainer.max_epochs.",
                )
        module = Classifier(portable(config), data.classes, data.encoder.describe())
        pruning = Pruning(config.metric, config.trial)
        trainer = make_trainer(config, pruning)
        trainer.fit(module, datamodule=data, ckpt_path=config.ckpt_path, weights_only=True)
        # A run that was ended after its last epoch has nothing left to measure but the test.
        before = metrics_measured(Path(config.ckpt_path)) if config.ckpt_path else {}
        metrics: dict[str, Any] = {**before, **trainer.callback_metrics}
        keeper = _keeper_of_the_best(trainer)
        best = keeper.best_model_path if keeper is not None else ""
        if keeper is not None and keeper.best_model_score is not None:
            metrics[f"best/{config.metric}"] = keeper.best_model_score
        if config.test and not pruning.pruned:
            trainer.test(
                module, datamodule=data, ckpt_path=best or None, verbose=False, weights_only=True
            )
            metrics.update(trainer.callback_metrics)
    close_loggers()
    _log.info("%s  %s", "pruned" if pruning.pruned else "done", metrics_line(metrics))
    _log.info("in %s", run_dir)
    return Result(plain_metrics(metrics), _within(best, run_dir), pruning.pruned)


def measure(config: DictConfig, module: Classifier, data: ClassifiedData) -> dict[str, Any]:
    """Measure a trained network on the split of some data that ``data.tested`` names."""
    quieten()
    seed_everything(config.seed)
    trainer = make_trainer(config)
    trainer.test(module, datamodule=data, verbose=False)
    close_loggers()
    return dict(trainer.callback_metrics)


def make_trainer(config: DictConfig, *more: Callback) -> Trainer:
    """Return Lightning's trainer with the callbacks and loggers of a configuration, and more."""
    callbacks: list[Callback] = [SeedEachBatch(config.seed), *more]
    callbacks += [build(each) for each in (config.callbacks or {}).values()]
    loggers: list[Logger] = [build(each) for each in (config.logger or {}).values()]
    for logger in loggers:
        logger.log_hyperparams(cast("Dict[str, Any]", OmegaConf.to_container(config, resolve=True)))
    trainer: Trainer = build(
        config.trainer, callbacks=callbacks, logger=loggers, plugins=[WholeCheckpoints()]
    )
    return trainer


def portable(config: DictConfig) -> dict[str, Any]:
    """Return what a checkpoint holds of a configuration: resolved, but for where the project is."""
    return {key: _settled(config, key) for key in _SETTINGS}


def close_loggers() -> None:
    """End W&B's run, which would go on with the next one of a sweep."""
    wandb = sys.modules.get("wandb")
    if wandb is not None:
        wandb.finish()


def quieten() -> None:
    """Silence what Lightning and W&B say of each run, and what is not so here."""
    os.environ.setdefault("WANDB_SILENT", "true")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for expected in (
        "The '.*_dataloader' does not have many workers",  # small data: workers would cost more
        "The number of training batches .* is smaller than the logging interval",
        "Checkpoint directory .* exists and is not empty",  # a run that goes on
        "There is a wandb run already in progress",
    ):
        warnings.filterwarnings("ignore", expected)


@contextmanager
def _parting() -> Iterator[None]:
    """Let the processes of a distributed run part at its end: the next of many has others."""
    try:
        yield
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _keeper_of_the_best(trainer: Trainer) -> ModelCheckpoint | None:
    """Return the callback that keeps the best checkpoint; without one, the first of all."""
    keepers = cast("list[ModelCheckpoint]", trainer.checkpoint_callbacks)
    return next((each for each in keepers if each.monitor), keepers[0] if keepers else None)


def _settled(node: Any, key: str) -> Any:  # noqa: ANN401  a configuration holds anything
    below = node._get_node(key)  # noqa: SLF001  the public way resolves
    written = below._value() if below is not None else None  # noqa: SLF001
    if isinstance(written, str) and "${paths." in written:
        return written
    value = node[key]
    if isinstance(value, DictConfig):
        return {each: _settled(value, each) for each in map(str, value)}
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _within(path: str, run_dir: Path) -> str | None:
    return str(Path(path).resolve().relative_to(run_dir.resolve())) if path else None
