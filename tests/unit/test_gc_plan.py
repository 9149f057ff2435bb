from __future__ import annotations

from pathlib import Path

import pytest

from scripts.console import gc as view
from scripts.errors import CacheError, SettingsError
from scripts.gc.model import (
    CachedObject,
    Keep,
    Kept,
    Needs,
    Outcome,
    Reason,
    Removal,
    Removed,
)
from scripts.gc.outcome import Report
from scripts.gc.plan import Plan, Request, make_plan, protect
from scripts.gc.run import read_request
from scripts.migration.directories import Opened
from scripts.migration.model import (
    OTHER_BYTES,
    Evidence,
    Layout,
    Proof,
    Reference,
    Status,
    StoredObject,
)

PROVEN = Proof(Evidence.STORE_CHECKSUM)
OWN = Path("/own")
OTHER = Path("/other")


def stored(digit: str, *, directory: bool = False, layout: Layout = Layout.CURRENT) -> StoredObject:
    return StoredObject(digit * 32 + (".dir" if directory else ""), layout, size_bytes=10)


def cached(*items: StoredObject) -> list[CachedObject]:
    return [CachedObject(item, inode, 0) for inode, item in enumerate(items)]


def needs(root: Path, *items: StoredObject) -> Needs:
    return Needs(root, frozenset(item.key for item in items))


A, B, C, D = (stored(digit) for digit in "abcd")
LIST = stored("e", directory=True)


def test_what_protects_an_object_and_what_is_told_of_it() -> None:
    own = Needs(OWN, frozenset({A.key}), elsewhere=frozenset({B.key}))
    request = Request()
    assert protect(own, [], [], request) == {
        A.key: (Reason.NEEDED, ""),
        B.key: (Reason.ELSEWHERE, ""),
    }
    both = protect(own, [needs(OTHER, A)], [A.key, C.key], request)
    assert both[A.key] == (Reason.OTHER_PROJECT, "/other")
    assert both[C.key] == (Reason.LINKED, "")
    freed = protect(own, [], [C.key], Request(not_in_remote=True))
    assert set(freed) == {B.key, C.key}


def test_only_what_is_proven_goes() -> None:
    proofs = {
        A.key: PROVEN,
        B.key: OTHER_BYTES,
        C.key: Proof(Evidence.NONE, "it cannot be read back: no"),
        stored("f").key: Proof(Evidence.SIZE),
    }
    removals, kept = make_plan(cached(A, B, C, D, stored("f")), {}, proofs, {}, needs(OWN))
    assert [removal.cached.item for removal in removals] == [A]
    assert {entry.item: entry.reason for entry in kept} == {
        B: Reason.DAMAGED,
        C: Reason.UNPROVEN,
        D: Reason.NOT_IN_REMOTE,
        stored("f"): Reason.UNPROVEN,
    }


def test_the_same_hash_in_the_other_layout_is_another_object() -> None:
    legacy = stored("a", layout=Layout.LEGACY)
    removals, kept = make_plan(cached(A, legacy), {}, {A.key: PROVEN}, {}, needs(OWN))
    assert [removal.cached.item for removal in removals] == [A]
    assert kept[0].reason is Reason.NOT_IN_REMOTE


@pytest.mark.parametrize(
    ("opened", "proofs", "goes"),
    [
        (Opened(LIST, (("x", A.md5), ("y", B.md5))), {A.key: PROVEN, B.key: PROVEN}, True),
        (Opened(LIST, (("x", A.md5), ("y", B.md5))), {A.key: PROVEN}, False),
        (Opened(LIST, (("x", A.md5),)), {A.key: OTHER_BYTES}, False),
        (Opened(LIST), {}, True),
        (Opened(LIST, (), Status.CORRUPT, "no list"), {}, False),
    ],
)
def test_a_directory_goes_only_if_all_its_files_are_proven(
    opened: Opened, proofs: dict[str, Proof], goes: bool
) -> None:
    proofs = {**proofs, LIST.key: PROVEN}
    removals, kept = make_plan(cached(A, LIST), {A.key: (Reason.NEEDED, "")}, proofs,
                               {LIST.key: opened}, needs(OWN))  # fmt: skip
    assert bool(removals) is goes
    if goes:
        assert removals[0].relies_on == (LIST.key, *(entry.item.key for entry in opened.entries))
    else:
        assert Reason.PART_UNPROVEN in {entry.reason for entry in kept}


