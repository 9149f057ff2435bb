"""What a person on Windows runs must not import what Windows has not."""

from __future__ import annotations

import builtins
import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

NOT_ON_WINDOWS = ("fcntl", "pwd", "grp", "resource", "termios")
HOST_MODULES = (
    "scripts.container.bringup",
    "scripts.container.doctor",
    "scripts.container.inside",
    "scripts.container.cache",
    "scripts.container.linking",
    "scripts.container.net",
    "scripts.container.visiting",
)


@pytest.mark.parametrize("name", HOST_MODULES)
def test_the_host_side_imports_nothing_of_posix(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for loaded in [module for module in sys.modules if module.startswith("scripts.")]:
        monkeypatch.delitem(sys.modules, loaded)
    original = builtins.__import__

    def windows(module: str, *arguments: Any, **named: Any) -> ModuleType:
        caller = (arguments[0] if arguments else named.get("globals")) or {}
        ours = str(caller.get("__name__", "")).startswith("scripts.")
        if ours and module in NOT_ON_WINDOWS:
            raise ModuleNotFoundError(f"No module named '{module}'")
        return original(module, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", windows)
    importlib.import_module(name)
