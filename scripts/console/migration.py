"""How heart 2 looks: the plan and the report of a migration as rich renderables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from scripts.migration.model import Status
from scripts.report import bytes_text, count_text, duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import RenderableType

    from scripts.migration.cutover import Switch
    from scripts.migration.inventory import Uncollectable
    from scripts.migration.model import Reference, StoredObject
    from scripts.migration.outcome import Report
    from scripts.migration.parts import Part
    from scripts.migration.plan import Plan, Share
    from scripts.migration.sample import Sample

_MOST_ROWS = 20
"""A person reads the first few; the report file names all."""
_STYLES = {Status.CORRUPT: "bold red", Status.MISSING: "red", Status.FAILED: "yellow"}


def plan_view(plan: Plan) -> RenderableType:
    """Return the plan: its verdict, its counts, and what already keeps it from being complete."""
    counts = plan.counts
    table = _figures()
    _figure(table, counts["planned"], "planned", f"of {count_text(plan.revisions, 'revision')}")
    _figure(table, counts["present"], "present", "proven in the target, nothing to do")
    _figure(table, counts["to_copy"], "to copy", _amount(plan))
    if counts["to_repair"]:
        _figure(table, counts["to_repair"], "to repair", "of these: wrong bytes in the target")
    for place, count in plan.healed_from.items():
        _figure(
            table, count, "to heal", f"of these: read from {place}, as {plan.source} lacks them"
        )
    for status, style in _STYLES.items():
        if counts[status.value]:
            _figure(table, counts[status.value], status.value, "see below", style)
    _part_figures(table, plan.parts)
    rows = [
        (planned.decision.status, planned.item, planned.reason, planned.references)
        for planned in plan.lost
        if planned.decision.status is not None
    ]
    return Group(
        _plan_verdict(plan), table, *_excluded(plan.excluded), *_losses(rows),
        *_part_losses(plan.parts), *_uncollectable(plan.uncollectable), *_notes(plan.notes),
    )  # fmt: skip


def dry_run_view(plan: Plan) -> RenderableType:
    """Return the plan, and its shares by revision and by path, those with losses first."""
    return Group(
        plan_view(plan), *_shares("revision", plan.by_revision), *_shares("path", plan.by_path)
    )


def report_view(report: Report) -> RenderableType:
    """Return the report: the verdict, the counts, and every loss with its place."""
    counts = report.counts
    table = _figures()
    revisions = count_text(report.revisions, "revision")
    if report.source:
        _figure(table, counts["planned"], "planned", f"of {revisions}")
    else:
        _figure(table, counts["planned"], "needed", f"by {revisions}")
    _figure(table, counts["intact"], "intact", _proofs(report), "green")
    if report.source:
        _figure(table, counts["present"], "present", "of these: there before")
        _figure(table, counts["copied"], "copied", f"of these: {bytes_text(report.bytes_copied)}")
    if counts["repaired"]:
        _figure(table, counts["repaired"], "repaired", "of these: wrong bytes were replaced")
    for status, style in _STYLES.items():
        if counts[status.value]:
            _figure(table, counts[status.value], status.value, "see below", style)
    _part_figures(table, report.parts)
    rows = [
        (outcome.status, outcome.item, outcome.reason, outcome.references)
        for outcome in report.not_intact
    ]
    return Group(
        _report_verdict(report), table, *_sample(report.sample), *_excluded(report.excluded),
        *_losses(rows), *_part_losses(report.parts),
        *_uncollectable(report.uncollectable), *_notes(report.notes),
    )  # fmt: skip


def switch_view(switch: Switch) -> RenderableType:
    """Return which remote is the default now, and what is left to do about it."""
    now = switch.remote or "none"
    lines = [
        Text(f"Default remote: {switch.previous or 'none'} → {now}", style="bold green")
        if switch.changed
        else Text(f"Default remote: {now}, as before", style="green")
    ]
    lines[0].append(f" ({switch.file})", style="dim")
    if not switch.is_shared:
        lines.append(Text("  On this machine only, at every commit", style="dim"))
    elif switch.changed:
        lines.append(Text("  To share it: git add .dvc/config && git commit", style="dim"))
        told = "  Old commits carry their own .dvc/config; `--local` lets them find it here"
        lines.append(Text(told, style="dim"))
    if switch.overridden_by:
        note = f".dvc/config.local sets {switch.overridden_by} instead, on this machine only"
        lines.append(Text.assemble(("  NOTE ", "bold yellow"), note))
    return Group(*lines)


def rewritten_view(files: Sequence[str]) -> RenderableType:
    """Return which DVC files have names of DVC 3 now; nothing if none was rewritten."""
    if not files:
        return Group()
    told = f"{count_text(len(files), 'DVC file')} rewritten to names of DVC 3"
    shown = ", ".join(files[:_MOST_ROWS]) + (" ..." if len(files) > _MOST_ROWS else "")
    return Group(
        Text(f"{told}: {shown}", style="bold green"),
        Text("  `git diff` shows it; to share it: git commit --all", style="dim"),
    )


def switches_view(switches: Iterable[Switch]) -> RenderableType:
    """Return what each switch did; nothing if there was none."""
    return Group(*(switch_view(switch) for switch in switches))


def undone_view(switches: Iterable[Switch]) -> RenderableType:
    """Return which remote is the default again, in each file that was put back."""
    return Group(
        *(
            Text(f"Default remote: {switch.remote or 'none'} again ({switch.file})", style="green")
            for switch in switches
        )
    )


def _plan_verdict(plan: Plan) -> Text:
    way = f"{plan.source} → {plan.target}: "
    if not plan.can_complete:
        return Text(f"{way}cannot become complete as it is", style="bold yellow")
    if not plan.counts["to_copy"]:
        return Text(f"{way}nothing to copy", style="bold green")
    return Text(f"{way}{count_text(plan.counts['to_copy'], 'object')} to copy", style="bold")


def _amount(plan: Plan) -> str:
    """Return how much is to be copied, and how long that takes if anything tells."""
    amount = bytes_text(plan.bytes_to_copy)
    if plan.estimate is None:
        return amount
    if plan.estimate.duration_s < 1:
        return f"{amount}, in a moment"
    took = duration_text(plan.estimate.duration_s)
    if plan.estimate.is_whole:
        return f"{amount}, about {took} at the pace of the last run"
    return f"{amount}, at least {took}: that is what reading takes"


def _report_verdict(report: Report) -> Text:
    way = f"{report.source} → {report.target}: " if report.source else f"{report.target}: "
    took = duration_text(report.elapsed_s)
    if report.complete:
        told = f"✓ {way}complete, {bytes_text(report.bytes_intact)} proven in {took}"
        return Text(told, style="bold green")
    lost = count_text(len(report.not_intact), "object")
    lost += "".join(f", {part.told}" for part in report.parts if not part.complete)
    unread = f", {len(report.uncollectable)} unread" if report.uncollectable else ""
    return Text(f"✗ {way}INCOMPLETE, {lost} not intact{unread}, after {took}", style="bold red")


def _sample(sample: Sample) -> Iterable[RenderableType]:
    if 0 < sample.share < 1:
        told = f"  {sample.share * 100:g}% of what the listing proves was read back as well"
        yield Text(f"{told}; the same again: --seed {sample.seed}", style="dim")


def _proofs(report: Report) -> str:
    kinds = report.evidence_counts()
    return ", ".join(f"{count:,} by {kind}" for kind, count in kinds.items()) or "none"


def _losses(
    rows: list[tuple[Status, StoredObject, str, tuple[Reference, ...]]],
) -> Iterable[RenderableType]:
    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("", "path", "revision", "why"):
        table.add_column(heading, overflow="fold")
    for status, item, reason, references in rows[:_MOST_ROWS]:
        place = references[0] if references else None
        more = f" (+{len(references) - 1})" if len(references) > 1 else ""
        table.add_row(
            Text(status.value, style=_STYLES.get(status, "")),
            Text(place.path if place else item.key),
            Text(f"{place.revision}{more}" if place else ""),
            Text(reason),
        )
    yield table
    yield from _rest(len(rows))


def _part_figures(table: Table, parts: tuple[Part, ...]) -> None:
    """Add a row for each part that there is anything of."""
    for part in parts:
        if any(part.counts.values()):
            (_, total), *others = part.counts.items()
            told = (f"{count:,} {kind.replace('_', ' ')}" for kind, count in others if count)
            _figure(table, total, part.title, ", ".join(told), "" if part.complete else "red")


def _part_losses(parts: tuple[Part, ...]) -> Iterable[RenderableType]:
    for part in parts:
        if part.losses:
            table = Table(box=box.SIMPLE_HEAD)
            for heading in ("", part.title, "why"):
                table.add_column(heading, overflow="fold")
            for loss in part.losses[:_MOST_ROWS]:
                style = _STYLES.get(Status(loss.status), "")
                table.add_row(Text(loss.status, style=style), Text(loss.name), Text(loss.reason))
            yield table
            yield from _rest(len(part.losses))


def _uncollectable(lost: tuple[Uncollectable, ...]) -> Iterable[RenderableType]:
    if not lost:
        return
    table = Table(box=box.SIMPLE_HEAD, title="Not known what these need", title_justify="left")
    for heading in ("revision", "file", "why"):
        table.add_column(heading, overflow="fold")
    for entry in lost[:_MOST_ROWS]:
        table.add_row(Text(entry.revision), Text(entry.path), Text(entry.reason))
    yield table
    yield from _rest(len(lost))


def _shares(heading: str, shares: tuple[Share, ...]) -> Iterable[RenderableType]:
    if not shares:
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(heading, overflow="fold")
    for column in ("objects", "present", "to copy", "bytes", "lost"):
        table.add_column(column, justify="right")
    order = sorted(shares, key=lambda share: (-share.lost, -share.bytes_to_copy))
    for share in order[:_MOST_ROWS]:
        table.add_row(
            Text(share.name),
            f"{share.objects:,}", f"{share.present:,}", f"{share.to_copy:,}",
            bytes_text(share.bytes_to_copy),
            Text(f"{share.lost:,}", style="red" if share.lost else ""),
        )  # fmt: skip
    yield table
    yield from _rest(len(shares), "--json")


def _rest(count: int, option: str = "--report FILE") -> Iterable[RenderableType]:
    if count > _MOST_ROWS:
        yield Text(f"  and {count - _MOST_ROWS:,} more: `{option}` names all", style="dim")


def _excluded(excluded: Mapping[str, int]) -> Iterable[RenderableType]:
    if excluded:
        told = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(excluded.items()))
        yield Text(f"  Not part of it, on purpose: {told}", style="dim")


def _notes(notes: tuple[str, ...]) -> Iterable[RenderableType]:
    for note in notes:
        yield Text.assemble(("  NOTE ", "bold yellow"), note)


def _figures() -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=True)
    table.add_column(justify="right")
    table.add_column(no_wrap=True)
    table.add_column(style="dim")
    return table


def _figure(table: Table, count: int, name: str, detail: str, style: str = "") -> None:
    table.add_row(Text(f"{count:,}", style=style), Text(name, style=style), Text(detail))
