"""What Lightning's loop costs over a hand-written one, and how good the classifier gets how soon.

    python -m benchmarks.training           # inside: ./inv exec -- python -m benchmarks.training

Both loops train the same network on the same loader in the same order, in turns, and the fastest
epoch of each counts: what disturbs a machine only ever makes it slower.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

DEMO = Path(__file__).resolve().parents[1] / "demo"
sys.path.insert(0, str(DEMO))

import lightning  # noqa: E402  after the line that lets the project be found
import torch  # noqa: E402
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig  # noqa: E402, TC002
from omegaconf import OmegaConf  # noqa: E402

from starter import schema  # noqa: E402
from starter.callbacks.seeding import SeedEachBatch, seed_everything  # noqa: E402
from starter.data.pictures import PictureData  # noqa: E402
from starter.models.classifier import Classifier  # noqa: E402
from starter.optimizers import adamw  # noqa: E402
from starter.training import quieten  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCHS = 3


class Clock(lightning.Callback):
    """Notes how long each epoch takes."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._began = 0.0

    def on_train_epoch_start(self, *_: object) -> None:
        """Begin."""
        self._began = time.perf_counter()

    def on_train_epoch_end(self, *_: object) -> None:
        """End."""
        self.seconds.append(time.perf_counter() - self._began)


def main() -> None:
    """Run the benchmark, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="how often each loop runs")
    runs = parser.parse_args().runs
    quieten()
    with tempfile.TemporaryDirectory() as folder:
        data = _data(Path(folder) / "cats_dogs")
        loops: dict[str, Callable[[PictureData], list[float]]] = {
            "by hand": _by_hand,
            "Lightning": _with_lightning,
        }
        seconds: dict[str, list[float]] = {name: [] for name in loops}
        for _ in range(runs):
            for name, loop in loops.items():
                seconds[name] += loop(data)
        best = {name: min(values) for name, values in seconds.items()}
        for name, value in best.items():
            print(f"{name:10} {value:.3f} s an epoch of {data.sizes['train']} pictures")
        print(f"Lightning is {best['Lightning'] / best['by hand']:.2f} x the loop by hand")
        _print_classifier(Path(folder))
    _print_help()


def _data(folder: Path) -> PictureData:
    data = PictureData(
        dir=str(folder), size=64, augment=True, draw=1600, batch_size=64, num_workers=0, seed=1
    )
    data.prepare_data()
    data.setup()
    return data


def _module(data: PictureData) -> Classifier:
    seed_everything(1)
    settings = {
        "model": OmegaConf.to_container(OmegaConf.structured(schema.SmallCNN)),
        "loss": OmegaConf.to_container(OmegaConf.structured(schema.CrossEntropy)),
        "optimizer": OmegaConf.to_container(OmegaConf.structured(schema.AdamW)),
    }
    return Classifier(settings, data.classes, data.encoder.describe())


def _with_lightning(data: PictureData) -> list[float]:
    clock = Clock()
    trainer = lightning.Trainer(
        max_epochs=EPOCHS, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, deterministic=True,
        use_distributed_sampler=False, limit_val_batches=0, callbacks=[clock, SeedEachBatch(1)],
    )  # fmt: skip
    trainer.fit(_module(data), train_dataloaders=data.train_dataloader())
    return clock.seconds


def _by_hand(data: PictureData) -> list[float]:
    module = _module(data).train()
    loader = data.train_dataloader()
    built: OptimizerLRSchedulerConfig = adamw(
        module.parameters(), steps=EPOCHS * len(loader), lr=3e-3, weight_decay=0.01, warmup=0.1
    )
    optimizer, course = built["optimizer"], built["lr_scheduler"]["scheduler"]  # type: ignore[index]
    seconds = []
    for epoch in range(EPOCHS):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        began = time.perf_counter()
        for inputs, labels in loader:
            loss = module.loss(module.backbone(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            course.step()
        seconds.append(time.perf_counter() - began)
    return seconds


def _print_classifier(folder: Path) -> None:
    """Train as a person does, from nothing, and print accuracy and time."""
    command = [
        sys.executable, str(DEMO / "bin" / "train"), f"paths.data_dir={folder}/fresh",
        f"hydra.run.dir={folder}/run", "logger=csv",
    ]  # fmt: skip
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    elapsed_s = time.perf_counter() - began
    metrics = json.loads((folder / "run" / "metrics.json").read_text(encoding="utf-8"))
    accuracy = metrics["test/accuracy"]
    print(f"`train` from nothing: {accuracy:.3f} test accuracy in {elapsed_s:.1f} s "
          f"on {torch.get_num_threads()} threads")  # fmt: skip


def _print_help() -> None:
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        command = [sys.executable, str(DEMO / "bin" / "train"), "--help"]
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    print(f"`train --help`: {min(seconds):.2f} s")


if __name__ == "__main__":
    main()
