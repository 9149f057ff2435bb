"""What a person can ask for: `./inv -l` lists it, `./inv --help TASK` explains it.

The tasks stand in scripts/tasks/, by family; they alone import invoke.
"""
# ruff: noqa: F401  invoke offers every task that has a name here

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

# After the line that lets `scripts` be found.
from scripts.tasks.code import callgraph, lint, lock, new, profile, reqs, test
from scripts.tasks.container import (
    attach,
    build,
    clean,
    doctor,
    down,
    engine,
    execute,
    leaks,
    logs,
    net,
    plan,
    shell,
    status,
    up,
)
from scripts.tasks.data import cache, demo, dvc_init, gc
from scripts.tasks.migration import dvc_migrate, dvc_prune_source, dvc_verify
from scripts.tasks.training import evaluate, infer, ray, rerun, sweep, train
from scripts.tasks.web import jupyter, tensorboard
