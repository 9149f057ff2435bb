"""The page of a search: one file for a browser, with all that it shows inside it."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import optuna
from optuna import visualization
from optuna.importance import MeanDecreaseImpurityImportanceEvaluator

from starter.record import COMPLETE, write_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starter.search.summary import Summary

_TEMPLATE = Path(__file__).with_name("page.html.jinja")
_INK, _LINE = "#7d8796", "rgba(125, 135, 150, 0.25)"
"""Between light and dark: the page follows the reader's choice, a plot cannot."""

_LINES = "Parallel coordinates"


@dataclass(frozen=True)
class Plot:
    """A plot as a part of the page; where there is nothing to draw, ``missing`` says why."""

    title: str
    about: str
    html: str = ""
    missing: str = ""


def write_page(summary: Summary, path: Path) -> None:
    """Write the page of a search.

    Raises:
        StarterError: It cannot be written.
    """
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  with its page only
    from plotly.offline import get_plotlyjs  # noqa: PLC0415  as above

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(told=told)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    text = template.render(
        summary=summary,
        plots=list(_plots(summary)),
        links={row.number: os.path.relpath(row.run, path.parent) for row in summary.rows},
        plotly=get_plotlyjs(),
    )
    write_text(path, text)


def told(value: object) -> str:
    """Return a value as a person reads it: four digits of what is no whole number."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plots(summary: Summary) -> Iterator[Plot]:
    study, metric = summary.study, summary.metric
    counts = summary.counts
    none = "" if counts[COMPLETE] else "No trial is complete yet."
    yield _plot(
        "History",
        f"{metric} of each trial that was completed, and the best until then.",
        none,
        lambda: visualization.plot_optimization_history(study, target_name=metric),
        x={"title": "trial", **_whole(len(summary.rows))},
    )
    alike = len({row.value for row in summary.rows if row.status == COMPLETE}) < 2
    yield _plot(
        "Importance",
        f"How much of what differs in {metric} each value explains (mean decrease of impurity in "
        "a random forest).",
        "Two trials must be complete, with different results." if alike else "",
        lambda: visualization.plot_param_importances(
            study, evaluator=MeanDecreaseImpurityImportanceEvaluator(seed=0), target_name=metric
        ),
        y={"title": ""},
    )
    yield _plot(
        _LINES,
        f"A line for each trial, through its values to its {metric}. Drag along an axis to see "
        "only the lines that pass there.",
        none,
        lambda: visualization.plot_parallel_coordinate(study, target_name=metric),
    )
    epochs = max((row.epochs or 0 for row in summary.rows), default=0)
    if epochs > 1:
        yield _plot(
            "Epochs",
            f"{metric} after each epoch; a line that ends early was pruned.",
            "",
            lambda: visualization.plot_intermediate_values(study),
            x={"title": "epoch, counted from 0", **_whole(epochs)},
            y={"title": metric},
        )


def _whole(count: int) -> dict[str, Any]:
    """Return an axis's ticks at whole numbers; of many, it chooses such by itself."""
    return {"dtick": 1} if count <= 20 else {}


def _plot(
    title: str,
    about: str,
    missing: str,
    draw: Callable[[], Any],
    *,
    x: Mapping[str, Any] | None = None,
    y: Mapping[str, Any] | None = None,
) -> Plot:
    """Return one of Optuna's plots (a figure of Plotly's) in the page's style."""
    if missing:
        return Plot(title, about, missing=missing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        figure = draw()
    figure.update_layout(
        title=None, template="none", height=380, autosize=True, showlegend=title == "History",
        paper_bgcolor="rgba(0, 0, 0, 0)", plot_bgcolor="rgba(0, 0, 0, 0)",
        font={"color": _INK, "family": "system-ui, sans-serif", "size": 13},
        margin={"l": 70, "r": 50, "t": 60 if title == _LINES else 20, "b": 60},
    )  # fmt: skip
    figure.update_xaxes(gridcolor=_LINE, zerolinecolor=_LINE, automargin=True, **(x or {}))
    figure.update_yaxes(gridcolor=_LINE, zerolinecolor=_LINE, automargin=True, **(y or {}))
    # As Optuna sets them, long names are cut off below the axes.
    figure.update_traces(selector={"type": "parcoords"}, labelangle=0, labelside="top")
    html = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        config={"displayModeBar": False, "responsive": True},
        div_id=title.lower().replace(" ", "-"),
    )
    return Plot(title, about, html=html)
