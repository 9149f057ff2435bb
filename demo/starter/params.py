"""`params=FILE`: what a file chooses and changes, as words of a command line; DVC's params.yaml."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from starter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WORD = "params="
_CHOICES = "choose"
_PLAIN = re.compile(r"[A-Za-z_][\w.-]*")
"""Texts that Hydra reads as they are; all others are quoted."""


def spelled_out(words: Sequence[str]) -> list[str]:
    """Return a command's words with each ``params=FILE`` replaced by what the file says.

    So the words that a run records are all that is needed to repeat it.

    Raises:
        ConfigError: There is no such file, or it is no mapping.
    """
    spelled: list[str] = []
    for word in words:
        spelled += words_of(Path(word[len(_WORD) :])) if word.startswith(_WORD) else [word]
    return spelled


def words_of(path: Path) -> list[str]:
    """Return what a file says as words: below ``choose`` GROUP=OPTION, all else KEY=VALUE.

    Raises:
        ConfigError: There is no such file, or it is no mapping.
    """
    params = _read(path)
    choices = params.pop(_CHOICES, None) or {}
    if not isinstance(choices, dict):
        raise ConfigError(
            f"{path}: {_CHOICES} is {choices!r}.",
            hint=f"Below it stands GROUP: OPTION, as `{_CHOICES}: {{loss: arcface}}`.",
        )
    chosen = [f"{group}={_written(option)}" for group, option in choices.items()]
    # With `++`, as a key may be one that only the option has which was chosen, or Lightning.
    return [*chosen, *(f"++{key}={_written(value)}" for key, value in _leaves(params, ""))]


def _read(path: Path) -> dict[Any, Any]:
    try:
        params = OmegaConf.load(path)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path} does not exist.", hint="Name a file such as params.yaml, beside dvc.yaml."
        ) from error
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        told = " ".join(str(error).split())
        raise ConfigError(f"{path} cannot be read as YAML: {told}") from error
    plain = OmegaConf.to_container(params) if isinstance(params, DictConfig) else None
    if not isinstance(plain, dict):
        raise ConfigError(
            f"{path} holds no `key: value`.", hint="`train --cfg job` shows all keys."
        )
    return plain


def _leaves(values: Mapping[Any, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _written(value: object) -> str:
    """Return a value in Hydra's grammar: numbers, lists and mappings as JSON has them."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in {"null", "true", "false", "nan", "inf"}:
        return value
    return str(QuotedString(value, Quote.single).with_quotes())
