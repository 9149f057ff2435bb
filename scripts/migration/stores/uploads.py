"""Uploads in parts that were never finished: they cost room, and no listing of objects shows them.

obstore cannot ask for them, so botocore does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from scripts.migration.model import StoredObject, object_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PROBE = StoredObject("0" * 32)
"""The key of an object, so that what a killed probe leaves over is found by the next run."""


class Uploads:
    """The unfinished uploads of DVC objects below ``prefix``; other keys are not looked at.

    Args:
        bucket: The bucket's name.
        prefix: The remote's path in it, without slashes around it.
        connect: Returns botocore's client; called when it is needed.
        options: What each request that writes is to say, such as ``ServerSideEncryption``.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str,
        connect: Callable[[], Any],
        options: Mapping[str, str] | None = None,
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._connect = connect
        self._options = dict(options or {})

    def trouble(self) -> Exception | None:
        """Begin an upload and abort it; return what botocore has to say if that fails.

        It needs the right to write objects, and nothing is written.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        where = {"Bucket": self._bucket, "Key": f"{self._prefix}{_PROBE.key}"}
        try:
            client = self._connect()
            begun = client.create_multipart_upload(**where, **self._options)
            client.abort_multipart_upload(**where, UploadId=begun["UploadId"])
        except (BotoCoreError, ClientError) as error:
            trouble: Exception = error
            return trouble
        return None

    def abort_all(self) -> int:
        """Abort each, and return how many.

        Where they may not be listed or aborted, or the store does not know of such requests,
        they stay: they cost room, but no migration depends on them.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        aborted = 0
        try:
            client = self._connect()
            for key, upload in list(self._unfinished(client)):
                client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
                aborted += 1
        except (BotoCoreError, ClientError):
            return aborted
        return aborted

    def _unfinished(self, client: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401  botocore ships no types
        pages = client.get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
            for upload in page.get("Uploads", []):
                if object_at(upload["Key"][len(self._prefix) :]) is not None:
                    yield upload["Key"], upload["UploadId"]
