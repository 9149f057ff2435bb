"""BERT for sentences: a tiny one from its configuration, or a pretrained one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, BertConfig, BertModel

from starter.errors import ConfigError
from starter.models.loading import explain_download

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


class Bert(nn.Module):
    """A transformer that reads a sentence; its features are the mean over the words.

    Args:
        pretrained: A name on the Hugging Face hub or a folder; the sizes below are then its own.
        vocabulary: How many words and parts of words there are.
        hidden: Features of each word, and of the sentence.
        layers: How many layers.
        heads: How many heads each layer looks with.
        dropout: The share that is left out at random in training.
        architecture: A configuration of Transformers to build instead; a checkpoint holds one.
    """

    def __init__(
        self,
        *,
        pretrained: str | None,
        vocabulary: int,
        hidden: int,
        layers: int,
        heads: int,
        dropout: float,
        architecture: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._pretrained = pretrained is not None or architecture is not None
        if hidden % heads:
            raise ConfigError(
                f"model.hidden={hidden} is no multiple of model.heads={heads}.",
                hint=f"For example model.hidden={heads * max(1, hidden // heads)}",
            )
        if architecture is not None:
            built = AutoConfig.for_model(**architecture)
            self.network: nn.Module = AutoModel.from_config(built)
        elif pretrained is None:
            self.network = BertModel(
                BertConfig(
                    vocab_size=vocabulary,
                    hidden_size=hidden,
                    num_hidden_layers=layers,
                    num_attention_heads=heads,
                    intermediate_size=4 * hidden,
                    hidden_dropout_prob=dropout,
                    attention_probs_dropout_prob=dropout,
                    max_position_embeddings=512,
                ),
                add_pooling_layer=False,
            )
        else:
            with explain_download(f"model.pretrained={pretrained}"):
                self.network = AutoModel.from_pretrained(pretrained)
        self.features = int(self.network.config.hidden_size)  # type: ignore[union-attr, arg-type]

    def architecture(self) -> dict[str, object]:
        """Return the settings that build this network again, without weights."""
        if not self._pretrained:
            return {}
        return {"pretrained": None, "architecture": self.network.config.to_diff_dict()}  # type: ignore[union-attr, operator]

    def forward(self, sentences: Mapping[str, Tensor]) -> Tensor:
        """Return the features of a batch: ``input_ids`` and ``attention_mask``."""
        words: Tensor = self.network(**sentences).last_hidden_state
        mask = sentences["attention_mask"].unsqueeze(-1).to(words.dtype)
        return (words * mask).sum(dim=1) / torch.clamp(mask.sum(dim=1), min=1)
