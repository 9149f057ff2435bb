"""How a run of the tests is shown at its end: what failed, what was slow, where the time went."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from scripts.report import duration_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from scripts.container.suite import Suite

_SLOWEST = 20


def suite_view(suite: Suite) -> RenderableType:
    """Return the failures with the first line of their reason, the slowest tests, the stages."""
    from rich.text import Text  # noqa: PLC0415  only where something is shown

    lines = [""]
    slowest = suite.slowest(_SLOWEST)
    if slowest:
        lines += [f"The {len(slowest)} slowest tests:"]
        lines += [f"{case.elapsed_s:8.1f} s  {case.name}" for case in slowest]
    lines += ["", "Stages:"]
    for stage in suite.stages:
        counts = Counter(case.outcome for case in stage.cases)
        told = ", ".join(f"{counts[outcome]} {outcome}" for outcome in sorted(counts)) or "no tests"
        verdict = "passed" if stage.returncode == 0 else f"FAILED ({stage.returncode})"
        lines += [f"{duration_text(stage.elapsed_s):>12}  {stage.name}: {verdict}; {told}"]
    if suite.failed:
        lines += ["", f"{len(suite.failed)} failed:"]
    for case in suite.failed:
        lines += [f"  {case.name}", f"    {case.reason}"]
    return Text("\n".join(lines))
