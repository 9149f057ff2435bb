"""Sentences, acceptable or not, through Hugging Face Datasets: made here, or from the hub."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from torch.utils.data import Dataset

from starter.data.encoders import SentenceEncoder
from starter.data.folder import SPLITS
from starter.data.grammar import CLASSES
from starter.data.making import make_sentences
from starter.data.module import ClassifiedData
from starter.errors import DataError
from starter.models.loading import explain_download

if TYPE_CHECKING:
    from collections.abc import Iterable

    import datasets

    from starter.data.sampling import Place

_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
_HUB_SPLITS = {"train": "train", "val": "validation", "test": "validation"}
"""GLUE keeps the labels of its test sentences to itself."""


class SentenceSplit(Dataset[Any]):
    """The sentences of one split, with their labels."""

    def __init__(self, sentences: list[str], labels: list[int]) -> None:
        self._sentences = sentences
        self._labels = labels

    def __len__(self) -> int:
        return len(self._sentences)

    def __getitem__(self, place: Place) -> tuple[str, int]:
        return self._sentences[place.index], self._labels[place.index]


class SentenceData(ClassifiedData):
    """Sentences from ``dir/{train,val,test}.csv``, or from the hub.

    Args:
        dir: The folder.
        make: How many to make if the folder is missing; 0 for none.
        hub_name: A data set on the Hugging Face hub to read instead.
        hub_subset: Its subset.
        tokenizer: A tokenizer's name on the hub or its folder; ``None`` to make one of the words.
        vocabulary: The most words that one made here knows.
        max_length: How many words of a sentence are looked at.
        batch_size: How many sentences are seen at once.
        num_workers: Processes that read them; 0 for the training process itself.
        seed: What their order follows from.
    """

    def __init__(
        self,
        *,
        dir: str,  # noqa: A002  the key of the configuration
        make: int,
        hub_name: str | None,
        hub_subset: str | None,
        tokenizer: str | None,
        vocabulary: int,
        max_length: int,
        batch_size: int,
        num_workers: int,
        seed: int,
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, seed=seed)
        self._dir = Path(dir)
        self._make = make
        self._hub = (hub_name, hub_subset)
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._max_length = max_length
        self.classes = CLASSES

    def prepare_data(self) -> None:
        """Make the sentences, if they are missing and may be made."""
        if self._make:
            make_sentences(self._dir, count=self._make, again=False)

    def read_splits(self) -> None:
        """Read the sentences of each split, and make the tokenizer of those to learn from."""
        splits = self._from_hub() if self._hub[0] else self._from_files()
        texts: dict[str, list[str]] = {}
        for split in SPLITS:
            where = f"{self._hub[0] or self._dir / split}"
            texts[split], labels = _checked(splits[split], where)
            self.datasets[split] = SentenceSplit(texts[split], labels)
            self.sizes[split] = len(labels)
        self.encoder = self._make_encoder(texts["train"])

    def _from_files(self) -> dict[str, datasets.Dataset]:
        import datasets  # noqa: PLC0415  a second, of no use for pictures
        import pandas as pd  # noqa: PLC0415  as above

        found = {}
        for split in SPLITS:
            file = self._dir / f"{split}.csv"
            try:
                table = pd.read_csv(file)
            except FileNotFoundError as error:
                raise DataError(f"{file} does not exist.", hint="data.dir must hold it.") from error
            except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
                raise DataError(f"{file} cannot be read as CSV: {error}") from error
            found[split] = datasets.Dataset.from_pandas(table, preserve_index=False)
        return found

    def _from_hub(self) -> dict[str, datasets.Dataset]:
        import datasets  # noqa: PLC0415  as above

        name, subset = self._hub
        with explain_download(f"data.hub_name={name} data.hub_subset={subset}"):
            found = datasets.load_dataset(cast("str", name), subset)
            return {split: found[hub] for split, hub in _HUB_SPLITS.items()}

    def _make_encoder(self, texts: list[str]) -> SentenceEncoder:
        if self._tokenizer is None:
            return SentenceEncoder(
                _tokenizer_of(texts, self._vocabulary), self._max_length, _TOKENS
            )
        from transformers import AutoTokenizer  # noqa: PLC0415  as above

        with explain_download(f"data.tokenizer={self._tokenizer}"):
            loaded = AutoTokenizer.from_pretrained(self._tokenizer, use_fast=True)
        tokens = {name: getattr(loaded, name) for name in _TOKENS if getattr(loaded, name)}
        return SentenceEncoder(loaded.backend_tokenizer.to_str(), self._max_length, tokens)


def _checked(rows: datasets.Dataset, where: str) -> tuple[list[str], list[int]]:
    """Return the sentences and labels of a split.

    Raises:
        DataError: A column is missing, a label is none of the classes, or there are no rows.
    """
    missing = [name for name in ("sentence", "label") if name not in rows.column_names]
    if missing:
        raise DataError(
            f"{where} has no column `{missing[0]}`.",
            hint=f"It has: {', '.join(rows.column_names)}.",
        )
    if not len(rows):
        raise DataError(f"{where} holds no sentences.")
    sentences, labels = list(rows["sentence"]), list(rows["label"])
    for row, (sentence, label) in enumerate(zip(sentences, labels), start=1):
        if label not in range(len(CLASSES)):
            raise DataError(
                f"{where}, row {row}: the label is {label!r}.",
                hint=f"It must be one of {', '.join(f'{i} ({c})' for i, c in enumerate(CLASSES))}.",
            )
        if not isinstance(sentence, str):
            raise DataError(f"{where}, row {row}: there is no sentence.")
    return sentences, [int(label) for label in labels]


def _tokenizer_of(texts: Iterable[str], vocabulary: int) -> str:
    """Return a tokenizer (as JSON) of the most frequent words.

    Not by the library's trainers: these number what they find in another order each time, and
    the same command would train another network.
    """
    import tokenizers as hf  # noqa: PLC0415  as above

    normalizer = hf.normalizers.BertNormalizer(lowercase=True)
    splitter = hf.pre_tokenizers.BertPreTokenizer()
    counts = Counter(
        word
        for text in texts
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
    )
    frequent = sorted(counts, key=lambda word: (-counts[word], word))
    words = [*_TOKENS.values(), *frequent][:vocabulary]
    numbers = {word: number for number, word in enumerate(words)}
    tokenizer = hf.Tokenizer(hf.models.WordLevel(numbers, unk_token=_TOKENS["unk_token"]))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    tokenizer.post_processor = hf.processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(word, numbers[word]) for word in ("[CLS]", "[SEP]")],
    )
    return str(tokenizer.to_str())
