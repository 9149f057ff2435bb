"""The report of a migration as one page for a browser: self-contained, nothing is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.report import bytes_text, count_text, duration_text, write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.migration.outcome import Report

_TEMPLATE = Path(__file__).with_name("page.html.jinja")
_CHART_WIDTH, _CHART_HEIGHT = 720, 180
_BARS = 60
"""How many points the throughput is drawn from: fewer hide stalls, more are noise."""


@dataclass(frozen=True)
class Chart:
    """Throughput over time: an SVG path, what its top stands for, and how long it took."""

    path: str
    peak: str
    duration: str
    width: int = _CHART_WIDTH
    height: int = _CHART_HEIGHT


def write_report(report: Report, path: Path, samples: Sequence[tuple[float, int]] = ()) -> None:
    """Write a report: as a page if the file is called so (``.html``), else as JSON.

    Takes what :func:`render_page` does, and raises what :func:`scripts.report.write_text` does.
    """
    if path.suffix.lower() in (".html", ".htm"):
        write_text(path, render_page(report, samples))
    else:
        write_json(path, report.as_json())


def render_page(report: Report, samples: Sequence[tuple[float, int]]) -> str:
    """Return the page's HTML.

    Args:
        report: What the migration came to; every object that is not intact is listed.
        samples: Seconds since the beginning and bytes done until then.
    """
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  inside only

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters.update(bytes=bytes_text, duration=duration_text, count=count_text)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        report=report,
        counts=report.counts,
        evidence=report.evidence_counts(),
        revisions=count_text(report.revisions, "revision"),
        chart=draw_throughput(samples),
        largest=max((share.size_bytes for share in report.by_revision), default=0) or 1,
    )


def draw_throughput(samples: Sequence[tuple[float, int]]) -> Chart | None:
    """Draw bytes per second over time; ``None`` where too little was measured to draw; pure."""
    if len(samples) < 3 or samples[-1][0] <= samples[0][0] or samples[-1][1] <= 0:
        return None
    end_s = samples[-1][0]
    step_s = end_s / min(_BARS, len(samples) - 1)
    rates = []
    for number in range(min(_BARS, len(samples) - 1)):
        begin = _at(samples, number * step_s)
        rates.append((_at(samples, (number + 1) * step_s) - begin) / step_s)
    peak = max(rates)
    points = []
    for number, rate in enumerate(rates):
        height = _CHART_HEIGHT * (1 - rate / peak)
        left, right = (_CHART_WIDTH * edge / len(rates) for edge in (number, number + 1))
        points.append(f"L{left:.1f},{height:.1f} L{right:.1f},{height:.1f}")
    path = f"M0,{_CHART_HEIGHT} {' '.join(points)} L{_CHART_WIDTH},{_CHART_HEIGHT} Z"
    return Chart(path, f"{bytes_text(peak)}/s", duration_text(end_s))


def _at(samples: Sequence[tuple[float, int]], moment_s: float) -> float:
    """Return how many bytes were done at a moment, between two samples in proportion."""
    before = samples[0]
    for sample in samples:
        if sample[0] >= moment_s:
            span_s = sample[0] - before[0]
            share = (moment_s - before[0]) / span_s if span_s > 0 else 1.0
            return before[1] + share * (sample[1] - before[1])
        before = sample
    return float(before[1])
