"""Does a server create objects only where there are none? It is asked: some ignore the condition.

No answer but the server's own tells: a request with ``If-None-Match`` that it ignores looks as one
that it honours, as long as nothing is there.
"""

from __future__ import annotations

from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, Callable

from scripts.migration.stores.server_copy import INCOMING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PROBE = f"{INCOMING}creates"
"""Always the same key: where it may not be removed again, one empty object stays, never two."""


class Creates(Enum):
    """What a server makes of a request to create an object only where there is none."""

    HONOURED = "honours"
    IGNORED = "ignores"
    REFUSED = "refuses"
    UNKNOWN = "says nothing of"

    def cautions(self, name: str) -> tuple[str, ...]:
        """Return what a person should know of the remote ``name``, whose server answers so."""
        if self not in {Creates.IGNORED, Creates.REFUSED}:
            return ()
        told = (
            f"{name}: the server {self.value} the condition to create only what is not there "
            "(If-None-Match). What another writer puts there meanwhile is replaced, by the bytes "
            "that its name stands for."
        )
        return (told,)


_ANSWERS = {409: Creates.HONOURED, 412: Creates.HONOURED, 501: Creates.REFUSED}


class Conditions:
    """Asks the server about the place below ``prefix`` of ``bucket``.

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
        prefix = f"{prefix}/" if prefix else ""
        self._where = {"Bucket": bucket, "Key": f"{prefix}{_PROBE}"}
        self._connect = connect
        self._options = dict(options or {})

    def ask(self) -> tuple[Creates, Exception | None]:
        """Create an empty object twice, remove it, and return what the second request came to.

        With it is returned what botocore has to say if that failed.

        What a killed run left there answers the first one already. Another migration that cleans up
        in the same moment can make a server seem to ignore the condition: then that is told, and
        nothing else is done otherwise.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        answer, trouble = Creates.IGNORED, None
        versions: dict[str | None, None] = {}
        try:
            client = self._connect()
            try:
                for _ in range(2):
                    made = client.put_object(
                        **self._where, Body=b"", IfNoneMatch="*", **self._options
                    )
                    versions[made.get("VersionId")] = None
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                answer, trouble = _ANSWERS.get(status, Creates.UNKNOWN), error
            if versions or answer is Creates.HONOURED:
                self._remove(client, versions or [None])
        except BotoCoreError as error:
            return Creates.UNKNOWN, error
        return answer, trouble

    def _remove(self, client: Any, versions: Iterable[str | None]) -> None:  # noqa: ANN401  botocore ships no types
        """Remove what was made; where versions are kept, for good if that is allowed.

        Who may not delete leaves it there. It is empty, and no object's name.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415

        for version in versions:
            if version is not None:
                with suppress(ClientError):
                    client.delete_object(**self._where, VersionId=version)
                    continue
            with suppress(ClientError):
                client.delete_object(**self._where)
