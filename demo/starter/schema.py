"""The configuration's types: each option of `data`, `model`, `loss` and `optimizer` is a dataclass.

A field has a type, a default and, where that says more, a range; Hydra checks the first as it
composes, `starter.checking` the last before anything starts. A new option is one more dataclass
here, or a YAML file beside the others that starts from one (`defaults: [focal]`).

`_target_` names what is built from it. Nothing here imports torch: `--help` must stay quick.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Optional

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from starter.errors import ConfigError
from starter.ranges import check_ranges, ranged

# data -----------------------------------------------------------------------------------------


@dataclass
class Data:
    """What every data set has."""

    _target_: str = "???"
    batch_size: int = ranged(64, at_least=1, at_most=65536)
    num_workers: int = ranged(0, at_least=0, at_most=256)
    seed: int = "${seed}"  # type: ignore[assignment]  # interpolated


@dataclass
class PictureFolder(Data):
    """Pictures in folders: DIR/{train,val,test}/CLASS/*.png (or .jpg)."""

    _target_: str = "starter.data.pictures.PictureData"
    dir: str = "???"
    size: int = ranged(64, at_least=16, at_most=1024)
    augment: bool = True
    draw: int = ranged(0, at_least=0, at_most=1_000_000)


@dataclass
class CatsDogs(PictureFolder):
    """Cats and dogs, drawn where the folder is missing: `draw` pictures in all."""

    dir: str = "${paths.data_dir}/cats_dogs"
    draw: int = ranged(1600, at_least=16, at_most=1_000_000)


@dataclass
class Sentences(Data):
    """Sentences that are acceptable or not, as in CoLA; made from a grammar.

    With `make=0` those of `dir` are taken as they are. `tokenizer` is a name on the Hugging Face
    hub or a folder; without, one is made of the words.
    """

    _target_: str = "starter.data.sentences.SentenceData"
    dir: str = "${paths.data_dir}/sentences"
    make: int = ranged(8000, at_least=0, at_most=1_000_000)
    hub_name: Optional[str] = None
    hub_subset: Optional[str] = None
    tokenizer: Optional[str] = "${model.pretrained}"
    vocabulary: int = ranged(256, at_least=32, at_most=1_000_000)
    max_length: int = ranged(24, at_least=4, at_most=512)
    batch_size: int = ranged(128, at_least=1, at_most=65536)


@dataclass
class Cola(Sentences):
    """The Corpus of Linguistic Acceptability itself, from the Hugging Face hub."""

    make: int = ranged(0, at_least=0, at_most=0)
    hub_name: Optional[str] = "nyu-mll/glue"
    hub_subset: Optional[str] = "cola"
    vocabulary: int = ranged(8192, at_least=32, at_most=1_000_000)
    max_length: int = ranged(64, at_least=4, at_most=512)


# model ----------------------------------------------------------------------------------------


@dataclass
class SmallCNN:
    """A convolutional network that learns on two CPU cores in a minute."""

    _target_: str = "starter.models.small_cnn.SmallCNN"
    width: int = ranged(16, at_least=4, at_most=1024)
    features: int = ranged(64, at_least=2, at_most=4096)
    dropout: float = ranged(0.1, at_least=0, below=1)


@dataclass
class Torchvision:
    """A network of torchvision by its name; `pretrained=DEFAULT` downloads its weights."""

    _target_: str = "starter.models.vision.TorchvisionBackbone"
    name: str = "resnet18"
    pretrained: Optional[str] = None


@dataclass
class TinyBert:
    """A BERT built from its configuration, or loaded: `pretrained` is a hub name or a folder."""

    _target_: str = "starter.models.text.Bert"
    pretrained: Optional[str] = None
    vocabulary: int = "${data.vocabulary}"  # type: ignore[assignment]  # interpolated
    hidden: int = ranged(64, at_least=8, at_most=4096)
    layers: int = ranged(2, at_least=1, at_most=48)
    heads: int = ranged(4, at_least=1, at_most=64)
    dropout: float = ranged(0.1, at_least=0, below=1)


# loss -----------------------------------------------------------------------------------------


@dataclass
class CrossEntropy:
    """Cross-entropy."""

    _target_: str = "starter.losses.CrossEntropy"


@dataclass
class Focal:
    """Focal loss: what is easy counts less (Lin et al. 2017)."""

    _target_: str = "starter.losses.Focal"
    gamma: float = ranged(2.0, at_least=0, at_most=10)


@dataclass
class ArcFace:
    """Additive angular margin (Deng et al. 2019)."""

    _target_: str = "starter.losses.ArcFace"
    margin: float = ranged(0.2, at_least=0, below=1.5)
    scale: float = ranged(16.0, above=0, at_most=128)


@dataclass
class SoftLabels:
    """Cross-entropy against soft labels: given ones, or hard ones with `smoothing`."""

    _target_: str = "starter.losses.SoftLabels"
    smoothing: float = ranged(0.1, at_least=0, below=1)


# optimizer ------------------------------------------------------------------------------------


@dataclass
class Optimizer:
    """What every optimizer has; the rate rises for the share `warmup`, then falls as a cosine."""

    _target_: str = "???"
    _partial_: bool = True
    lr: float = ranged(3e-3, above=0, at_most=10)
    weight_decay: float = ranged(0.0, at_least=0, at_most=1)
    warmup: float = ranged(0.1, at_least=0, below=1)


@dataclass
class AdamW(Optimizer):
    """AdamW."""

    _target_: str = "starter.optimizers.adamw"
    weight_decay: float = ranged(0.01, at_least=0, at_most=1)


@dataclass
class SGD(Optimizer):
    """Stochastic gradient descent with momentum."""

    _target_: str = "starter.optimizers.sgd"
    lr: float = ranged(0.05, above=0, at_most=10)
    momentum: float = ranged(0.9, at_least=0, below=1)


# validation -----------------------------------------------------------------------------------


@dataclass
class Validation:
    """What `validate-data` asks of the data; a `report` is a folder that it writes to."""

    smallest: int = ranged(16, at_least=1, at_most=65536)
    largest: int = ranged(8192, at_least=1, at_most=65536)
    contrast: int = ranged(4, at_least=0, at_most=255)
    longest: int = ranged(200, at_least=1)
    imbalance: float = ranged(10, at_least=1)
    report: Optional[str] = None


# trainer and the whole ------------------------------------------------------------------------


@dataclass
class Trainer:
    """The arguments of `lightning.Trainer` that have a range; all others may be added with `+`."""

    max_epochs: int = ranged(1, at_least=1, at_most=100_000)
    max_steps: int = ranged(-1, at_least=-1)
    max_time: Optional[str] = None
    log_every_n_steps: int = ranged(10, at_least=1)
    check_val_every_n_epoch: int = ranged(1, at_least=1)
    accumulate_grad_batches: int = ranged(1, at_least=1)
    gradient_clip_val: Optional[float] = ranged(None, above=0)
    num_sanity_val_steps: int = ranged(0, at_least=-1)
    num_nodes: int = ranged(1, at_least=1)


@dataclass
class Search:
    """`hydra.sweeper`, where it is a study."""

    n_trials: int = ranged(20, at_least=1)
    n_jobs: int = ranged(1, at_least=1)
    max_failure_rate: float = ranged(0.3, at_least=0, at_most=1)
    direction: str = ranged("maximize", one_of=("maximize", "minimize"))
    study_name: str = "search"
    storage: str = "???"
    sampler: Any = None
    pruner: Any = None
    params: Any = None
    custom_search_space: Optional[str] = None


@dataclass
class Command:
    """What every command has."""

    seed: int = ranged(1, at_least=0, at_most=2**32 - 1)
    paths: Any = "???"


@dataclass
class Train(Command):
    """`train`. `experiment` holds values of one's own: `+experiment.lr=5`, `${experiment.lr}`."""

    name: str = "???"
    ckpt_path: Optional[str] = None
    test: bool = True
    metric: str = "val/accuracy"
    data: Any = "???"
    model: Any = "???"
    loss: Any = "???"
    optimizer: Any = "???"
    trainer: Any = "???"
    logger: Any = None
    callbacks: Any = None
    experiment: Dict[str, Any] = field(default_factory=dict)
    trial: Optional[int] = ranged(None, at_least=0)
    validation: Validation = field(default_factory=Validation)


@dataclass
class Evaluate(Command):
    """`evaluate`. `data` is the checkpoint's own where none is chosen."""

    ckpt_path: Optional[str] = None
    split: str = ranged("test", one_of=("train", "val", "test"))
    data: Any = None
    trainer: Any = "???"
    logger: Any = None
    callbacks: Any = None


@dataclass
class Infer:
    """`infer`: one picture or sentence, a folder of pictures or a file of sentences."""

    ckpt_path: Optional[str] = None
    img_path: Optional[str] = None
    text: Optional[str] = None
    text_path: Optional[str] = None
    csv_path: str = "predictions.csv"
    batch_size: int = ranged(64, at_least=1, at_most=65536)
    top: int = ranged(2, at_least=1, at_most=1000)
    paths: Any = "???"


OPTIONS: dict[str, dict[str, type]] = {
    "data": {
        "cats_dogs": CatsDogs,
        "folder": PictureFolder,
        "sentences": Sentences,
        "cola": Cola,
    },
    "model": {"small_cnn": SmallCNN, "torchvision": Torchvision, "tiny_bert": TinyBert},
    "loss": {
        "cross_entropy": CrossEntropy,
        "focal": Focal,
        "arcface": ArcFace,
        "soft_labels": SoftLabels,
    },
    "optimizer": {"adamw": AdamW, "sgd": SGD},
}
COMMANDS: dict[str, type] = {"train": Train, "evaluate": Evaluate, "infer": Infer}


def register() -> None:
    """Make the options known to Hydra."""
    store = ConfigStore.instance()
    for group, options in OPTIONS.items():
        for name, option in options.items():
            store.store(group=group, name=name, node=option, provider="starter.schema")
    for name, command in COMMANDS.items():
        store.store(name=f"{name}_schema", node=command, provider="starter.schema")


def typed(group: str, plain: DictConfig) -> DictConfig:
    """Return the values of a group that were read from a file, with their types and ranges.

    Raises:
        ConfigError: No option of the group builds that, or a value has the wrong type.
    """
    target = plain.get("_target_")
    fitting: list[DictConfig] = []
    for option in OPTIONS[group].values():
        if option._target_ != target:  # type: ignore[attr-defined]  # every option has it
            continue
        try:
            fitting.append(DictConfig(OmegaConf.merge(OmegaConf.structured(option), plain)))
        except OmegaConfBaseException as error:
            raise ConfigError(f"{group}: {str(error).splitlines()[0]}.") from error
    # Several may build the same, with other ranges; the check tells what is out of all of them.
    if fitting:
        return next((each for each in fitting if _in_range(group, each)), fitting[0])
    raise ConfigError(f"{group}._target_ is {target!r}, which no option of {group} has.")


def _in_range(group: str, config: DictConfig) -> bool:
    try:
        check_ranges(DictConfig({group: config}))
    except ConfigError:
        return False
    return True
