"""Stores for contract tests, each with a way to look behind its back; and what to keep there."""

from __future__ import annotations

import hashlib
import random
import uuid
from typing import TYPE_CHECKING, Any, Protocol

from obstore.store import S3Store as Bucket

from scripts.migration.filesystems import open_filesystem
from scripts.migration.model import Layout, Location, StoredObject
from scripts.migration.stores.conditions import Conditions
from scripts.migration.stores.disk import DiskStore
from scripts.migration.stores.memory import MemoryStore
from scripts.migration.stores.s3 import S3Store
from scripts.migration.stores.server_copy import ServerCopies
from scripts.migration.stores.streamed import Streamed
from scripts.migration.stores.uploads import Uploads
from scripts.migration.tuning import PRODUCTION
from tests.contract import s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.migration.store import Store
    from scripts.migration.stores.multipart import KnownEtags
    from scripts.migration.tuning import Tuning


class World(Protocol):
    """A store, and a way to look behind its back."""

    store: Store

    def plant(self, key: str, content: bytes) -> None: ...

    def keys(self) -> list[str]: ...

    def leftovers(self) -> list[str]: ...


class MemoryWorld:
    def __init__(self) -> None:
        self.memory = MemoryStore()
        self.store: Store = self.memory

    def plant(self, key: str, content: bytes) -> None:
        self.memory.contents[key] = content

    def keys(self) -> list[str]:
        return sorted(self.memory.contents)

    def leftovers(self) -> list[str]:
        return []


class DiskWorld:
    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self.store: Store = DiskStore("disk", directory)

    def plant(self, key: str, content: bytes) -> None:
        path = self.directory / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)

    def keys(self) -> list[str]:
        files = (path for path in self.directory.rglob("*") if path.is_file())
        # The lock of the store itself, which lives, is no leftover.
        files = (path for path in files if path.name != "lock")
        return sorted(str(path.relative_to(self.directory)) for path in files)

    def leftovers(self) -> list[str]:
        return [key for key in self.keys() if key.startswith(".slipway")]


class FilesystemWorld(DiskWorld):
    """A directory that a server serves, through DVC's filesystem for such servers."""

    def __init__(self, directory: Path, config: dict[str, Any]) -> None:
        super().__init__(directory)
        self.config = config
        self.store = self.again()

    def again(self, *, may_be_new: bool = False) -> Store:
        """The same place, as another run sees it."""
        return open_filesystem("there", str(self.config["url"]), self.config, may_be_new=may_be_new)


class S3World:
    """What is large goes there in parts, or as it is read."""

    def __init__(self, bucket: str, *, streams: bool = False) -> None:
        self.bucket = bucket
        self.streams = streams
        self.prefix = f"some/{uuid.uuid4().hex}"
        self.location = Location(s3_server.endpoint(), bucket, self.prefix)
        client = Bucket(
            bucket,
            prefix=self.prefix,
            endpoint=s3_server.endpoint(),
            region="us-east-1",
            access_key_id=s3_server.access_key(),
            secret_access_key=s3_server.secret_key(),
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )
        self.client = client
        self.store = self.again()

    def again(self, known: KnownEtags | None = None, tuning: Tuning = PRODUCTION) -> Store:
        """The same place, as another run sees it."""
        uploads = Uploads(self.bucket, self.prefix, s3_server.client)
        conditions = Conditions(self.bucket, self.prefix, s3_server.client)
        copies = ServerCopies("s3", self.location, s3_server.client)
        streamed = Streamed("s3", self.bucket, self.prefix, s3_server.streaming_client)
        place = f"s3://{self.bucket}/{self.prefix}"
        return S3Store(
            "s3",
            place,
            self.client,
            uploads,
            copies=copies,
            location=self.location,
            known=known,
            conditions=conditions,
            streamed=streamed if self.streams else None,
            tuning=tuning,
        )

    def plant(self, key: str, content: bytes) -> None:
        s3_server.client().put_object(Bucket=self.bucket, Key=f"{self.prefix}/{key}", Body=content)

    def keys(self) -> list[str]:
        found = s3_server.keys(self.bucket, f"{self.prefix}/")
        return [key[len(self.prefix) + 1 :] for key in found]

    def leftovers(self) -> list[str]:
        found = s3_server.unfinished_uploads(self.bucket, f"{self.prefix}/")
        return [key[len(self.prefix) + 1 :] for key, _ in found]


def content_of(size_bytes: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size_bytes)


def named(content: bytes, layout: Layout = Layout.CURRENT, suffix: str = "") -> StoredObject:
    oid = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
    return StoredObject(oid, layout, len(content))


def pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 1 << 20):
        yield content[start : start + (1 << 20)]
