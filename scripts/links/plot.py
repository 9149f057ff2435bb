"""Plot: what each link type costs in time and space, as a picture. Runs where matplotlib is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.errors import SlipwayError
from scripts.report import bytes_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TIME, _SPACE, _TEXT = "#2a78d6", "#d98324", "#4a4a48"
_SIZE_INCHES = (9, 3.2)


def plot_types(report: Mapping[str, Any], path: Path) -> None:
    """Draw the types of a report (as :meth:`CacheReport.as_json` gives it): seconds, and bytes.

    Args:
        report: What to draw.
        path: The file; its suffix says which format.

    Raises:
        SlipwayError: It cannot be written, or its format is unknown.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  a second that only a plot pays

    rows = [row for row in reversed(report["types"]) if _seconds(row) is not None]
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    time, space = figure.subplots(1, 2, sharey=True)
    sample = report["sample"]
    objects = f"{sample['files']:,} files of {bytes_text(sample['file_bytes'])}"
    milliseconds = {row["link_type"]: (_seconds(row) or 0) * 1000 for row in rows}
    megabytes = {row["link_type"]: (row["extra_bytes"] or 0) / 1e6 for row in rows}
    _bars(time, milliseconds, colour=_TIME, title=f"Time to link {objects}", text="{:,.0f} ms")
    _bars(space, megabytes, colour=_SPACE, title="Space beside the cache", text="{:,.1f} MB")
    where = f"{report['cache']['path']}  →  {report['workspace']['path']}"
    filesystem = report["workspace"]["filesystem"]
    figure.suptitle(f"{where}  ({filesystem})" if filesystem else where, fontsize=9, color=_TEXT)
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise SlipwayError(
            f"The plot cannot be written to {path}: {error}.",
            hint="Choose a .png or .svg in a directory that is yours.",
        ) from error


def _bars(
    axes: Any,  # noqa: ANN401  matplotlib's classes are known only where it is
    bars: Mapping[str, float],
    *,
    colour: str,
    title: str,
    text: str,
) -> None:
    values = list(bars.values())
    drawn = axes.barh(list(bars), values, color=colour, height=0.6)
    axes.bar_label(drawn, [text.format(value) for value in values], padding=4, fontsize=8)
    axes.set_title(title, fontsize=9, color=_TEXT, loc="left")
    axes.set_xlim(0, max([*values, 1e-9]) * 1.25)
    axes.tick_params(left=False, bottom=False, labelbottom=False, labelsize=9, colors=_TEXT)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)


def _seconds(row: Mapping[str, Any]) -> float | None:
    """Return the seconds inside, where people work; outside where nobody could ask there."""
    inside: float | None = row["seconds_inside"]
    outside: float | None = row["seconds_outside"]
    return outside if inside is None else inside
