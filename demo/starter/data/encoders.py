"""From a file or a sentence to what a network takes: the same in training and in inference.

:meth:`describe` returns what :func:`encoder_of` builds an encoder from; a checkpoint holds that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image, ImageOps

from starter.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast

    Pixels = NDArray[np.uint8]

_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours, which pretrained weights expect."""


class PictureEncoder:
    """Pictures as tensors: cut to a square, sized, in colours of mean 0 and spread 1.

    Args:
        size: Width and height in pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._mean = torch.tensor(_MEAN).view(1, 3, 1, 1)
        self._spread = torch.tensor(_SPREAD).view(1, 3, 1, 1)

    def describe(self) -> dict[str, Any]:
        """Return what :func:`encoder_of` makes this encoder of."""
        return {"kind": "pictures", "size": self.size}

    def read(self, path: Path) -> Pixels:
        """Read a picture.

        Raises:
            DataError: It is missing, truncated or no picture.
        """
        try:
            with Image.open(path) as picture:
                square = ImageOps.fit(picture.convert("RGB"), (self.size, self.size))
        except FileNotFoundError as error:
            raise DataError(f"{path} does not exist.") from error
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(
                f"{path} cannot be read as a picture: {_first_line(error)}",
                hint="It may be truncated or of another kind. Mend it, or take it out.",
            ) from error
        return np.asarray(square)

    def encode(self, samples: Sequence[Pixels]) -> Tensor:
        """Return a batch (pictures, 3, size, size)."""
        pixels = torch.from_numpy(np.stack(samples)).permute(0, 3, 1, 2)
        return (pixels.float() / 255 - self._mean) / self._spread

    def decode(self, inputs: Tensor) -> list[NDArray[np.float32]]:
        """Return the pictures of a batch, with colours from 0 to 1."""
        colours = (inputs.float().cpu() * self._spread + self._mean).clamp(0, 1)
        return list(colours.permute(0, 2, 3, 1).numpy())


class SentenceEncoder:
    """Sentences as the numbers of their words.

    Args:
        tokenizer: A tokenizer's JSON, as the library `tokenizers` writes it.
        max_length: How many words (or parts of words) are looked at.
        tokens: The words with a meaning of their own, such as ``pad_token``.
    """

    def __init__(self, tokenizer: str, max_length: int, tokens: Mapping[str, str]) -> None:
        from tokenizers import Tokenizer  # noqa: PLC0415  a second, of no use for pictures
        from transformers import PreTrainedTokenizerFast  # noqa: PLC0415  as above

        self._tokenizer: PreTrainedTokenizerFast = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer.from_str(tokenizer), **tokens
        )
        self._json = tokenizer
        self._max_length = max_length
        self._tokens = dict(tokens)

    def describe(self) -> dict[str, Any]:
        """Return what :func:`encoder_of` makes this encoder of."""
        return {
            "kind": "sentences",
            "tokenizer": self._json,
            "max_length": self._max_length,
            "tokens": self._tokens,
        }

    def encode(self, samples: Sequence[str]) -> dict[str, Tensor]:
        """Return a batch: ``input_ids`` and ``attention_mask``, both (sentences, words)."""
        encoded = self._tokenizer(
            list(samples),
            padding=True,
            truncation=True,
            max_length=self._max_length,
            return_tensors="pt",
            return_token_type_ids=False,
        )
        return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}

    def decode(self, inputs: Mapping[str, Tensor]) -> list[str]:
        """Return the sentences of a batch, as far as their words are known."""
        decoded = self._tokenizer.batch_decode(inputs["input_ids"], skip_special_tokens=True)
        return [str(sentence) for sentence in decoded]


def encoder_of(description: Mapping[str, Any]) -> PictureEncoder | SentenceEncoder:
    """Return the encoder that a checkpoint describes."""
    arguments = {key: value for key, value in description.items() if key != "kind"}
    if description["kind"] == "pictures":
        return PictureEncoder(**arguments)
    return SentenceEncoder(**arguments)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
