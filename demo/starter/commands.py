"""How a command runs: Hydra composes, the configuration is checked, errors become messages.

Slow imports (torch, lightning) stand in what is run, so that `--help` and mistakes answer at once.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NoReturn

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from starter import schema
from starter.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, ConfigError, StarterError
from starter.params import spelled_out
from starter.ranges import nearest
from starter.resuming import resumed
from starter.words import searching

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PROJECT = Path(__file__).resolve().parents[1]
CONFIGS = Path(__file__).resolve().parent / "configs"
QUIET = (
    "hydra.run.dir=.",
    "hydra.output_subdir=null",
    "hydra/job_logging=none",
    "hydra/hydra_logging=none",
)
"""Words that keep Hydra from making a folder and a log for a command that is no run."""


def run(name: str, task: Callable[[DictConfig], object]) -> None:
    """Run a command with the arguments of the command line, and end with its exit code.

    Args:
        name: The command, and the file of its configuration.
        task: What it does with a composed configuration.
    """
    register()
    # Hydra hands errors on instead of printing them in its own way.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    with exit_on_error():
        sys.argv[1:] = spelled_out(resumed(searching(sys.argv[1:])))
        with _explained(name):
            if {"-h", "--help"} & set(sys.argv[1:]):
                print(_help(name))
                return
            main = hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=name)
            main(_told_by_us(name, task))()


def _told_by_us(name: str, task: Callable[[DictConfig], object]) -> Callable[[DictConfig], object]:
    """Return a task whose errors are told before Hydra adds its own line; those of a sweep are its.

    Args:
        name: The command.
        task: What it does with a composed configuration.
    """

    def told(config: DictConfig) -> object:
        if HydraConfig.get().mode != RunMode.RUN:
            return task(config)
        with exit_on_error(), _explained(name):
            return task(config)

    return told


def _help(name: str) -> str:
    """Return what `--help` prints: Hydra's template, filled in here.

    Hydra itself would copy everything that is registered once for each group: a second and more.
    """
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        config = compose(name, return_hydra_config=True)
    return str(config.hydra.help.template).replace("$OPTIONS", "\n".join(_option_lines()))


def _option_lines() -> Iterator[str]:
    """Yield each group with its options."""
    groups = {group: list(options) for group, options in schema.OPTIONS.items()}
    for path in sorted(CONFIGS.glob("*/*.yaml")):
        groups.setdefault(path.parent.name, []).append(path.stem)
    for group in sorted(groups):
        options = [option for option in sorted(groups[group]) if not option.startswith("_")]
        yield f"{group:17}{', '.join(options)}"


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Turn an error that is meant for a person into a message, a hint and its exit code."""
    try:
        yield
    except StarterError as error:
        _say(f"ERROR {error.text}", *([f"HINT  {error.hint}"] if error.hint else []))
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt as error:
        _interrupted(EXIT_INTERRUPTED, str(error))
    except SystemExit as error:
        if error.code is None:  # so Lightning ends a training on SIGTERM, as if all were done
            _interrupted(EXIT_TERMINATED)
        raise


def _interrupted(exit_code: int, how_to_go_on: str = "") -> NoReturn:
    usual = "`train resume=RUN` goes on from the last epoch that was completed."
    _say(f"Interrupted. {how_to_go_on or usual}")
    raise SystemExit(exit_code)


def _say(*lines: str) -> None:
    sys.stderr.write("".join(f"{line}\n" for line in lines))


