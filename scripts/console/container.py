"""How heart 1 looks: the plan, the proof and the state of the container as rich renderables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from scripts.container.model import Gpu, Verdict
from scripts.report import bytes_text, duration_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from scripts.container.model import ContainerPlan, Proof, Status
    from scripts.container.old_images import OldImages
    from scripts.links.repair import Repaired

_NAMED_AT_MOST = 10
_NAME_SHOWN = len("slipway-dev:0123456789abcdef")
_MARKS = {
    Verdict.WORKS: ("✓", "green"),
    Verdict.WARNING: ("!", "yellow"),
    Verdict.FAILED: ("✗", "bold red"),
}


def plan_view(plan: ContainerPlan) -> RenderableType:
    """Return the plan: what the container will be, and what is done for it."""
    facts = pairs()
    identity = plan.identity
    facts.add_row("project", plan.project)
    facts.add_row("image", plan.image)
    facts.add_row("base image", plan.base_name)
    facts.add_row("user inside", f"{identity.username} ({identity.uid}:{identity.gid})")
    facts.add_row("workspace", plan.workspace)
    facts.add_row("DVC cache", plan.cache_directory)
    for mount in plan.mounts[1:]:
        access = " (read-only)" if mount.read_only else ""
        facts.add_row("mount", f"{mount.source}{access}  {mount.purpose}")
    facts.add_row("ports", ", ".join(_port(plan)) or "none")
    facts.add_row("GPU", "none" if plan.gpu is Gpu.NONE else plan.gpu.value)
    facts.add_row("certificates", str(plan.ca_bundle) if plan.ca_bundle else "the image's own")
    return Group(facts, "", *_notes(plan), *_steps(plan))


def steps_view(plan: ContainerPlan) -> RenderableType:
    """Return only what a person should know and what will be done, and why."""
    return Group(*(_notes(plan) if plan.steps else ()), *_steps(plan))


def _steps(plan: ContainerPlan) -> list[Text]:
    if not plan.steps:
        return [Text("Nothing to do: the container runs as planned.", style="green")]
    return [
        Text.assemble((f"{number}. ", "bold"), step.action.value, (f"  ({step.reason})", "dim"))
        for number, step in enumerate(plan.steps, 1)
    ]


def welcome_view(plan: ContainerPlan) -> RenderableType:
    """Return what a person may do next."""
    facts = pairs()
    facts.add_row("./inv shell", f"work inside, in {plan.workspace}")
    facts.add_row("./inv attach", "open VS Code on it")
    facts.add_row("./inv demo", "see a data set move from a disk to S3, verified")
    return facts


def proof_view(proof: Proof) -> RenderableType:
    """Return the proof as one table, with a hint for each row that needs one."""
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"Asked from inside, in {duration_text(proof.elapsed_s)}",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("")
    table.add_column("what", no_wrap=True)
    table.add_column("seen", overflow="fold")
    hints = any(check.hint for check in proof.checks)
    if hints:
        table.add_column("what to do", overflow="fold")
    for check in proof.checks:
        mark, style = _MARKS[check.verdict]
        cells = [Text(mark, style=style), Text(check.name), Text(check.seen)]
        table.add_row(*cells, *([Text(check.hint)] if hints else []))
    return Group(*_repaired(proof.repaired), table) if proof.repaired else table


def _repaired(repaired: Repaired) -> list[Text]:
    """Return what was mended, what was not and why, and where edited objects went."""
    lines = [
        Text.assemble(("mended  ", "bold green"), f"{item.path}: {item.what}")
        for item in repaired.mended[:_NAMED_AT_MOST]
    ]
    if len(repaired.mended) > _NAMED_AT_MOST:
        lines.append(Text(f"        and {len(repaired.mended) - _NAMED_AT_MOST:,} more"))
    lines += [
        Text.assemble(
            ("left    ", "bold yellow"),
            f"{item.path}: {item.reason}" + (f" ({item.hint})" if item.hint else ""),
        )
        for item in repaired.left
    ]
    lines += [
        Text.assemble(("moved   ", "bold"), f"{moved.object_path} → {moved.moved_to}")
        for moved in repaired.quarantined
    ]
    return lines or [Text("There was nothing to mend.", style="green")]


def status_view(status: Status) -> RenderableType:
    """Return the state of the container."""
    plan, container = status.plan, status.container
    facts = pairs()
    if container is None:
        facts.add_row("container", "none yet; `./inv up` makes it")
        return facts
    state = "running" if container.running else "stopped"
    facts.add_row("container", container.name)
    facts.add_row("state", f"{state}, {container.health}" if container.health else state)
    facts.add_row("image", plan.image)
    facts.add_row("workspace", plan.workspace)
    facts.add_row("ports", ", ".join(_port(plan)) or "none")
    facts.add_row("up to date", "no, `./inv up` brings it there" if plan.steps else "yes")
    return facts


def old_images_view(old: OldImages) -> RenderableType:
    """Return the images that nothing uses, and what came of them."""
    if not old.names:
        return Text("Nothing to remove: a container is made of each image.", style="green")
    lines = [Text(f"  {name[:_NAME_SHOWN]}") for name in old.names]
    if old.freed_bytes is None:
        return Group(Text(f"{old}:"), *lines)
    freed = f"✓ {bytes_text(old.freed_bytes)} are free again; removed:"
    return Group(Text(freed, style="bold green"), *lines)


def pairs() -> Table:
    """Return an empty table of names and what is known of each."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _notes(plan: ContainerPlan) -> list[Text]:
    return [Text.assemble(("note  ", "bold yellow"), note) for note in plan.notes]


def _port(plan: ContainerPlan) -> list[str]:
    return [
        f"{port.host_address}:{port.host_port}"
        + ("" if port.host_port == port.container_port else f" -> {port.container_port}")
        + ("" if port.instead_of is None else f" (instead of {port.instead_of})")
        for port in plan.ports
    ]
