"""The record of a run, record.json in its folder: how it stands, and all that repeats it.

It is written before anything else, and anew whenever something is known; always whole, as readers
see the old file or the new one. A folder whose record says `running` while its process is gone was
killed: :func:`read_record` says so.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import socket
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from starter import facts
from starter.changes import RECORD
from starter.errors import ConfigError, StarterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from omegaconf import DictConfig

METRICS = "metrics.json"
VERSION = 1

RUNNING, COMPLETE, PRUNED, FAILED, INTERRUPTED, KILLED = (
    "running", "complete", "pruned", "failed", "interrupted", "killed",
)  # fmt: skip


@dataclass
class Record:
    """What is known of a run. Fields with a default are filled in as it goes on."""

    command: str
    kind: str
    overrides: list[str]
    directory: str
    config: dict[str, Any]
    seed: int
    facts: dict[str, Any]
    started: str
    process: dict[str, Any]
    version: int = VERSION
    status: str = RUNNING
    error: str | None = None
    hint: str | None = None
    finished: str | None = None
    elapsed_s: float | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)
    checkpoint: str | None = None
    earlier: list[dict[str, Any]] = field(default_factory=list)
    """How the same folder's earlier attempts ended, which this one went on from."""


@contextmanager
def recorded(config: DictConfig, kind: str) -> Iterator[Record]:
    """Keep the record of what runs in the block.

    Args:
        config: The composed configuration.
        kind: The command: ``train`` or ``evaluate``.

    Yields:
        The record, whose ``metrics`` and ``checkpoint`` the block fills in, and ``status`` where a
        search has given the run up.
    """
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    record = _begun(config, kind, run_dir)
    _write(run_dir, record)
    began = time.monotonic()

    def ended(status: str, error: BaseException | None = None) -> None:
        record.status = status
        if error is not None:
            record.error = f"{type(error).__name__}: {error}"
            record.hint = getattr(error, "hint", None) or None
        record.finished = _now()
        record.elapsed_s = round(time.monotonic() - began, 3)
        _write(run_dir, record)

    try:
        yield record
    except BaseException as error:
        interrupted = _came_of_ctrl_c(error)
        ended(INTERRUPTED if interrupted or isinstance(error, SystemExit) else FAILED, error)
        if interrupted and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    ended(PRUNED if record.status == PRUNED else COMPLETE)
    if record.status == COMPLETE and _is_first_process():
        write_json(run_dir / METRICS, record.metrics)


def read_record(run_dir: Path) -> dict[str, Any]:
    """Return a run's record; one that says `running` without a process is said to be killed.

    Raises:
        ConfigError: The folder holds none.
    """
    path = run_dir / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}", hint="Name the folder of a run, below runs/."
        ) from error
    if record["status"] == RUNNING and not _is_alive(record["process"]):
        record["status"] = KILLED
    return record


def began_at(run_dir: Path) -> str | None:
    """Return when the run in a folder began, by which its attempts differ; none, if it has not."""
    path = run_dir / RECORD
    if not path.is_file():
        return None
    return str(json.loads(path.read_text(encoding="utf-8"))["started"])


def declare_killed(run_dir: Path) -> None:
    """Write down that a run which says `running` is over: its process is known to be gone.

    For a process of another machine, which cannot be asked from here.
    """
    path = run_dir / RECORD
    if not path.is_file():
        return
    record = json.loads(path.read_text(encoding="utf-8"))
    if record["status"] == RUNNING:
        write_json(path, {**record, "status": KILLED})


