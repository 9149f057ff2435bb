"""What a run depends on beside its configuration: code, data, environment, machine."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

import yaml

from starter.changes import observe_code

PROJECT = Path(__file__).resolve().parents[1]
_PACKAGES = (
    "torch",
    "lightning",
    "torchmetrics",
    "transformers",
    "datasets",
    "numpy",
    "hydra-core",
)


def observe(run_dir: Path, project: Path = PROJECT, *, keep_diff: bool = True) -> dict[str, Any]:
    """Return the facts; what differs from the commit goes into a file of the run's folder.

    Args:
        run_dir: The run's folder.
        project: Whose code and data are meant: this project, or a copy of it.
        keep_diff: Whether the file is written.
    """
    return {
        "git": observe_code(project, run_dir, keep_diff=keep_diff),
        "data": _tracked_data(project),
        "environment": _environment(project),
        "hardware": _hardware(),
    }


def _tracked_data(project: Path) -> dict[str, str]:
    """Return the hash of each file or folder that DVC tracks here, by path."""
    hashes: dict[str, str] = {}
    files = [*project.glob("*.dvc"), *project.glob("data/**/*.dvc"), *project.glob("dvc.lock")]
    for file in sorted(path for path in files if path.is_file()):
        tracked = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        stages = [tracked, *(tracked.get("stages") or {}).values()]
        for out in (out for stage in stages for out in stage.get("outs") or ()):
            path = (file.parent / out["path"]).relative_to(project)
            if path.parts[0] == "pipeline":  # what came of an earlier run is nothing it began from
                continue
            hashes[str(path)] = str(out.get("md5") or out.get("etag") or "not committed")
    return hashes


def _environment(project: Path) -> dict[str, Any]:
    """Return the image (as far as the container was told), the lock, and the versions in use."""
    lock = next(
        (p / "environment.lock" for p in project.parents if (p / "environment.lock").is_file()),
        None,
    )
    return {
        "image": os.environ.get("SLIPWAY_IMAGE"),
        "image_id": os.environ.get("SLIPWAY_IMAGE_ID"),
        "lock_sha256": hashlib.sha256(lock.read_bytes()).hexdigest() if lock else None,
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _hardware() -> dict[str, Any]:
    return {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "processors": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "gpus": _gpus(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _gpus() -> list[str]:
    """Return the GPUs' names, if torch is loaded: to load it for that alone takes seconds."""
    torch = sys.modules.get("torch")
    if torch is None:
        names = Path("/proc/driver/nvidia/gpus").glob("*/information")
        return [
            path.read_text(encoding="utf-8").partition("\n")[0].split(":")[1].strip()
            for path in names
        ]
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
