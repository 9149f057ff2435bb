"""Objects that go up in one request while they are read: their ETag is their MD5.

obstore would hold all of such an object in memory, so botocore sends it.
"""

from __future__ import annotations

import base64
import threading
from typing import TYPE_CHECKING, Any, Callable

from scripts.errors import StoreUnavailable
from scripts.migration.model import Layout
from scripts.migration.stores.s3_errors import told_by_client

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts.migration.model import StoredObject

_AT_ONCE = 4
"""Each holds a few pieces in memory, and a connection alone may not fill the line."""
_NOT_TAKEN = {"413", "501"}
"""Too large for the server or what stands before it; a condition that it does not know."""


class Streamed:
    """Puts objects named by the MD5 of their bytes below ``prefix`` of a bucket.

    Where nothing else does, ``Content-MD5`` lets the server refuse what was damaged on the way: the
    signature covers that header and the length, and so need not cover the body. It is the object's
    name.

    Args:
        name: The remote's name.
        bucket: The bucket's name.
        prefix: The remote's path in it, without slashes around it.
        connect: Returns botocore's client, which is to send a body without looking at it before.
        options: What each request that writes is to say, such as ``ServerSideEncryption``.
    """

    def __init__(
        self,
        name: str,
        bucket: str,
        prefix: str,
        connect: Callable[[], Any],
        options: Mapping[str, str] | None = None,
    ) -> None:
        self._name = name
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._connect = connect
        self._options = dict(options or {})
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        self._are_taken = True

    def takes(self, item: StoredObject) -> bool:
        """Return whether ``item`` can go this way; not if its name may be that of other bytes."""
        return self._are_taken and item.layout is Layout.CURRENT

    def put(self, item: StoredObject, chunks: Iterable[bytes], *, creates: bool) -> str | None:
        """Put ``item`` there, and return the ETag that the server gave.

        Args:
            item: The object, with its ``size_bytes``.
            chunks: Its bytes; ends with an exception if they are not right. Then, or when this
                process ends, the server has got less than it was told to expect, and keeps nothing.
            creates: Whether nothing is to be replaced.

        Returns:
            ``None`` if something is there that is not to be replaced.

        Raises:
            StoreUnavailable: Another try may help: by another way if this one is not taken.
            ClientError: The server refuses, in botocore's words.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  takes long

        with self._room:
            body = _Body(item, chunks)
            try:
                told = self._connect().put_object(
                    Bucket=self._bucket,
                    Key=f"{self._prefix}{item.key}",
                    Body=body,
                    ContentLength=item.size_bytes,
                    ContentMD5=base64.b64encode(bytes.fromhex(item.md5)).decode(),
                    **({"IfNoneMatch": "*"} if creates else {}),
                    **self._options,
                )
            except (BotoCoreError, ClientError) as error:
                if body.trouble is not None:
                    raise body.trouble from None
                status, code = told_by_client(error)
                if status == "412":
                    return None
                if status in _NOT_TAKEN:
                    self._are_taken = False
                    raise StoreUnavailable(
                        f"{self._name}: {item.key}: the store does not take it in one piece."
                    ) from error
                if code == "SignatureDoesNotMatch":  # the plan was made with these keys
                    raise StoreUnavailable(
                        f"{self._name}: {item.key}: its headers were changed on the way, and it "
                        f"was refused ({status} {code})."
                    ) from error
                raise
        return str(told.get("ETag", ""))


class _Body:
    """What botocore reads an object from: the last piece only after all were found to be right.

    Attributes:
        trouble: What ended the reading, if it was not the object's end. botocore wraps it.
    """

    def __init__(self, item: StoredObject, chunks: Iterable[bytes]) -> None:
        self.trouble: BaseException | None = None
        self._item = item
        self._pieces = filter(None, chunks)
        self._missing_bytes = item.size_bytes or 0
        self._next = self._take()

    def read(self, _size_bytes: int = -1) -> bytes:
        """Return the next piece as it came, which may be more than was asked for."""
        piece = self._next
        if piece:
            try:
                self._next = self._take()
            except BaseException as error:
                self.trouble = error
                raise
        return piece

    def _take(self) -> bytes:
        piece = next(self._pieces, b"")
        self._missing_bytes -= len(piece)
        if self._missing_bytes < 0 or (self._missing_bytes and not piece):
            for _ in self._pieces:
                """To its end, where what is wrong with the bytes is told rather than this."""
            raise StoreUnavailable(
                f"{self._item.key} is not as large as it was when it was listed."
            )
        return piece