def newest_checkpoint(runs_dir: Path, builds: str = "") -> Path:
    """Return the best checkpoint of the newest complete run.

    Args:
        runs_dir: Where runs are.
        builds: What the name of the run's data class must end in; empty for any.

    Raises:
        ConfigError: There is none.
    """
    found = []
    for path in runs_dir.rglob(RECORD):
        record = read_record(path.parent)
        if record["kind"] != "train" or record["status"] != COMPLETE:
            continue  # what never began may lack any part of its configuration
        checkpoint = path.parent / (record["checkpoint"] or "none")
        if record["config"]["data"]["_target_"].endswith(builds) and checkpoint.is_file():
            found.append((record["finished"], checkpoint))
    if not found:
        raise ConfigError(
            f"There is no complete run with a checkpoint in {runs_dir}.",
            hint="Run `train` first, or name a checkpoint: ckpt_path=FILE",
        )
    newest: Path = max(found)[1]
    return newest


def value_of(metrics: Mapping[str, float | None], metric: str) -> float | None:
    """Return what a run is worth to a search: its best checkpoint's metric, else its last one."""
    best = metrics.get(f"best/{metric}")
    return metrics.get(metric) if best is None else best


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half.

    Raises:
        StarterError: It cannot be written.
    """
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never half.

    Raises:
        StarterError: It cannot be written.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StarterError(
            f"{path} cannot be written: {error.strerror or error}.",
            hint="Is there room, and right?",
        ) from error


def plain_metrics(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """Return what was measured as numbers by name; NaN is ``None``, as JSON has no such number."""
    numbers = {name: float(value) for name, value in metrics.items() if "/" in name}
    return {
        name: numbers[name] if math.isfinite(numbers[name]) else None for name in sorted(numbers)
    }


def _begun(config: DictConfig, kind: str, run_dir: Path) -> Record:
    return Record(
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        kind=kind,
        overrides=_overrides(),
        directory=str(Path.cwd()),
        config=_composed(config),
        seed=int(config.seed),
        facts=facts.observe(run_dir) if _is_first_process() else {},
        started=_now(),
        process={"host": socket.gethostname(), "pid": os.getpid(), "began": _began(os.getpid())},
        earlier=_earlier(run_dir),
    )


def _overrides() -> list[str]:
    """Return the words of the command line as they were given: `${...}` in them is for later."""
    words = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return [str(word) for word in words] if isinstance(words, list) else []


def _composed(config: DictConfig) -> dict[str, Any]:
    """Return the configuration with all values; as written where one cannot be resolved."""
    try:
        plain = OmegaConf.to_container(config, resolve=True)
    except Exception:  # noqa: BLE001  whatever resolvers raise: the check that follows names the key
        plain = OmegaConf.to_container(config, resolve=False)
    return {str(key): value for key, value in plain.items()} if isinstance(plain, dict) else {}


def _earlier(run_dir: Path) -> list[dict[str, Any]]:
    if not (run_dir / RECORD).is_file():
        return []
    before = read_record(run_dir)
    kept = ("status", "command", "started", "finished", "error", "elapsed_s")
    return [*before.pop("earlier"), {key: before[key] for key in kept}]


def _write(run_dir: Path, record: Record) -> None:
    if _is_first_process():
        write_json(run_dir / RECORD, asdict(record))


def _came_of_ctrl_c(error: BaseException) -> bool:
    """Tell whether an error came while Ctrl-C was seen to.

    Lightning turns it into an exit of its own, and a library may fail at being broken off.
    """
    chain: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in chain:  # `build` raises causes from what they caused
        chain.append(at)
        at = at.__cause__ or at.__context__
    return any(isinstance(each, KeyboardInterrupt) for each in chain)


def _is_first_process() -> bool:
    """Tell whether this process keeps the record: of several that train together, one does."""
    return os.environ.get("LOCAL_RANK", "0") == "0" and os.environ.get("NODE_RANK", "0") == "0"


def _is_alive(process: Mapping[str, Any]) -> bool:
    if process["host"] != socket.gethostname():
        return True  # it cannot be asked from here
    return bool(_began(process["pid"]) == process["began"])


def _began(pid: int) -> str | None:
    """Return when a process began, in the kernel's ticks: its number may be another's by now."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except OSError:
        return None
    return after_name.split()[19]


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
