"""What a person sees of a migration."""

from __future__ import annotations

import re

import pytest

from scripts.console.migration import (
    dry_run_view,
    plan_view,
    report_view,
    rewritten_view,
    switch_view,
    switches_view,
    undone_view,
)
from scripts.errors import MigrationIncomplete
from scripts.migration.cutover import LOCAL, Switch
from scripts.migration.inventory import Uncollectable
from scripts.migration.model import Evidence, Outcome, Reference, Status, StoredObject
from scripts.migration.parts import Loss, Part
from scripts.migration.plan import Action, Decision, PlannedObject, Share
from tests.tables import drawn, plan_of, report_of


def item(number: int) -> StoredObject:
    return StoredObject(f"{number:032x}", size_bytes=1_000_000)


def test_a_plan_says_on_top_what_there_is_to_do() -> None:
    plan = plan_of(
        PlannedObject(item(1), Decision(Action.COPY)),
        PlannedObject(item(2), Decision(Action.KEEP, Evidence.READ_BACK)),
        revisions=3, excluded={"push: false": 2}, notes=("A run-cache.",),
    )  # fmt: skip
    text = drawn(plan_view(plan))
    assert text.splitlines()[0].strip() == "hdd → s3: 1 object to copy"
    for told in ("1.0 MB", "of 3 revisions", "2 push: false", "NOTE A run-cache."):
        assert told in text


def test_a_plan_that_cannot_be_completed_says_so_first() -> None:
    lost = PlannedObject(
        item(1), Decision(Action.NONE, status=Status.MISSING), "it is not in the source",
        references=(Reference("[data]/x.txt", "v1"), Reference("y", "v2")),
    )  # fmt: skip
    text = drawn(plan_view(plan_of(lost)))
    assert "cannot become complete" in text.splitlines()[0]
    for told in ("[data]/x.txt", "v1 (+1)", "it is not in the source"):
        assert told in text
    assert "nothing to copy" in drawn(plan_view(plan_of()))


def test_a_report_has_its_verdict_on_top() -> None:
    copied = Outcome(item(1), Status.COPIED, Evidence.STORE_CHECKSUM)
    complete = drawn(report_view(report_of(copied, elapsed_s=2)))
    assert complete.startswith("✓ hdd → s3: complete, 1.0 MB proven in 2.0 s")
    assert "1 by store checksum" in complete
    report = report_of(
        copied, Outcome(item(2), Status.CORRUPT, reason="wrong bytes"),
        uncollectable=(Uncollectable("v0 (abc)", "x.dvc", "not YAML"),), elapsed_s=2,
    )  # fmt: skip
    text = drawn(report_view(report))
    assert text.startswith("✗ hdd → s3: INCOMPLETE, 1 object not intact, 1 unread, after 2.0 s")
    for told in (item(2).key, "wrong bytes", "v0 (abc)", "x.dvc", "not YAML"):
        assert told in text


def test_the_switch_says_what_is_left_to_do() -> None:
    text = drawn(switch_view(Switch("s3", "hdd", overridden_by="other")))
    for told in ("hdd → s3", "git add .dvc/config", ".dvc/config.local sets other instead"):
        assert told in text
    for told in ("(.dvc/config)", "Old commits carry their own"):
        assert told in text
    assert "as before" in drawn(switch_view(Switch("s3", "s3")))
    local = drawn(switches_view([Switch("s3", None, level=LOCAL)]))
    assert "none → s3 (.dvc/config.local)" in local
    assert "On this machine only" in local
    assert "git add" not in local
    assert not drawn(switches_view([])).strip()
    undone = drawn(undone_view([Switch("hdd", "s3"), Switch(None, "s3", level=LOCAL)]))
    assert "Default remote: hdd again (.dvc/config)" in undone
    assert "Default remote: none again (.dvc/config.local)" in undone


def test_a_long_list_is_cut_and_says_so() -> None:
    outcomes = tuple(Outcome(item(n), Status.MISSING, reason="gone") for n in range(25))
    text = drawn(report_view(report_of(*outcomes)))
    assert text.count("gone") == 20
    assert "and 5 more" in text


def test_a_dry_run_tells_what_loses_something_first() -> None:
    whole = Share("main (1234)", 5, 0, 5, 0, 0, 9_000_000, 9_000_000)
    broken = Share("v1 (5678)", 3, 1, 1, 0, 1, 2_000_000, 1_000_000)
    plan = plan_of(by_revision=(whole, broken), by_path=(Share("[a]", *[0] * 7),))
    text = drawn(dry_run_view(plan))
    assert text.index("v1 (5678)") < text.index("main (1234)")
    assert "9.0 MB" in text
    assert "[a]" in text
    many = tuple(Share(f"p{number}", *[0] * 7) for number in range(25))
    assert "and 5 more: `--json` names all" in drawn(dry_run_view(plan_of(by_path=many)))


def test_what_stands_beside_the_objects_has_a_line_and_its_losses() -> None:
    lost = Loss("runs/ab/x", "corrupt", "it says something else")
    counts = {"planned": 3, "present": 1, "to_copy": 1, "corrupt": 1, "missing": 0}
    parts = (Part("run_cache", "run-cache entries", counts, (lost,)), Part("empty", "nothing"))
    told = drawn(plan_view(plan_of(parts=parts)))
    assert re.search(r"3 +run-cache entries +1 present, 1 to copy, 1 corrupt", told)
    assert "runs/ab/x" in told
    assert "cannot become complete" in told
    report = report_of(parts=parts)
    told = drawn(report_view(report))
    assert "INCOMPLETE, 0 objects, 1 of the run-cache entries not intact" in told
    assert "it says something else" in told
    assert not report.complete
    assert report.as_json()["run_cache"]["not_intact"] == [
        {"name": "runs/ab/x", "status": "corrupt", "reason": "it says something else"}
    ]
    with pytest.raises(MigrationIncomplete, match=r": 1 of the run-cache entries\."):
        report.require_complete()


def test_files_that_got_new_names_are_named() -> None:
    told = drawn(rewritten_view(("a.dvc", "dvc.lock")))
    assert "2 DVC files rewritten to names of DVC 3: a.dvc, dvc.lock" in told
    assert "git commit" in told
    assert drawn(rewritten_view(())).strip() == ""
