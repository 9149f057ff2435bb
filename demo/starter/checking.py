"""What is checked before anything starts beside types and ranges: files and keys."""

from __future__ import annotations

import netrc
import os
import zipfile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starter.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from omegaconf import DictConfig


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
