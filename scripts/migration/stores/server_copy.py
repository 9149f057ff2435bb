"""Copies that an S3 server makes by itself: no byte of the object passes through this machine.

obstore copies within one bucket only and without a condition on the source, so botocore does it.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Callable

from scripts.migration.model import Layout, ServerCopy
from scripts.migration.stores.s3_errors import translated_client

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts.migration.model import Location, StoredObject

INCOMING = ".slipway-incoming/"
"""Below it lie copies that are not checked yet; no name of an object begins so."""
_MOST_BYTES = 5 << 30
"""S3 copies no more in one request."""
_ABSENT_CODES = {"404", "NoSuchKey", "NotFound"}


class ServerCopies:
    """Fills one place of a server from others of the same server.

    Args:
        name: The remote's name in DVC's configuration.
        location: The place to fill.
        connect: Returns botocore's client; asked for each copy, as keys expire.
        options: What each request that writes is to say, such as ``ServerSideEncryption``.
    """

    def __init__(
        self,
        name: str,
        location: Location,
        connect: Callable[[], Any],
        options: Mapping[str, str] | None = None,
    ) -> None:
        self._name = name
        self._here = location
        self._connect = connect
        self._options = dict(options or {})
        self._creates = True
        """Whether the server takes ``If-None-Match`` with a copy."""
        self._unable: set[tuple[Location, bool]] = set()
        """Where it was found not to work, and whether with a check between."""

    def copy(self, item: StoredObject, origin: Location, *, replace: bool) -> ServerCopy:
        """Copy ``item`` from ``origin`` if that can be done without showing unchecked bytes.

        A source whose listing proves the object is copied on the condition that it is still the
        one that was listed. Of another (sent in parts, say) the server first makes a copy beside,
        whose ETag tells its MD5; only a right one is put in place.
        """
        if origin.server != self._here.server or (item.size_bytes or 0) > _MOST_BYTES:
            return ServerCopy.UNABLE
        is_proven = item.checksum == item.md5
        if not is_proven and item.layout is not Layout.CURRENT:
            return ServerCopy.UNABLE  # its name is that of other line ends
        if (origin, is_proven) in self._unable:
            return ServerCopy.UNABLE
        from botocore.exceptions import ClientError  # noqa: PLC0415

        try:
            with translated_client(self._name, item.key):
                copied = ServerCopy.UNABLE
                if is_proven:
                    copied = self._place(item, origin.key_of(item.key), origin, replace=replace)
                if copied is ServerCopy.UNABLE and item.layout is Layout.CURRENT:
                    # Also of one that is known by the ETag of its parts, which is not its MD5.
                    copied = self._place_checked(item, origin, replace=replace)
                return copied
        except ClientError as error:
            if error.response["Error"]["Code"] not in _ABSENT_CODES:
                self._unable.add((origin, is_proven))
            return ServerCopy.UNABLE

    def _place_checked(self, item: StoredObject, origin: Location, *, replace: bool) -> ServerCopy:
        client = self._connect()
        beside = {
            "Bucket": self._here.bucket,
            "Key": self._here.key_of(f"{INCOMING}{item.oid}-{uuid.uuid4().hex[:12]}"),
        }
        source = {"Bucket": origin.bucket, "Key": origin.key_of(item.key)}
        try:
            made = client.copy_object(
                **beside, CopySource=source, TaggingDirective="REPLACE", **self._options
            )
            if _etag(made) != item.md5:
                # Wrong bytes, or a server whose copies have no MD5 for an ETag: reading tells.
                self._unable.add((origin, False))
                return ServerCopy.UNABLE
            return self._place(item, beside["Key"], self._here, replace=replace)
        finally:
            client.delete_object(**beside)

    def _place(
        self, item: StoredObject, source_key: str, origin: Location, *, replace: bool
    ) -> ServerCopy:
        client = self._connect()
        where = {"Bucket": self._here.bucket, "Key": self._here.key_of(item.key)}
        request = {
            **where,
            "CopySource": {"Bucket": origin.bucket, "Key": source_key},
            "CopySourceIfMatch": f'"{item.md5}"',
            "TaggingDirective": "REPLACE",
            **self._options,
        }
        if not replace and self._creates:
            if _is_copied(client, {**request, "IfNoneMatch": "*"}):
                return ServerCopy.DONE
            if _is_there(client, where):
                return ServerCopy.THERE_ALREADY
            # The source holds something else by now, or the server takes the condition for one on
            # the source, as OpenStack Swift does.
            self._creates = not _is_copied(client, request)
            return ServerCopy.UNABLE if self._creates else ServerCopy.DONE
        return ServerCopy.DONE if _is_copied(client, request) else ServerCopy.UNABLE

    def clean(self) -> int:
        """Remove the copies beside that killed runs left; return how many.

        Another migration whose copy is taken away makes it again.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        removed = 0
        try:
            client = self._connect()
            for key in self._left_over(client):
                client.delete_object(Bucket=self._here.bucket, Key=key)
                removed += 1
        except (BotoCoreError, ClientError):
            return removed  # they cost room, but no migration depends on them
        return removed

    def _left_over(self, client: Any) -> Iterator[str]:  # noqa: ANN401  botocore ships no types
        pages = client.get_paginator("list_objects_v2")
        prefix = self._here.key_of(INCOMING)
        for page in pages.paginate(Bucket=self._here.bucket, Prefix=prefix):
            yield from (entry["Key"] for entry in page.get("Contents", []))


def _etag(made: Any) -> str:  # noqa: ANN401
    return str(made["CopyObjectResult"].get("ETag", "")).strip('"')


def _is_copied(client: Any, request: Mapping[str, Any]) -> bool:  # noqa: ANN401
    """Copy; return whether the conditions of the request held."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        client.copy_object(**request)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 412:
            return False
        raise
    return True


def _is_there(client: Any, where: Mapping[str, str]) -> bool:  # noqa: ANN401
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        client.head_object(**where)
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT_CODES:
            return False
        raise
    return True
