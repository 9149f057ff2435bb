"""What data must be like to be trained on: Pandera's schemas, and what they found wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starter.data.folder import SPLITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pandera.pandas as pa

    from starter.schema import Validation


@dataclass(frozen=True)
class Problem:
    """A sample, or a class of a split, and what is wrong with it."""

    sample: str
    told: str


def validate(
    samples: pd.DataFrame, classes: Sequence[str], folder: str, asked: Validation
) -> list[Problem]:
    """Return all that is wrong with some data.

    Args:
        samples: The table of :mod:`starter.data.tables`.
        classes: The labels that may stand there.
        folder: Where the data is, to name its classes.
        asked: What is asked of it.
    """
    counts = count(samples, classes)
    counts["sample"] = folder + "/" + counts["split"] + ", class " + counts["label"]
    return [
        *_failures(schema_of_counts(asked), counts),
        *_failures(schema_of_samples(samples, classes, asked), samples),
    ]


def count(samples: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return how many samples each class has in each split, and how many the largest one there."""
    import pandas as pd  # noqa: PLC0415  slow, not for `--help`

    every = pd.MultiIndex.from_product([SPLITS, classes], names=["split", "label"])
    sizes = samples.groupby(["split", "label"]).size().reindex(every, fill_value=0)
    table = sizes.reset_index(name="samples")
    table["largest"] = table.groupby("split")["samples"].transform("max")
    table["times"] = table["largest"] / table["samples"].clip(lower=1)
    return table


def schema_of_samples(
    samples: pd.DataFrame, classes: Sequence[str], asked: Validation
) -> pa.DataFrameSchema:
    """Return what each sample must be like; in what is told, `{}` stands for the value."""
    import pandera.pandas as pa  # noqa: PLC0415  slow, not for `--help`

    known = ", ".join(classes).replace("{", "{{").replace("}", "}}")
    labels = f"the label is {{!r}}: it must be one of {known}"
    columns = {
        "split": pa.Column(str, pa.Check.isin(SPLITS)),
        "label": pa.Column(str, pa.Check.isin(classes, error=labels)),
        "elsewhere": pa.Column(str, pa.Check.eq("", error="{} of another split is the same")),
        "otherwise": pa.Column(str, pa.Check.eq("", error="{} has another label and is the same")),
    }
    special = _of_sentences(asked) if "words" in samples else _of_pictures(asked)
    return pa.DataFrameSchema({**columns, **special})


def _of_sentences(asked: Validation) -> dict[str, pa.Column]:
    import pandera.pandas as pa  # noqa: PLC0415  as above

    many = f"{{}} words, more than longest={asked.longest}"
    checks = [pa.Check.gt(0, error="there is no sentence"), pa.Check.le(asked.longest, error=many)]
    return {"words": pa.Column(int, checks)}


def _of_pictures(asked: Validation) -> dict[str, pa.Column]:
    import pandera.pandas as pa  # noqa: PLC0415  as above

    few = f"{{:.0f}} pixels, fewer than smallest={asked.smallest}"
    many = f"{{:.0f}} pixels, more than largest={asked.largest}"
    blank = f"blank: dark and bright differ by {{:.0f}}, less than contrast={asked.contrast}"

    def number(check: pa.Check) -> pa.Column:
        # There is none where a picture cannot be read, and that is told once.
        return pa.Column(float, check, nullable=True, coerce=True)

    return {
        "error": pa.Column(str, pa.Check.eq("", error="cannot be read as a picture: {}")),
        "side": number(pa.Check.ge(asked.smallest, error=few)),
        "longer": number(pa.Check.le(asked.largest, error=many)),
        "contrast": number(pa.Check.ge(asked.contrast, error=blank)),
    }


def schema_of_counts(asked: Validation) -> pa.DataFrameSchema:
    """Return what the size of each class in each split must be."""
    import pandera.pandas as pa  # noqa: PLC0415  as above

    uneven = f"another class has {{:.0f}} times as many, more than imbalance={asked.imbalance:g}"
    return pa.DataFrameSchema(
        {
            "samples": pa.Column(int, pa.Check.gt(0, error="there are no samples")),
            "times": pa.Column(float, pa.Check.le(asked.imbalance, error=uneven)),
        }
    )


def _failures(schema: pa.DataFrameSchema, table: pd.DataFrame) -> list[Problem]:
    """Return all that a schema has to say of a table, in the table's order."""
    from pandera.errors import SchemaErrors  # noqa: PLC0415  as above

    try:
        schema.validate(table, lazy=True)
    except SchemaErrors as errors:
        found: Any = errors.failure_cases.sort_values("index", kind="stable")
        return [
            Problem(table["sample"][row.index_], str(row.check).format(row.failure_case))
            for row in found.rename(columns={"index": "index_"}).itertuples(index=False)
        ]
    return []
