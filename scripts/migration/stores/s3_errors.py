"""What S3, obstore and botocore call their troubles, said in Slipway's words.

A server's answer may quote the request (its key id, its signature), so no text of it is passed on:
only the code of the error and the HTTP status are.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scripts.errors import (
    AccessDenied,
    Corrupted,
    ObjectMissing,
    StoreError,
    StoreUnavailable,
)
from scripts.migration.stores.translation import Translation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,60})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*(?:Other\(\s*OtherError\(\s*)?(\w+)")
_DENIED_CODES = {
    "AllAccessDisabled",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}
_EXPIRED = (
    "the credentials have expired",
    "Renew them, then run the same command again: what is proven is not copied twice.",
)
_REFUSED = {
    "AccessDenied": (
        "the store does not allow this to these credentials",
        (
            "They need the right to list and read objects in a source, to write them in a target, "
            "and to delete them where `dvc-prune-source` shall."
        ),
    ),
    "ExpiredToken": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": (
        "this machine's clock and the store's are too far apart",
        "Set this machine's clock (`timedatectl` shows it), then run the same command again.",
    ),
}
"""Why that is refused, and what to do."""
_FULL_CODES = {
    "EntityTooLarge",  # OpenStack Swift's word for a quota, once an object is sent in parts
    "InsufficientStorage",
    "QuotaExceeded",
    "XMinioAdminBucketQuotaExceeded",
    "XMinioStorageFull",
}
_FULL_STATUS = "507"
_REGION_CODES = {"AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect"}
_PASSING_CODES = {"ConditionalRequestConflict", "InternalError", "RequestTimeout"}
_PASSING_STATUS = {"408", "429", "500", "502", "503", "504"}
_THROTTLED_STATUS = {"429", "503"}
_THROTTLED_CODES = {"RequestLimitExceeded", "ServiceUnavailable", "SlowDown", "TooManyRequests"}
_DAMAGED_CODES = {"BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest"}


def translated(place: str, name: str, key: str = "") -> Translation:
    """Return a block that raises obstore's and botocore's errors as ours; ours pass unchanged.

    Args:
        place: The remote's URL; becomes part of the message.
        name: The remote's name.
        key: The object that the work is about; empty for the bucket as a whole.

    Raises:
        StoreError: Or the one of its branches that fits.
    """
    return Translation(lambda error: _ours_of(error, place, name, key))


def _ours_of(error: BaseException, place: str, name: str, key: str) -> StoreError | None:
    import obstore.exceptions  # noqa: PLC0415

    foreign = (obstore.exceptions.BaseError, FileNotFoundError, TimeoutError)
    if isinstance(error, foreign) or (isinstance(error, Exception) and _is_botocores(error)):
        return _distrust(error, place, name) or _as_ours(error, place, name, key)
    return None


def _is_botocores(error: Exception) -> bool:
    """Return whether botocore raised it.

    Seen without loading botocore: where obstore failed for want of files to open, that fails too.
    """
    return type(error).__module__.startswith("botocore.")


def _distrust(error: Exception, place: str, name: str) -> StoreError | None:
    """Return what is wrong with the server's certificate, if that is what obstore says."""
    why = _first(_CERTIFICATE, str(error))
    if not why:
        return None
    return StoreError(
        f"{name} ({place}): the server's certificate is not accepted ({why}).",
        hint="Name the file of the authority that signed it, not its own: "
        f"`dvc remote modify --local {name} ssl_verify FILE`.",
    )


@contextmanager
def translated_client(name: str, key: str) -> Iterator[None]:
    """Raise what passes of botocore's errors as ours; what a server refuses passes unchanged.

    Args:
        name: The remote's name.
        key: The object that the work is about.

    Raises:
        StoreUnavailable: Another try may help.
    """
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004, PLC0415

    try:
        yield
    except (ConnectionError, HTTPClientError) as error:
        raise StoreUnavailable(f"{name}: {key}: the store does not answer.") from error
    except ClientError as error:
        status, code = told_by_client(error)
        if status not in _PASSING_STATUS and code not in _PASSING_CODES | _THROTTLED_CODES:
            raise
        raise StoreUnavailable(
            f"{name}: {key}: the store does not answer as it should ({status} {code}).",
            is_throttled=status in _THROTTLED_STATUS or code in _THROTTLED_CODES,
            retry_after_s=_asked_by_client(error),
        ) from error


def _asked_by_client(error: Exception) -> float:
    """Return for how long a server wants to be left alone, in seconds; obstore does not tell."""
    headers = _answer_of(error).get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return seconds_of(headers.get("retry-after", ""))


def seconds_of(retry_after: str) -> float:
    """Return what an HTTP header ``Retry-After`` asks for, in seconds; 0 if it tells a date."""
    return float(retry_after) if retry_after.isdigit() else 0.0


