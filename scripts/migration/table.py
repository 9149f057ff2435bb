"""Every object that revisions need, packed: what ten million of them cost is decided here.

An object is 16 bytes of hash, 4 of family and 8 of size, and a byte more for each ledger about it.
All else that is known (its key, who names it) is worked out when it is asked for.
"""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from scripts.migration.model import DIRECTORY_SUFFIX, SHARDS, Layout, Reference, StoredObject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DIGEST_BYTES = 16
NO_FAMILY = 0
UNKNOWN_SIZE = -1
_RECORD = Struct("<16sI")
_FOLD_BYTES = 1 << 18
"""Mentions of a block that are kept as they come, before each object is kept once again."""


@dataclass(frozen=True)
class Owner:
    """A file or directory that DVC files name, and where they do: an output, in short.

    The one without an ``item`` is nobody: it owns what a store holds and no revision names.
    """

    item: StoredObject | None
    references: tuple[Reference, ...] = ()


class Position(NamedTuple):
    """Where an object stands in a table: the number of its block, and its row there."""

    block: int
    row: int


class Families:
    """Sets of owners. Objects that the same owners need share one, so it is kept once.

    A set is the one before it and one owner more. As owners come one after the other, the same set
    comes about in one way only.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[int, int]] = [(NO_FAMILY, -1)]
        self._grown: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self._steps)

    def grown(self, family: int, owner: int) -> int:
        """Return the set of ``family`` and ``owner``."""
        step = (family, owner)
        if self._steps[family][1] == owner:  # the same file twice in one directory
            return family
        number = self._grown.get(step)
        if number is None:
            number = self._grown[step] = len(self._steps)
            self._steps.append(step)
        return number

    def members(self, family: int) -> list[int]:
        """Return the owners of ``family``, in the order in which they came."""
        found = []
        while family != NO_FAMILY:
            family, owner = self._steps[family]
            found.append(owner)
        return found[::-1]


class Block:
    """The objects of one layout and kind whose hash begins with one byte, sorted.

    Attributes:
        layout: Where they lie, and by which rule they are named.
        is_directory: Whether they are lists of directories.
        shard: The byte.
        digests: Their hashes, 16 bytes each.
        families: Who needs each of them.
        sizes_bytes: The size of each, as far as a listing told it.
    """

    __slots__ = ("digests", "families", "is_directory", "layout", "shard", "sizes_bytes")

    def __init__(self, kind: int, shard: int, records: bytes) -> None:
        self.layout, self.is_directory = _KINDS[kind]
        self.shard = shard
        self.digests = b"".join(digest for digest, _ in _RECORD.iter_unpack(records))
        self.families = array("I", (family for _, family in _RECORD.iter_unpack(records)))
        self.sizes_bytes = array("q", [UNKNOWN_SIZE]) * len(self.families)

    def __len__(self) -> int:
        return len(self.families)

    def oids(self) -> Iterator[str]:
        """Yield the name of each object."""
        suffix = DIRECTORY_SUFFIX if self.is_directory else ""
        text = self.digests.hex()
        for start in range(0, len(text), 2 * DIGEST_BYTES):
            yield text[start : start + 2 * DIGEST_BYTES] + suffix

    def oid(self, row: int) -> str:
        """Return the name of one object."""
        digest = self.digests[row * DIGEST_BYTES : (row + 1) * DIGEST_BYTES].hex()
        return digest + DIRECTORY_SUFFIX if self.is_directory else digest

    def item(self, row: int) -> StoredObject:
        """Return one of the objects."""
        size_bytes = self.sizes_bytes[row]
        return StoredObject(
            self.oid(row), self.layout, None if size_bytes == UNKNOWN_SIZE else size_bytes
        )


_KINDS = (
    (Layout.CURRENT, False),
    (Layout.LEGACY, False),
    (Layout.CURRENT, True),
    (Layout.LEGACY, True),
)
_KIND = {kind: number for number, kind in enumerate(_KINDS)}


class ObjectTable:
    """All objects, each once: blocks of files before those of directories' lists.

    Attributes:
        blocks: The blocks that are not empty.
        owners: What the families' numbers mean.
        families: Who needs what.
    """

    def __init__(
        self, blocks: Iterable[Block], owners: Iterable[Owner], families: Families
    ) -> None:
        self.blocks = tuple(blocks)
        self.owners = tuple(owners)
        self.families = families

    def __len__(self) -> int:
        return sum(map(len, self.blocks))

    def item(self, position: Position) -> StoredObject:
        """Return the object at ``position``."""
        return self.blocks[position.block].item(position.row)

    def owners_of(self, position: Position) -> list[int]:
        """Return the numbers of those that need the object at ``position``."""
        return self.families.members(self.blocks[position.block].families[position.row])

    def by_shard(self) -> list[tuple[int, list[int]]]:
        """Return the shards that are not empty, each with the numbers of its blocks."""
        shards: dict[int, list[int]] = {}
        for number, block in enumerate(self.blocks):
            shards.setdefault(block.shard, []).append(number)
        return sorted(shards.items())


class TableBuilder:
    """Takes objects as they are found, each as often as it is found, and keeps each once."""

    def __init__(self) -> None:
        self._owners: list[Owner] = []
        self._families = Families()
        self._mentions: dict[tuple[int, int], bytearray] = {}
        self._folded: dict[tuple[int, int], bytes] = {}

    def add_owner(self, item: StoredObject, references: tuple[Reference, ...]) -> int:
        """Take what DVC files name; return its number."""
        self._owners.append(Owner(item, references))
        number = len(self._owners) - 1
        self._add(_KIND[item.layout, item.is_directory], number, (item.md5,))
        return number

    def add_nobody(self) -> int:
        """Take the owner of what nobody names; return its number."""
        self._owners.append(Owner(None))
        return len(self._owners) - 1

    def add_files(self, owner: int, md5s: Iterable[str], layout: Layout = Layout.CURRENT) -> None:
        """Take the files of an owner, a directory, which lie in ``layout``."""
        self._add(_KIND[layout, False], owner, md5s)

    def _add(self, kind: int, owner: int, md5s: Iterable[str]) -> None:
        mark = owner.to_bytes(4, "little")
        for md5 in md5s:
            digest = bytes.fromhex(md5)
            place = (kind, digest[0])
            mentions = self._mentions.get(place)
            if mentions is None:
                mentions = self._mentions[place] = bytearray()
            mentions += digest
            mentions += mark
            if len(mentions) > _FOLD_BYTES and 2 * len(mentions) > len(
                self._folded.get(place, b"")
            ):
                self._fold(place)

    def _fold(self, place: tuple[int, int]) -> None:
        known: dict[bytes, int] = dict(_RECORD.iter_unpack(self._folded.get(place, b"")))
        grown = self._families.grown
        for digest, owner in _RECORD.iter_unpack(self._mentions.pop(place, b"")):
            known[digest] = grown(known.get(digest, NO_FAMILY), owner)
        self._folded[place] = b"".join(_RECORD.pack(*record) for record in sorted(known.items()))

    def build(self) -> ObjectTable:
        """Return the table; the builder is empty then."""
        blocks = []
        for kind in range(len(_KINDS)):
            for shard in range(SHARDS):
                self._fold((kind, shard))
                records = self._folded.pop((kind, shard))
                if records:
                    blocks.append(Block(kind, shard, records))
        return ObjectTable(blocks, self._owners, self._families)


_Verdict = TypeVar("_Verdict")


class Ledger(Generic[_Verdict]):
    """One verdict for each object of a table, and words for those that need some.

    There are few different verdicts, so that one byte tells which. May be written from any thread
    as long as each object is written by one at a time.
    """

    def __init__(self, table: ObjectTable) -> None:
        self.table = table
        self._codes = [bytearray(len(block)) for block in table.blocks]
        self._verdicts: list[_Verdict] = []
        self._known: dict[_Verdict, int] = {}
        self._lock = threading.Lock()
        self.words: dict[Position, str] = {}

    def code(self, verdict: _Verdict) -> int:
        """Return the byte that stands for ``verdict``; 0 stands for none yet."""
        known = self._known.get(verdict)
        if known is not None:
            return known
        with self._lock:
            if verdict not in self._known:
                self._verdicts.append(verdict)
                self._known[verdict] = len(self._verdicts)
            return self._known[verdict]

    def codes(self, block: int) -> bytearray:
        """Return the bytes of a block, to be written by :meth:`code`."""
        return self._codes[block]

    def record(self, position: Position, verdict: _Verdict, words: str = "") -> None:
        """Write the verdict on one object over what stood there."""
        self._codes[position.block][position.row] = self.code(verdict)
        if words:
            self.words[position] = words
        elif self.words:
            self.words.pop(position, None)

    def verdict(self, position: Position) -> _Verdict:
        """Return the verdict on one object.

        Raises:
            ValueError: There is none.
        """
        return self.meaning(self._codes[position.block][position.row])

    def meaning(self, code: int) -> _Verdict:
        """Return the verdict that a byte stands for.

        Raises:
            ValueError: It stands for none.
        """
        if not code:
            raise ValueError("an object has no verdict")
        return self._verdicts[code - 1]

    def counts(self) -> Counter[_Verdict]:
        """Return how many objects have each verdict.

        Raises:
            ValueError: One has none.
        """
        return Counter({self.meaning(code): count for code, count in self._count().items()})

    def counts_so_far(self) -> Counter[_Verdict]:
        """Return what :meth:`counts` does, of the objects that have a verdict."""
        found = self._count()
        return Counter({self.meaning(code): found[code] for code in found if code})

    def _count(self) -> Counter[int]:
        found: Counter[int] = Counter()
        for codes in self._codes:
            found.update(codes)
        return found

    def positions(self, verdicts: Iterable[_Verdict]) -> Iterator[Position]:
        """Yield where the objects stand that have one of ``verdicts``, in the table's order."""
        wanted = bytes(self._known[verdict] for verdict in verdicts if verdict in self._known)
        if not wanted:
            return
        others = bytes(code for code in range(256) if code not in wanted)
        for block, codes in enumerate(self._codes):
            if len(codes.translate(None, others)):
                for index, code in enumerate(codes):
                    if code in wanted:
                        yield Position(block, index)

    def bytes_of(self, verdicts: Iterable[_Verdict]) -> int:
        """Return the size of the objects that have one of ``verdicts``, as far as it is known."""
        wanted = {self._known[verdict] for verdict in verdicts if verdict in self._known}
        return sum(
            size_bytes
            for block, codes in zip(self.table.blocks, self._codes)
            for size_bytes, code in zip(block.sizes_bytes, codes)
            if code in wanted and size_bytes != UNKNOWN_SIZE
        )