def register() -> None:
    """Make options and resolvers known: what a configuration needs to be composed and read."""
    schema.register()
    OmegaConf.register_new_resolver("project_root", lambda: str(PROJECT), replace=True)
    OmegaConf.register_new_resolver("is_terminal", sys.stderr.isatty, replace=True)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what Hydra says of a configuration that does not compose into a message and a hint.

    Raises:
        ConfigError: The configuration does not compose.
    """
    try:
        yield
    except MissingConfigException as error:
        raise _unknown_option(error) from error
    except ConfigCompositionException as error:
        raise _not_composed(name, error) from error
    except OmegaConfBaseException as error:
        key = f"{error.full_key}: " if error.full_key else ""
        raise ConfigError(
            f"{key}{str(error).splitlines()[0]}.", hint=f"`{name} --cfg job` shows all keys."
        ) from error
    except OverrideParseException as error:
        reason = str(error.__context__ or error).splitlines()[0]
        if "missing EQUAL" in reason:
            raise ConfigError(
                f"{error.override}: this is no KEY=VALUE.", hint=f"See `{name} --help`."
            ) from error
        raise ConfigError(
            f"{error.override}: {reason}.",
            hint="A value with spaces, brackets or `=` is quoted twice: 'text=\"The cat sleeps.\"'",
        ) from error
    except HydraException as error:
        raise ConfigError(str(error).splitlines()[0]) from error
    except ValueError as error:
        if not str(error).startswith("Config group override must be"):
            raise
        raise _no_option(name) from error


def _unknown_option(error: MissingConfigException) -> ConfigError:
    group, _, word = (error.missing_cfg_file or "").rpartition("/")
    options = [option for option in error.options or [] if not option.startswith("_")]
    near = nearest(word, options)
    listed = f"There are: {', '.join(options)}." if options else ""
    if not group:
        return ConfigError(str(error).splitlines()[0])
    return ConfigError(
        f"{group}={word}: there is no such option.",
        hint=f"Did you mean {group}={near}? {listed}" if near else listed,
    )


def _no_option(name: str) -> ConfigError:
    """Return an error that names the words whose value is a number or nothing, not an option."""
    words = OverridesParser.create().parse_overrides(
        [each for each in sys.argv[1:] if each[0] != "-"]
    )
    groups = _groups()
    wrong = [
        str(each.input_line)
        for each in words
        if each.key_or_group in groups and not isinstance(each.value(), (str, list))
    ]
    return ConfigError(
        f"{', '.join(wrong)}: an option is chosen by its name.",
        hint=f"See `{name} --help`; ~GROUP leaves a group out.",
    )


def _not_composed(name: str, error: ConfigCompositionException) -> ConfigError:
    """Return an error that names the key, and the nearest that there is."""
    told = str(error).splitlines()[0]
    cause = error.__cause__ or error.__context__
    reason = str(cause).splitlines()[0] if cause is not None else ""
    if "Could not append" in told:
        return ConfigError(told, hint="It is there already: without `+`, its value is changed.")
    unknown = re.search(r"Could not override '([^']+)'", told)
    below = re.match(r"Key '([^']+)' not in", reason)
    if unknown and below and unknown[1].rpartition(".")[2] != below[1]:
        return _unknown_key(name, f"{unknown[1]}.{below[1]}")  # of several, as in loss={a: 1}
    if unknown and ("is not in struct" in reason or "not in" in reason or "No match" in str(error)):
        return _unknown_key(name, unknown[1])
    merged = re.search(r"Error merging override (\+*([^=]+)=.*)", told)
    if merged and "not in" in reason:
        return _unknown_key(name, merged[2])
    if merged and reason:
        return ConfigError(f"{merged[1]}: {reason}.")
    return ConfigError(f"{told.rstrip('.')}: {reason}." if reason else told)


def _unknown_key(name: str, key: str) -> ConfigError:
    known = _known_keys(name)
    near = nearest(key, known)
    if not near:
        last = key.rpartition(".")[2]
        near = next((each for each in known if each.rpartition(".")[2] == last), "")
    hint = f"Did you mean {near}? " if near else ""
    kind = "hydra" if key.startswith("hydra.") else "job"
    return ConfigError(
        f"{key}: there is no such key.", hint=f"{hint}`{name} --cfg {kind}` shows all keys."
    )


def _known_keys(name: str) -> list[str]:
    """Return all keys and groups of a command's configuration."""
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        config = compose(name)
    options = [
        f"{group}.{each.name}"
        for group, kinds in schema.OPTIONS.items()
        for kind in kinds.values()
        for each in fields(kind)
    ]
    known = dict.fromkeys([*_groups(), *options, *_keys_of(config, "")])
    return [key for key in known if not key.rpartition(".")[2].startswith("_")]


def _groups() -> list[str]:
    """Return the groups that a command's options stand in."""
    below = sorted(path for path in CONFIGS.rglob("*") if path.is_dir())
    return [*schema.OPTIONS, *(path.relative_to(CONFIGS).as_posix() for path in below)]


def _keys_of(node: DictConfig, path: str) -> Iterable[str]:
    for name in (str(each) for each in node):
        key = f"{path}{name}"
        yield key
        if not OmegaConf.is_missing(node, name) and not OmegaConf.is_interpolation(node, name):
            below = node._get_node(name)  # noqa: SLF001  the public way would resolve it
            if isinstance(below, DictConfig) and not below._is_none():  # noqa: SLF001
                yield from _keys_of(below, f"{key}.")