def is_not_implemented(error: Exception) -> bool:
    """Return whether the server says that it does not know such a request."""
    text = str(error)
    return _first(_CODE, text) == "NotImplemented" or _first(_STATUS, text) == "501"


def is_full(error: Exception | None) -> bool:
    """Return whether botocore's ``error`` says that the store has no room left."""
    status, code = told_by_client(error)
    return code in _FULL_CODES or status == _FULL_STATUS


def refusal_of(error: Exception | None, place: str, name: str) -> StoreError | None:
    """Return what botocore's ``error`` says of the whole store, if it is that nobody may write.

    Args:
        error: What it raised, if it did.
        place: The remote's URL.
        name: The remote's name.

    Returns:
        ``None`` if another request may fare better.
    """
    status, code = told_by_client(error)
    what = f"{name} ({place})"
    known = None if code == "AccessDenied" else _refused(what, status, code)
    if known is not None or status not in {"401", "403"}:
        return known
    return AccessDenied(
        f"{what}: the store refuses to be written to ({status} {code}).",
        hint="The keys need the right to put objects there (s3:PutObject).",
    )


def told_by_client(error: Exception | None) -> tuple[str, str]:
    """Return the HTTP status and the code that botocore's ``error`` tells; empty if it does not."""
    answer = _answer_of(error)
    if not answer:
        return "", ""
    return str(answer["ResponseMetadata"]["HTTPStatusCode"]), str(answer["Error"]["Code"])


def _answer_of(error: Exception | None) -> Mapping[str, Any]:
    """Return the server's answer as botocore read it; empty if ``error`` is no refusal by one."""
    if error is None or not _is_botocores(error):
        return {}
    from botocore.exceptions import ClientError  # noqa: PLC0415

    return error.response if isinstance(error, ClientError) else {}


def _refused(what: str, status: str, code: str) -> StoreError | None:
    """Return what is refused for another reason than wrong keys; ``None`` if nothing is."""
    told = " ".join(part for part in (status, code) if part)
    if code in _FULL_CODES or status == _FULL_STATUS:
        return StoreError(
            f"{what}: the store takes no more, as it is full or a quota is reached ({told}).",
            hint="Make room there or raise the quota, then run the same command again: what is "
            "proven is not copied twice.",
        )
    if code not in _REFUSED:
        return None
    why, hint = _REFUSED[code]
    return AccessDenied(f"{what}: {why} ({told}).", hint=hint)


def _as_ours(error: Exception, place: str, name: str, key: str) -> StoreError:  # noqa: PLR0911
    import obstore.exceptions  # noqa: PLC0415

    status, code = told_by_client(error)
    status = status or _first(_STATUS, str(error))
    code = code or _first(_CODE, str(error))
    what = f"{name}: {key}" if key else f"{name} ({place})"
    told = " ".join(part for part in (status, code) if part) or "no answer"
    if code == "NoSuchUpload":
        return StoreUnavailable(f"{what}: another writer broke the upload off ({told}).")
    if code == "NoSuchBucket" or (not key and status == "404"):
        return StoreError(
            f"{name}: there is no bucket {_bucket_of(place)}.",
            hint="Create it, or mend the remote's url and endpoint (`dvc remote modify`).",
        )
    if code in _REGION_CODES or status in {"301", "307"}:
        return StoreError(
            f"{what}: the bucket is in another region ({told}).",
            hint=f"Set it: `dvc remote modify {name} region REGION`.",
        )
    refused = _refused(what, status, code)
    if refused is not None:
        return refused
    denied = (obstore.exceptions.PermissionDeniedError, obstore.exceptions.UnauthenticatedError)
    if isinstance(error, denied) or code in _DENIED_CODES or status in {"401", "403"}:
        return AccessDenied(
            f"{what}: the store refuses the credentials ({told}).",
            hint="Check the keys and what they may do: list, read and write objects.",
        )
    if isinstance(error, FileNotFoundError):
        return ObjectMissing(f"{what} is not there.")
    if code in _DAMAGED_CODES:
        return StoreUnavailable(f"{what}: damaged on the way, and refused ({told}).")
    if status == "416":
        return Corrupted(f"{what} is shorter than it was when it was listed.")
    if not status or status in _PASSING_STATUS or code in _PASSING_CODES | _THROTTLED_CODES:
        return StoreUnavailable(
            f"{what}: the store does not answer as it should ({told}).",
            hint="Check the endpoint and the network, then run the same command again.",
            is_throttled=status in _THROTTLED_STATUS or code in _THROTTLED_CODES,
            retry_after_s=_asked_by_client(error),
        )
    return StoreError(f"{what}: the store refused the request ({told}).")


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match.group(1) if match else ""


def _bucket_of(place: str) -> str:
    return place.split("://", 1)[-1].split("/", 1)[0]
