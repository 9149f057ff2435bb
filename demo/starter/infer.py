"""`infer`: what a trained model takes a picture or a sentence for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starter.checking import check, require_checkpoint
from starter.commands import run
from starter.errors import ConfigError, DataError
from starter.record import newest_checkpoint

if TYPE_CHECKING:
    from omegaconf import DictConfig

_ASKED = ("img_path", "text", "text_path")


def infer(config: DictConfig) -> None:
    """Print the most likely classes; for many samples, write a CSV."""
    check(config, "infer")
    asked = [key for key in _ASKED if config[key] is not None]
    if len(asked) != 1:
        raise ConfigError(
            f"infer takes one of {', '.join(_ASKED)}; given: {', '.join(asked) or 'none'}.",
            hint="For example: infer img_path=data/cats_dogs/test",
        )
    key = asked[0]
    if key != "text" and not Path(config[key]).exists():
        raise DataError(f"{key}={config[key]}: there is no such file.")
    builds = "PictureData" if key == "img_path" else "SentenceData"
    path = Path(config.ckpt_path or newest_checkpoint(Path(config.paths.runs_dir), builds))
    require_checkpoint(path)
    from starter import asking  # noqa: PLC0415  torch: only when all else is right
    from starter.models.network import Network, load_network  # noqa: PLC0415  as above

    network = load_network(path, Network)
    samples, is_batch = asking.samples_of(config, network, path)
    answers = list(asking.answer(network, samples, batch_size=config.batch_size, top=config.top))
    if is_batch:
        asking.write_answers(Path(config.csv_path), samples, answers)
        print(f"{len(samples)} answers in {config.csv_path}")
        return
    for name, probability in answers[0]:
        print(f"Class: {name.replace('_', ' ').capitalize()}, Probability: {probability:.4f}")


def main() -> None:
    """Run the command."""
    run("infer", infer)


if __name__ == "__main__":
    main()
