"""What DVC's own configuration says of the cache and of remotes that are directories.

Read with the parser that DVC uses, so that it says the same here, where DVC may not be installed.
Only the project's own two files: a person's or a machine's DVC configuration is not seen inside.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = ("config", "config.local")
"""In ``.dvc/``; what the later one says goes first."""


@dataclass(frozen=True)
class DvcConfig:
    """The project's DVC configuration as far as the container needs to know it.

    ``cache_dir`` is absolute, or ``None`` for DVC's own ``.dvc/cache``; ``directories`` maps the
    names of the remotes that are directories to their absolute paths.
    """

    cache_dir: Path | None = None
    cache_type: tuple[str, ...] = ()
    cache_shared: bool = False
    directories: Mapping[str, Path] = field(default_factory=dict)


def read_dvc_config(root: Path) -> DvcConfig:
    """Return what ``.dvc/config`` and ``.dvc/config.local`` of the workspace ``root`` say.

    Raises:
        SettingsError: One of them cannot be read.
    """
    cache: dict[str, Any] = {}
    urls: dict[str, str] = {}
    for name in FILES:
        for section, options in _read(root / ".dvc" / name).items():
            if not isinstance(options, dict):
                continue
            if section.lower() == "cache":
                cache.update({key.lower(): value for key, value in options.items()})
            remote = re.fullmatch(r"""['"]?remote "(.+?)"['"]?""", section, re.IGNORECASE)
            url = {key.lower(): value for key, value in options.items()}.get("url")
            if remote and isinstance(url, str):
                urls[remote[1].lower()] = url
    directory, link_types = cache.get("dir"), cache.get("type") or ()
    return DvcConfig(
        cache_dir=_absolute(directory, root) if isinstance(directory, str) else None,
        cache_type=tuple(link_types.split(",") if isinstance(link_types, str) else link_types),
        cache_shared=cache.get("shared") == "group",
        directories={
            name: _absolute(url, root) for name, url in urls.items() if not re.match(r"\w+://", url)
        },
    )


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    from configobj import ConfigObj, ConfigObjError  # noqa: PLC0415  not needed to list tasks

    try:
        with path.open("rb") as file:
            content: dict[str, Any] = ConfigObj(file, encoding="utf-8").dict()
    except (OSError, UnicodeDecodeError, ConfigObjError) as error:
        raise SettingsError(
            f"{path} cannot be read: {error}", hint="`dvc config --list` says more; mend that file."
        ) from error
    return content


def _absolute(path: str, root: Path) -> Path:
    return Path(os.path.normpath(root / ".dvc" / Path(path).expanduser()))
