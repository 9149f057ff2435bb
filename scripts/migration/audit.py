"""Does a remote hold what the revisions need? Asked at any time; nothing is changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scripts.migration.inventory import read_inventory
from scripts.migration.model import ABSENT, OTHER_BYTES, Proof, Result, Status
from scripts.migration.notes import tell_unfinished
from scripts.migration.observe import DEFAULT_JOBS
from scripts.migration.outcome import Report
from scripts.migration.prove import Seen, look_into_shards
from scripts.migration.sample import EVIDENCE, Sample
from scripts.migration.table import Ledger, Position
from scripts.migration.verify import with_references
from scripts.migration.wanted import read_wanted
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.migration.directories import Opened
    from scripts.migration.store import Source
    from scripts.migration.workers import Stop
    from scripts.progress import Progress


def verify_remote(
    root: Path,
    remote: Source,
    *,
    sample: Sample = EVIDENCE,
    jobs: int = DEFAULT_JOBS,
    progress: Progress | None = None,
) -> Report:
    """Prove every object that a revision of the project at ``root`` needs from ``remote``.

    Args:
        root: The DVC project's directory.
        remote: The remote; it is only read.
        sample: What is read back although the listing proves it.
        jobs: How many objects are read at once.
        progress: Where to tell what is going on.

    Returns:
        A report without a source, in which nothing was copied.

    Raises:
        StoreError: The remote cannot be listed, or stopped answering.
        SettingsError: The project cannot be read.
        ToolError: git is missing or failed.
    """
    progress = progress or SilentProgress()
    started_s = time.monotonic()
    inventory = read_inventory(root, remote.name, progress)
    wanted = read_wanted(inventory, (remote,), jobs=jobs, progress=progress)
    table = wanted.table
    results: Ledger[Result] = Ledger(table)

    def look(number: int, seen: Iterator[Seen], _stop: Stop) -> None:
        block = table.blocks[number]
        for row, size_bytes, _, proof in seen:
            block.sizes_bytes[row] = size_bytes
            unopened = wanted.unopened.get(block.item(row).key) if block.is_directory else None
            results.record(Position(number, row), *_judge(proof, unopened))

    look_into_shards(
        table, remote, look, sample=sample, jobs=jobs, progress=progress, name="verifying"
    )
    return Report(
        source="",
        target=remote.name,
        outcomes=with_references(results, (remote,), jobs=jobs, progress=progress),
        uncollectable=inventory.uncollectable,
        notes=tell_unfinished(remote),
        excluded={verdict.value: count for verdict, count in inventory.excluded.items()},
        revisions=inventory.revisions,
        elapsed_s=time.monotonic() - started_s,
        sample=sample,
    )


def _judge(proof: Proof, unopened: Opened | None) -> tuple[Result, str]:
    """Return what is known of one object; what cannot be read is neither absent nor wrong."""
    if proof.evidence.is_proof and unopened is not None and unopened.status is not None:
        # Its bytes are those that were named, but which files it needs is not known.
        return Result(unopened.status), unopened.reason
    if proof.evidence.is_proof:
        return Result(Status.PRESENT, proof.evidence), ""
    status = {ABSENT: Status.MISSING, OTHER_BYTES: Status.CORRUPT}.get(proof, Status.FAILED)
    return Result(status), proof.reason
