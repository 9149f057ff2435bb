"""What a plan of very many objects costs: time and memory, on listings that are made up.

    python -m benchmarks.plan [--objects 1000000,10000000] [--files N] [--missing N]

A project of directories of ``--files`` files each is planned: the source lists all objects, the
target all but every ``--missing``-th, each with a checksum. Nothing lies on a disk, so what is
measured is Slipway alone. Each size is a process of its own, and the memory is the kernel's figure.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.migrate import taken
from scripts.migration.inventory import Inventory
from scripts.migration.model import LAYOUTS, SHARDS, Layout, Reference, StoredObject
from scripts.migration.observe import plan_objects
from scripts.migration.opening import Stores
from scripts.migration.store import ReadOnly
from scripts.migration.stores.memory import MemoryStore
from scripts.progress import SilentProgress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
_ENTRIES = 10_000


def main(argv: Sequence[str]) -> None:
    """Plan each size in a child process; print time, memory, and both for each object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", default="1000000,2000000,5000000,10000000")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--missing", type=int, default=10)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.child:
        plan(options.child, options.files, options.missing)
        return
    for text in options.objects.split(","):
        count = int(text)
        own = ["--files", str(options.files), "--missing", str(options.missing)]
        command = [sys.executable, "-m", "benchmarks.plan", "--child", text, *own]
        cost = taken(command, ROOT)
        print(
            f"{count:>10,} objects {cost.wall_s:7.1f} s {cost.wall_s / count * 1e6:6.2f} µs each"
            f"  {cost.memory_bytes / 1e6:6.0f} MB {cost.memory_bytes / count:6.0f} bytes each"
        )


def plan(count: int, files: int, missing: int) -> None:
    """Plan ``count`` objects in this process."""
    source = MadeUp("hdd", count, files)
    target = MadeUp("s3", count, files, missing=missing)
    directories = range(-(-count // files))
    inventory = Inventory(
        {
            StoredObject(source.name_of_list(number)): (Reference(f"data/{number}", "workspace"),)
            for number in directories
        }
    )
    stores = Stores(Path(), ReadOnly(source), target)
    planned = plan_objects(stores, inventory, time.monotonic(), progress=SilentProgress())
    expected = count + len(directories)
    if planned.counts["planned"] != expected or planned.counts["missing"]:
        sys.exit(f"the plan is wrong: {planned.counts}")
    if planned.counts["to_copy"] != -(-count // missing) + len(directories):
        sys.exit(f"the plan is wrong: {planned.counts}")


class MadeUp(MemoryStore):
    """A store whose objects follow from their number; the lists of directories are in the source.

    Args:
        name: Its name.
        count: How many files it has.
        files: How many of them a directory has.
        missing: Every so many-th is not there; none if 0. Such a store has no lists either.
    """

    def __init__(self, name: str, count: int, files: int, missing: int = 0) -> None:
        super().__init__(name)
        self._count = count
        self._files = files
        self._missing = missing
        self._lists = {} if missing else {self.name_of_list(n): n for n in self._numbers()}

    def _numbers(self) -> range:
        return range(-(-self._count // self._files))

    def name_of_list(self, number: int) -> str:
        """Return the name of a directory's list."""
        digest = hashlib.md5(usedforsecurity=False)
        for piece in self._list(number):
            digest.update(piece)
        return digest.hexdigest() + ".dir"

    def _list(self, number: int) -> Iterator[bytes]:
        first = number * self._files
        last = min(first + self._files, self._count)
        for begin in range(first, last, _ENTRIES):
            numbers = range(begin, min(begin + _ENTRIES, last))
            entries = (f'{{"md5": "{_md5(n)}", "relpath": "{n:09}.bin"}}' for n in numbers)
            start = "[" if begin == first else ", "
            end = "]" if begin + _ENTRIES >= last else ""
            yield f"{start}{', '.join(entries)}{end}".encode()

    def layouts(self) -> frozenset[Layout]:
        """Return the one layout."""
        return frozenset({Layout.CURRENT})

    def list_shard(
        self, shard: int, layouts: frozenset[Layout] = LAYOUTS
    ) -> Iterator[StoredObject]:
        """Yield the files of one shard, and the lists."""
        if Layout.CURRENT not in layouts:
            return
        for number in range(shard, self._count, SHARDS):
            if not self._missing or number % self._missing:
                md5 = _md5(number)
                yield StoredObject(md5, size_bytes=30_000, checksum=md5)
        for name in self._lists:
            item = StoredObject(name, size_bytes=1000, checksum=name[:32])
            if item.shard == shard:
                yield item

    def read(self, item: StoredObject) -> Iterator[bytes]:
        """Yield a list of files; nothing else is ever read."""
        yield from self._list(self._lists[item.oid])


def _md5(number: int) -> str:
    return f"{number % SHARDS:02x}{number:030x}"


if __name__ == "__main__":
    main(sys.argv[1:])
