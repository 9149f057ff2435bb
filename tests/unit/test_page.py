from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.console.page import draw_throughput, render_page
from scripts.console.recording import MOST_SAMPLES, Recording
from scripts.migration.inventory import Uncollectable
from scripts.migration.model import Evidence, Outcome, Reference, Status, StoredObject
from scripts.migration.parts import Loss, Part
from scripts.migration.plan import Share
from scripts.progress import SilentProgress
from tests.tables import report_of

if TYPE_CHECKING:
    from collections.abc import Sequence

INTACT = Outcome(StoredObject("0" * 32, size_bytes=1500), Status.COPIED, Evidence.STORE_CHECKSUM)
LOST = Outcome(
    StoredObject("f" * 32, size_bytes=20), Status.CORRUPT, reason="<b>bad</b>",
    references=(Reference("data/<x>.txt", "main (abc)"), Reference("other", "workspace")),
)  # fmt: skip


def test_a_complete_migration_says_so_first() -> None:
    page = render_page(report_of(INTACT, revisions=3, elapsed_s=1.6), ())
    assert page.index("hdd → s3: complete") < page.index("1.5 kB")
    assert "3 revisions" in page
    assert "What is not intact" not in page
    assert "Throughput" not in page, "there is nothing to draw"


def test_every_object_that_is_not_intact_is_listed_with_its_places() -> None:
    lost = Uncollectable("main", "dvc.yaml", "it is malformed")
    page = render_page(report_of(INTACT, LOST, uncollectable=(lost,)), ())
    for part in (
        "incomplete",
        "ff/" + "f" * 30,
        "data/&lt;x&gt;.txt",
        "main (abc)",
        "it is malformed",
    ):
        assert part in page
    assert "<b>bad</b>" not in page, "what comes from outside is no markup"


def test_each_revision_has_a_bar_to_the_scale_of_the_largest() -> None:
    shares = (
        Share("workspace", 5, 2, 3, 0, 0, size_bytes=4_000_000, bytes_to_copy=3_000_000),
        Share("v1 (0123)", 2, 1, 0, 0, 1, size_bytes=1_000_000, bytes_to_copy=0),
    )
    page = render_page(report_of(INTACT, by_revision=shares), ())
    assert page.index("workspace") < page.index("v1 (0123)")
    for part in ("width: 100.0%", "width: 25.0%", "4.0 MB", "3.0 MB"):
        assert part in page
    assert "Size by revision" not in render_page(report_of(INTACT), ())
    nothing = (Share("workspace", 0, 0, 0, 0, 0, size_bytes=0, bytes_to_copy=0),)
    assert "width: 0.0%" in render_page(report_of(INTACT, by_revision=nothing), ())


def test_the_page_fetches_nothing() -> None:
    page = render_page(report_of(INTACT, LOST), ((0, 0), (1, 5), (2, 9)))
    for sign in ("http://", "https://", "src=", "<script", "@import", "url("):
        assert sign not in page


@pytest.mark.parametrize(
    "samples", [(), ((0, 0),), ((0, 0), (0, 1), (0, 2)), ((0, 0), (1, 0), (2, 0))]
)
def test_too_little_is_not_drawn(samples: Sequence[tuple[float, int]]) -> None:
    assert draw_throughput(samples) is None


def test_the_throughput_is_drawn_to_scale() -> None:
    chart = draw_throughput(((0.0, 0), (1.0, 1_000_000), (2.0, 1_500_000)))
    assert chart is not None
    assert (chart.peak, chart.duration) == ("1.0 MB/s", "2.0 s")
    assert chart.path == "M0,180 L0.0,0.0 L360.0,0.0 L360.0,90.0 L720.0,90.0 L720,180 Z"


def test_a_recording_counts_bytes_and_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100_000))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    recording = Recording(SilentProgress())
    with recording.phase("listing") as phase:
        phase.advance(7)
    with recording.phase("copying", unit="bytes") as phase:
        for _ in range(3 * MOST_SAMPLES):
            phase.advance(10)
    assert recording.samples[-1][1] == 3 * MOST_SAMPLES * 10, "objects are no bytes"
    assert len(recording.samples) <= MOST_SAMPLES + 1
    moments = [moment for moment, _ in recording.samples]
    assert moments == sorted(moments)


def test_what_stands_beside_the_objects_is_on_the_page() -> None:
    lost = Loss("runs/ab/<x>", "corrupt", "it says something else")
    part = Part(
        "run_cache", "run-cache entries", {"planned": 3, "intact": 2, "corrupt": 1}, (lost,)
    )
    page = render_page(report_of(INTACT, parts=(part, Part("none", "nothing"))), ())
    for told in ("incomplete", "run-cache entries", "runs/ab/&lt;x&gt;", "it says something else"):
        assert told in page
    assert "nothing</h2>" not in page