def test_lists_go_before_files_and_every_object_is_there_once() -> None:
    items = [A, B, LIST, C]
    proofs = dict.fromkeys((item.key for item in items), PROVEN)
    protected = {B.key: (Reason.NEEDED, "")}
    removals, kept = make_plan(
        cached(*items), protected, proofs, {LIST.key: Opened(LIST)}, needs(OWN)
    )
    assert [removal.cached.item for removal in removals] == [LIST, A, C]
    assert [entry.item for entry in kept] == [B]


def test_the_place_of_a_file_in_an_old_directory_is_told() -> None:
    own = Needs(OWN, frozenset(), places={LIST.key: Reference("clips", "v1")})
    _, kept = make_plan(cached(A), {}, {}, {LIST.key: Opened(LIST, (("x/a", A.md5),))}, own)
    assert kept[0].place == Reference("clips/x/a", "v1")


def test_the_word_for_what_to_keep() -> None:
    assert read_request("Heads", not_in_remote=True) == Request(Keep.HEADS, not_in_remote=True)
    with pytest.raises(SettingsError, match="--keep some") as caught:
        read_request("some", not_in_remote=False)
    assert "workspace, heads, all" in caught.value.hint


# --- What a person and a program read


def plan(*kept: Kept, notes: tuple[str, ...] = ()) -> Plan:
    removals = tuple(Removal(entry, Evidence.READ_BACK, ()) for entry in cached(A, B))
    return Plan("hdd", "/cache", Request(), removals, kept, ("/other",), notes)


def shown(renderable: object) -> str:
    from rich.console import Console  # noqa: PLC0415

    console = Console(width=200)
    with console.capture() as capture:
        console.print(renderable)
    return " ".join(capture.get().split())


def test_the_plan_says_what_goes_what_stays_and_why() -> None:
    place = Reference("data/x [1]", "v1 (abc)")
    told = shown(
        view.plan_view(
            plan(
                Kept(C, Reason.NEEDED),
                Kept(D, Reason.DAMAGED, place=place),
                Kept(LIST, Reason.PART_UNPROVEN, "files/md5/aa"),
                notes=("a note",),
            )
        )
    )
    for words in (
        "2 20 B can go: proven in hdd", "1 10 B stay: needed here", "data/x [1] v1 (abc)",
        "the remote's copy is damaged", "not proven in the remote: files/md5/aa",
        "Asked: /other", "NOTE a note",
    ):  # fmt: skip
        assert words in told
    assert C.key not in told  # what is rightly kept is counted only


def test_the_report_counts_what_really_went() -> None:
    planned = plan(Kept(C, Reason.NEEDED))
    first, second = planned.removals
    failed = Kept(second.cached.item, Reason.FAILED, "Read-only file system")
    outcomes = (
        Outcome(first, Removed.REMOVED),
        Outcome(second, Removed.KEPT, failed),
    )
    report = Report(planned, outcomes, applied=True)
    content = report.as_json()
    assert content["planned"] == {"objects": 2, "bytes": 20}
    assert content["removed"] == {"objects": 1, "bytes": 10}
    assert content["kept"] == {
        "needed": {"objects": 1, "bytes": 10},
        "failed": {"objects": 1, "bytes": 10},
    }
    assert content["evidence"] == {"read back": 2}
    assert [entry["object"] for entry in content["not_removed"]] == [B.key]
    with pytest.raises(CacheError, match="Read-only file system"):
        report.require_clean()
    told = shown(view.report_view(report))
    assert "✗ Removed 1 object (10 B)" in told
    assert "cannot be removed: Read-only file system" in told


def test_nothing_removed_is_said() -> None:
    assert "`--yes`" in shown(view.report_view(Report(plan())))
    Report(plan()).require_clean()


def test_what_is_gone_though_it_should_stay_is_an_error() -> None:
    with pytest.raises(CacheError, match=C.key):
        Report(plan(), applied=True, lost=(C.key,)).require_clean()


@pytest.mark.parametrize(("yes", "dry_run", "answer"), [(True, False, True), (True, True, False)])
def test_a_dry_run_asks_nobody(
    yes: bool, dry_run: bool, answer: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    confirm = view.confirming(yes=yes, dry_run=dry_run, as_json=True)
    assert confirm(plan()) is answer
    assert not capsys.readouterr().out
