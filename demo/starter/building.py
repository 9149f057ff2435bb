"""Building what a configuration names, with the errors of what is built, not of Hydra."""

from __future__ import annotations

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate


def build(node: Any, **arguments: Any) -> Any:  # noqa: ANN401  anything may be built of anything
    """Build the `_target_` of a node of a configuration, with plain lists and dicts in it.

    What its constructor raises is raised: wrapped up, it would lose its hint, or its traceback.
    """
    try:
        return instantiate(node, _convert_="all", **arguments)
    except InstantiationException as error:
        if error.__cause__ is None:
            raise
        raise error.__cause__ from error
