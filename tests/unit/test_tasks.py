"""What `./inv -l` lists: tasks.py names every task of every family."""

from __future__ import annotations

import importlib
import pkgutil

from invoke.tasks import Task

import tasks
from scripts import tasks as families


def _of(module: object) -> set[str]:
    return {value.name for value in vars(module).values() if isinstance(value, Task)}


def test_no_task_is_left_out() -> None:
    found = set()
    for family in pkgutil.iter_modules(families.__path__):
        names = _of(importlib.import_module(f"{families.__name__}.{family.name}"))
        assert names, family.name
        found |= names
    assert found == _of(tasks)
    assert {"up", "exec", "train", "dvc_migrate"} <= found
