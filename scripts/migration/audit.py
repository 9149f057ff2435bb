"""Does a remote hold what the revisions need? Asked at any time; nothing is changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scripts.migration.directories import open_directories
from scripts.migration.inventory import read_inventory
from scripts.migration.model import ABSENT, OTHER_BYTES, Outcome, Proof, Reference, Status
from scripts.migration.observe import DEFAULT_JOBS
from scripts.migration.outcome import Report
from scripts.migration.plan import references_of
from scripts.migration.prove import list_store, prove_objects
from scripts.migration.sample import EVIDENCE, Sample
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.migration.directories import Opened
    from scripts.migration.model import StoredObject
    from scripts.migration.store import Source
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
    listing = list_store(remote, progress)
    inventory = read_inventory(root, remote.name, progress)
    directories = open_directories(
        (item for item in inventory.references if item.is_directory),
        ((remote, listing),),
        jobs=jobs,
        progress=progress,
    )
    wanted = references_of(inventory, directories)
    proofs = prove_objects(wanted, remote, listing, jobs=jobs, progress=progress, sample=sample)
    outcomes = (
        _outcome(listing.get(item.key, item), proofs[item.key], places, directories.get(item.key))
        for item, places in wanted.items()
    )
    return Report(
        source="",
        target=remote.name,
        outcomes=tuple(sorted(outcomes, key=lambda outcome: outcome.item.key)),
        uncollectable=inventory.uncollectable,
        excluded={verdict.value: count for verdict, count in inventory.excluded.items()},
        revisions=inventory.revisions,
        elapsed_s=time.monotonic() - started_s,
        sample=sample,
    )


def _outcome(
    item: StoredObject, proof: Proof, places: tuple[Reference, ...], opened: Opened | None
) -> Outcome:
    """Return what is known of one object; what cannot be read is neither absent nor wrong."""
    if proof.evidence.is_proof and opened is not None and opened.status is not None:
        # Its bytes are those that were named, but which files it needs is not known.
        return Outcome(item, opened.status, reason=opened.reason, references=places)
    if proof.evidence.is_proof:
        return Outcome(item, Status.PRESENT, proof.evidence, references=places)
    status = {ABSENT: Status.MISSING, OTHER_BYTES: Status.CORRUPT}.get(proof, Status.FAILED)
    return Outcome(item, status, reason=proof.reason, references=places)
