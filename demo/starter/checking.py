"""What is checked before anything starts: keys, ranges, files, and what a server wants to know."""

from __future__ import annotations

import inspect
import netrc
import os
import zipfile
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from starter.errors import ConfigError
from starter.ranges import check_ranges, nearest
from starter.schema import COMMANDS, Search, Trainer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def check(config: DictConfig, command: str) -> None:
    """Check a composed configuration: nothing missing, all in range, all keys known.

    Args:
        config: The configuration.
        command: Whose it is.

    Raises:
        ConfigError: Something is not as it must be; the message names the key.
    """
    known = [each.name for each in fields(COMMANDS[command])]
    for key in sorted({str(key) for key in config}.difference(known)):
        near = nearest(key, known)
        raise ConfigError(
            f"{key}: `{command}` has no such key.",
            hint=(f"Did you mean {near}? " if near else "")
            + f"A value of your own goes below experiment: +experiment.{key}=...",
        )
    _require_fields(config, "")
    check_ranges(config)
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise ConfigError(f"{', '.join(missing)} has no value.", hint=f"Give one: {missing[0]}=...")
    if "trainer" in config:
        _check_part("trainer", Trainer, config.trainer)


def check_arguments(trainer: DictConfig) -> None:
    """Check what is handed to Lightning by its own names; to ask it takes seconds.

    Raises:
        ConfigError: Lightning's trainer has no such argument.
    """
    from lightning import Trainer as LightningTrainer  # noqa: PLC0415  only when it is to train

    names = list(inspect.signature(LightningTrainer.__init__).parameters)
    for key in sorted({str(key) for key in trainer}.difference(names, ["_target_"])):
        near = nearest(key, names)
        raise ConfigError(
            f"trainer.{key}: `lightning.Trainer` has no such argument.",
            hint=f"Did you mean trainer.{near}?" if near else "See Lightning's Trainer for all.",
        )


def check_search(sweeper: Mapping[str, Any]) -> None:
    """Check `hydra.sweeper`, where it is a study.

    Raises:
        ConfigError: A value is unknown, has the wrong type, or lies outside its range.
    """
    known = _check_part("hydra.sweeper", Search, sweeper)
    for key in sorted({*sweeper} - known):
        near = nearest(key, known)
        raise ConfigError(
            f"hydra.sweeper.{key}: a search has no such setting.",
            hint=f"Did you mean hydra.sweeper.{near}?" if near else f"It has {', '.join(known)}.",
        )


def require_checkpoint(path: Path) -> None:
    """Check that a file is there and is a whole checkpoint.

    Raises:
        ConfigError: It is not.
    """
    if not path.is_file():
        near = sorted(path.parent.glob("*.ckpt")) if path.parent.is_dir() else []
        own = path / "checkpoints" / "best.ckpt"  # where a run's folder was named
        near = [own] if own.is_file() else near
        raise ConfigError(
            f"ckpt_path={path}: there is no such file.",
            hint=f"Did you mean {near[0]}?" if near else "Runs keep theirs in RUN/checkpoints/.",
        )
    if not zipfile.is_zipfile(path):
        raise ConfigError(
            f"ckpt_path={path}: this is no checkpoint, or not a whole one.",
            hint="RUN/checkpoints/ holds best.ckpt and last.ckpt; copy it again if it was copied.",
        )


def require_keys(loggers: DictConfig | None) -> None:
    """Check that a logger which sends to a server has the key to do so.

    Raises:
        ConfigError: W&B shall be online, and there is no key.
    """
    wandb = loggers.get("wandb") if loggers else None
    if wandb is None or wandb.get("offline", False) or os.environ.get("WANDB_API_KEY"):
        return
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    if not _in_netrc(host):
        raise ConfigError(
            f"logger.wandb.offline=false: there is no W&B key for {host}.",
            hint="Set WANDB_API_KEY (in .env, for the container), or stay offline and run "
            "`wandb sync` later.",
        )


def _in_netrc(host: str) -> bool:
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _require_fields(node: DictConfig, path: str) -> None:
    """Check that no option has a key that its dataclass has not: `+` and `++` would add any."""
    kind = OmegaConf.get_type(node)
    known = [each.name for each in fields(kind)] if is_dataclass(kind) else None
    for name in map(str, node):
        if known is not None and name not in known:
            near = nearest(name, known)
            raise ConfigError(
                f"{path}{name}: there is no such key.",
                hint=f"Did you mean {path}{near}?" if near else f"There are: {', '.join(known)}.",
            )
        below = node._get_node(name)  # noqa: SLF001  the public way would resolve it
        if isinstance(below, DictConfig) and not below._is_none():  # noqa: SLF001
            _require_fields(below, f"{path}{name}.")


def _check_part(path: str, kind: type, values: Mapping[Any, Any]) -> set[str]:
    """Check those of some values that have a type and a range here; return their names."""
    known = {each.name for each in fields(kind)}
    try:
        ours = OmegaConf.merge(
            OmegaConf.structured(kind),
            {str(key): value for key, value in values.items() if key in known},
        )
    except OmegaConfBaseException as error:
        key = f"{path}.{error.full_key}" if error.full_key else path
        raise ConfigError(f"{key}: {str(error).splitlines()[0]}.") from error
    check_ranges(DictConfig({path: ours}))
    return known
