"""How the DVC cache looks: the table of link types, what `--use` will do and did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from scripts.console.container import pairs
from scripts.links.choose import AUTO
from scripts.links.permission import NOT_THERE
from scripts.report import bytes_text, count_text, duration_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from scripts.container.link_plan import LinkPlan, LinkResult
    from scripts.links.checkout import Overview
    from scripts.links.report import CacheReport, Row

_NAMED_AT_MOST = 10
_UNKNOWN = Text("?", style="dim")
_NOTHING = Text("-", style="dim")
_TROUBLES = {
    "corrupt": (
        "was edited through its link, and with it the cache",
        "were edited through their links, and with them the cache",
    ),
    "dangling": ("is a link that leads nowhere", "are links that lead nowhere"),
    "foreign": ("is a link that leads out of the cache", "are links that lead out of the cache"),
    "uncached": ("is not in the cache", "are not in the cache"),
    "copied": ("is a copy, though links are wanted", "are copies, though links are wanted"),
}


def report_view(report: CacheReport) -> RenderableType:
    """Return the table of link types, what the checkout is like, and what would be better."""
    sides = report.sides
    facts = pairs()
    facts.add_row("cache", _place(sides.cache, sides.cache_filesystem))
    facts.add_row("workspace", _place(sides.workspace, sides.workspace_filesystem))
    facts.add_row("cache.type", ",".join(report.wanted) or f"not set; DVC uses {','.join(AUTO)}")
    lines: list[RenderableType] = [facts, _table(report)]
    lines += [_reason(row) for row in report.rows() if row.reason]
    if sides.why_not_inside:
        lines.append(Text(f"Inside could not be asked: {sides.why_not_inside}", style="yellow"))
    if report.overview is not None:
        lines.append(checkout_line(report.overview))
    if report.projects:
        named = ", ".join(
            f"{project.root} ({','.join(project.link_types) or 'auto'})"
            for project in report.projects
        )
        lines.append(Text(f"Also used by: {named}"))
    lines += _advice(report)
    return Group(*lines)


def checkout_line(overview: Overview) -> Text:
    """Return one line that sums a checkout up, and one for each kind of trouble."""
    files = sum(count.files for count in overview.counts.values())
    size_bytes = sum(count.size_bytes for count in overview.counts.values())
    own_bytes = sum(count.own_bytes for count in overview.counts.values())
    states = ", ".join(f"{count.files:,} {state}" for state, count in overview.counts.items())
    text = Text(
        f"Checkout: {count_text(files, 'file')}, {bytes_text(size_bytes)}"
        f" ({states or 'nothing is tracked yet'}); "
        f"{bytes_text(own_bytes)} on disk beside the cache"
    )
    for kind, number in overview.troubled.items():
        one, many = _TROUBLES[kind]
        text.append(f"\n{count_text(number, 'file')} {one if number == 1 else many}", "yellow")
    return text


def plan_view(plan: LinkPlan) -> RenderableType:
    """Return what `--use` will do."""
    lines = [Text.assemble(("cache.type  ", "bold"), ",".join(plan.choice.types))]
    lines += [
        Text.assemble((f"without {item.link_type}: ", "yellow"), f"{item.reason}. {item.remedy}")
        for item in plan.choice.dropped
    ]
    if plan.restarts:
        lines += [Text.assemble(("note  ", "bold yellow"), note) for note in plan.notes]
        mounts = plan.container.mounts
        lines += [Text.assemble(("mount  ", "bold"), str(mount.source)) for mount in mounts]
    return Group(*lines)


def result_view(result: LinkResult) -> RenderableType:
    """Return what `--use` did, and how it was verified."""
    done = result.relinked
    files = sum(count.files for count in done.after.values())
    states = ", ".join(f"{count.files:,} {state}" for state, count in done.after.items())
    saved = done.bytes_saved
    freed = f"{bytes_text(saved)} freed" if saved >= 0 else f"{bytes_text(-saved)} more on the disk"
    lines = [
        Text.assemble(("✓ ", "green"), f"cache.type is {','.join(result.types)}"),
        Text.assemble(("✓ ", "green"), f"{count_text(files, 'file')}: {states or 'none'}; {freed}"),
    ]
    looked = len(done.sample)
    if result.unverified:
        wrong = f"{len(result.unverified)} of {looked} files are not as said, seen from outside"
        lines.append(Text.assemble(("✗ ", "bold red"), wrong))
    elif looked:
        lines.append(
            Text.assemble(
                ("✓ ", "green"),
                f"{count_text(looked, 'file')} looked at from outside: linked as said "
                "(inode, extents or link target)",
            )
        )
    lines += [
        Text.assemble(("left alone  ", "yellow"), f"{left.path}: {left.reason}")
        for left in [left for left in done.left_alone if left.reason != NOT_THERE][:_NAMED_AT_MOST]
    ]
    return Group(*lines)


def _table(report: CacheReport) -> Table:
    sample = f"{report.sample_files:,} x {bytes_text(report.sample_bytes)}"
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("type", style="bold", no_wrap=True)
    table.add_column("outside")
    table.add_column("inside")
    if report.sample_files:
        table.add_column(f"{sample}\noutside", justify="right")
        table.add_column("\ninside", justify="right")
        table.add_column("\non disk", justify="right")
        if report.files:
            files = count_text(report.files, "file")
            table.add_column(f"{files}\nof this project", justify="right")
    table.add_column("editable\nin place")
    table.add_column("what DVC does", overflow="fold")
    for row in report.rows():
        table.add_row(*_cells(row, report))
    return table


def _cells(row: Row, report: CacheReport) -> list[Text]:
    cells = [Text(row.link_type), _mark(row.outside), _mark(row.inside)]
    if report.sample_files:
        cells += [_seconds(row.seconds_outside), _seconds(row.seconds_inside)]
        cells.append(_size(row.extra_bytes))
        if report.files:
            cells.append(_size(row.project_bytes))
    editable = _NOTHING if row.editable is None else Text("yes" if row.editable else "no")
    used = row.dvc.startswith("uses it")
    return [*cells, editable, Text(row.dvc, style="green" if used else "")]


def _advice(report: CacheReport) -> list[Text]:
    better = report.advice()
    if not better:
        return []
    saved = f" would save {bytes_text(report.size_bytes)}" if report.size_bytes else " saves space"
    how = "" if better == "reflink" else "; before editing a file then: `dvc unprotect FILE`"
    return [Text.assemble(("./inv cache --use ", "bold"), (better, "bold"), f"{saved}{how}")]


def _reason(row: Row) -> Text:
    text = Text.assemble((f"{row.link_type}: ", "bold"), row.reason)
    if row.outside and row.inside is False:
        text.append(f"; `./inv cache --use {row.link_type}` tries one mount for both")
    return text


def _mark(works: bool | None) -> Text:  # noqa: FBT001  a cell's value
    if works is None:
        return _UNKNOWN
    return Text("✓", style="green") if works else Text("✗", style="red")


def _seconds(value: float | None) -> Text:
    if value is None:
        return _NOTHING
    return Text(f"{value * 1000:.0f} ms" if value < 1 else duration_text(value))


def _size(value: int | None) -> Text:
    return _NOTHING if value is None else Text(bytes_text(value))


def _place(path: str, filesystem: str) -> str:
    return f"{path} ({filesystem})" if filesystem else path
