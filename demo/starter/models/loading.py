"""What can go wrong when weights, tokenizers and data sets come from somewhere else."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from starter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def explain_download(what: str) -> Iterator[None]:
    """Turn a failed download or an unknown name into an error that names the key.

    Args:
        what: The keys and values that asked for it.

    Raises:
        ConfigError: It could not be loaded.
    """
    try:
        yield
    except (OSError, ValueError, KeyError) as error:  # urllib, requests and the hub raise these
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ConfigError(
            f"{what} cannot be loaded: {reason}",
            hint="Check the name, and the network (`./inv net`); a local folder does as well.",
        ) from error
