"""Does the target hold an object? The answer is evidence, never a name and never a size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.errors import StoreError, StoreUnavailable
from scripts.migration.digest import digest_for
from scripts.migration.model import ABSENT, OTHER_BYTES, Evidence, Proof
from scripts.migration.retry import retrying
from scripts.migration.sample import EVIDENCE, Sample
from scripts.migration.workers import Stop, in_threads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts.migration.model import StoredObject
    from scripts.migration.store import Source
    from scripts.progress import Progress


def list_store(store: Source, progress: Progress) -> dict[str, StoredObject]:
    """Return every object of ``store`` by its key.

    Raises:
        StoreError: The store cannot be listed.
    """
    listing: dict[str, StoredObject] = {}
    with progress.phase(f"listing {store.name}") as phase:

        def collect() -> None:
            for item in store.list_objects():
                if item.key not in listing:
                    phase.advance()
                listing[item.key] = item

        retrying(collect, Stop())
    return listing


def prove_objects(
    items: Iterable[StoredObject],
    target: Source,
    listing: Mapping[str, StoredObject],
    *,
    jobs: int,
    progress: Progress,
    name: str = "verifying",
    sample: Sample = EVIDENCE,
) -> dict[str, Proof]:
    """Return for every item what the target holds under its name, by key.

    Args:
        items: The objects to prove.
        target: Where they must be.
        listing: A fresh listing of the target, by key.
        jobs: How many objects are read back at once.
        progress: Told of each object.
        name: The phase's name.
        sample: What is read back although the listing proves it.

    Raises:
        StoreUnavailable: The target stopped answering: nothing is known then, which is not the same
            as "not there".
    """
    wanted = list(items)
    told = {item.key for item in wanted if _is_told(item, listing.get(item.key))}
    enough = told - sample.choose(told)
    with progress.phase(name, total=len(wanted)) as phase:

        def look(item: StoredObject, stop: Stop) -> tuple[str, Proof]:
            if item.key in enough:
                proof = Proof(Evidence.STORE_CHECKSUM)
            else:
                proof = _read_proof(listing.get(item.key), target, stop)
            phase.advance()
            return item.key, proof

        return dict(in_threads(look, wanted, jobs))


def _is_told(item: StoredObject, listed: StoredObject | None) -> bool:
    return listed is not None and listed.checksum == item.md5


def _read_proof(listed: StoredObject | None, target: Source, stop: Stop) -> Proof:
    if listed is None:
        return ABSENT
    try:
        is_right = retrying(lambda: _read_back(listed, target, stop), stop)
    except StoreUnavailable:
        raise
    except StoreError as error:
        return Proof(Evidence.NONE, f"it cannot be read back: {error.message}")
    if is_right:
        return Proof(Evidence.READ_BACK)
    return OTHER_BYTES


def _read_back(listed: StoredObject, target: Source, stop: Stop) -> bool:
    digest = digest_for(listed)
    for chunk in target.read(listed):
        stop.check()
        digest.update(chunk)
    return digest.matches(listed)
