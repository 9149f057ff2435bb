"""What torch says when it cannot go on, as messages for a person."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starter.errors import ConfigError, DataError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory")


@contextmanager
def explained_failures(batch_size: object) -> Iterator[None]:
    """Turn a lack of memory, of disk or of workers into an error that says so.

    Args:
        batch_size: The batch size in use, for the hint.

    Raises:
        ConfigError: A checkpoint is of another network.
        TrainingError: Memory is short, or a worker of the data loader was ended.
        DataError: A file cannot be read or written.
    """
    try:
        yield
    except MemoryError as error:
        raise _out_of_memory(error, batch_size) from error
    except RuntimeError as error:
        text = str(error)
        if any(words in text.lower() for words in _MEMORY):
            raise _out_of_memory(error, batch_size) from error
        if "loading state_dict" in text:
            raise ConfigError(
                f"ckpt_path does not fit the model: {_first_mismatch(text)}",
                hint="Choose the model, loss and data that the checkpoint was made with.",
            ) from error
        if "DataLoader worker" in text:
            raise TrainingError(
                f"A worker that loads data was ended: {text.splitlines()[0]}",
                hint="Lower data.num_workers or data.batch_size; in a container, raise SHM_SIZE.",
            ) from error
        raise
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        raise DataError(f"{error.filename or 'A file'}: {error.strerror or error}.") from error


def _first_mismatch(text: str) -> str:
    lines = [line.strip() for line in text.splitlines()]
    return next((line for line in lines[1:] if line), lines[0])


def _out_of_memory(error: BaseException, batch_size: object) -> TrainingError:
    told = next(iter(str(error).splitlines()), "no more can be had")
    asked = re.search(r"you tried to allocate (\d+) bytes", told)  # torch, of the machine's own
    if asked:
        told = f"{int(asked[1]) / 1e9:.1f} GB at once cannot be had."
    return TrainingError(
        f"Memory is short: {told}",
        hint=f"Lower data.batch_size (now {batch_size}), or data.num_workers, or the model's size.",
    )
