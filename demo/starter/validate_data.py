"""`validate-data`: looks at all data before a model does, and names what is wrong, file by file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starter.checking import check
from starter.commands import run
from starter.data.tables import table_of_pictures, table_of_sentences
from starter.errors import ConfigError, DataError
from starter.record import METRICS, write_json
from starter.validation import Problem, count, validate

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from omegaconf import DictConfig

_TABLES = {
    "starter.data.pictures.PictureData": table_of_pictures,
    "starter.data.sentences.SentenceData": table_of_sentences,
}
PROBLEMS = "problems.csv"
_TOLD = 10
"""So many problems are printed; a report has all."""


def validate_data(config: DictConfig) -> None:
    """Look at the data of a configuration.

    Raises:
        DataError: Something is wrong with it.
    """
    check(config, "train")
    read = _TABLES.get(config.data["_target_"])
    if read is None or config.data.get("hub_name"):
        raise ConfigError(
            "data: only data in a folder can be looked at.",
            hint="What is loaded from the hub is checked when it is used.",
        )
    folder = Path(config.data.dir)
    samples, classes = read(folder)
    asked = config.validation
    problems = validate(samples, classes, str(folder), asked)
    if asked.report:
        _write_problems(Path(asked.report), problems)
    if problems:
        raise DataError(_told(folder, problems), hint=_hint(asked.report, problems))
    measured = _measured(samples, classes)
    if asked.report:
        write_json(Path(asked.report) / METRICS, measured)
    sizes = ", ".join(f"{split} {sum(each.values())}" for split, each in measured["sizes"].items())
    print(f"{len(samples)} samples of {len(classes)} classes: {sizes}. Nothing is wrong with them.")


def _measured(samples: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    sizes: dict[str, dict[str, int]] = {}
    for row in count(samples, classes).itertuples(index=False):
        sizes.setdefault(row.split, {})[row.label] = int(row.samples)
    return {
        "samples": len(samples),
        "duplicates": int(samples["content"].duplicated().sum()),
        "sizes": sizes,
    }


def _told(folder: Path, problems: Sequence[Problem]) -> str:
    told = [f"{each.sample}: {each.told}." for each in problems[:_TOLD]]
    more = [f"and {len(problems) - _TOLD} more."] if len(problems) > _TOLD else []
    what = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n      ".join([f"{folder} has {what}:", *told, *more])


def _hint(report: str | None, problems: Sequence[Problem]) -> str:
    mend = "Mend or remove what is named; `validate-data --help` tells how to allow more."
    if len(problems) <= _TOLD:
        return mend
    if report:
        return f"{mend} All stand in {report}/{PROBLEMS}."
    return f"{mend} validation.report=DIR writes them all down."


def _write_problems(folder: Path, problems: Sequence[Problem]) -> None:
    """Write all problems to the report; a report without any has no such file.

    Raises:
        DataError: It cannot be written.
    """
    file = folder / PROBLEMS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not problems:
            file.unlink(missing_ok=True)
            return
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["sample", "problem"])
            writer.writerows((each.sample, each.told) for each in problems)
    except OSError as error:
        raise DataError(f"{file} cannot be written: {error.strerror}.") from error


def main() -> None:
    """Run the command."""
    run("validate-data", validate_data)


if __name__ == "__main__":
    main()
