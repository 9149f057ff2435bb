"""What DVC's filesystems call their troubles, said in Slipway's words.

Each kind has its own client with its own errors, and none of their texts is passed on: they may
quote a request. What they have in common is Python's own errors, and an HTTP status somewhere.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scripts.errors import (
    AccessDenied,
    ObjectMissing,
    SlipwayError,
    StoreError,
    StoreUnavailable,
)
from scripts.migration.stores.s3_errors import seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_DENIED = {401, 403}
_THROTTLED = {429, 503}
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_FULL = {507}
_DENIED_NAMES = {
    "AuthError", "ForbiddenOperation", "GetPassWarning", "HostKeyNotVerifiable", "PermissionDenied",
}  # fmt: skip
_PASSING_NAMES = {
    "BadGatewayError", "ChannelOpenError", "ConnectionLost", "DisconnectError", "FSTimeoutError",
    "ServiceRequestError", "SFTPConnectionLost", "SFTPNoConnection", "TransportError",
}  # fmt: skip


@contextmanager
def translated(name: str, key: str, place: str = "") -> Iterator[None]:
    """Raise what a filesystem raises as Slipway's errors; errors of ours pass unchanged.

    Args:
        name: The remote's name.
        key: What the work is about; empty for the remote as a whole.
        place: The remote's URL; becomes part of the message where there is no key.

    Raises:
        StoreError: Or the one of its branches that fits.
    """
    try:
        yield
    except SlipwayError:
        raise
    except Exception as error:
        raise _as_ours(error, f"{name}: {key}" if key else f"{name} ({place})") from error


def _as_ours(error: Exception, what: str) -> StoreError:
    status = _status_of(error)
    names = {cls.__name__ for cls in type(error).__mro__}
    told = str(status or type(error).__name__)
    if isinstance(error, FileNotFoundError) or status == 404:
        return ObjectMissing(f"{what} is not there.")
    # DVC asks for a password where there is none, or a wrong one; nobody may be there to answer.
    is_unanswered = type(error) is EOFError
    is_denied = isinstance(error, PermissionError) or status in _DENIED or is_unanswered
    if is_denied or names & _DENIED_NAMES:
        return AccessDenied(
            f"{what}: the store refuses ({told}).",
            hint="Check the remote's user, password or keys, and what they may do there.",
        )
    if status in _FULL or "InsufficientStorage" in names or _errno_of(error) == errno.ENOSPC:
        return StoreError(
            f"{what}: the store is full.", hint="Make room and run the same command again."
        )
    is_passing = status in _PASSING if status else isinstance(error, (OSError, EOFError))
    if is_passing or names & _PASSING_NAMES:
        return StoreUnavailable(
            f"{what}: the store does not answer as it should ({told}).",
            hint="Check the remote's url and the network, then run the same command again.",
            is_throttled=status in _THROTTLED,
            retry_after_s=seconds_of(_headers_of(error).get("retry-after", "")),
        )
    return StoreError(f"{what}: the store refused the request ({told}).")


def _errno_of(error: Exception) -> int | None:
    return error.errno if isinstance(error, OSError) else None


def _status_of(error: Exception) -> int | None:
    """Return the HTTP status that led to ``error``, if one did and its client tells it."""
    for holder in _told_by(error):
        for name in ("status_code", "status", "code"):
            found = getattr(holder, name, None)
            if isinstance(found, int) and 100 <= found < 600:
                return int(found)
    return None


def _headers_of(error: Exception) -> dict[str, str]:
    for holder in _told_by(error):
        found = getattr(holder, "headers", None)
        if found:
            return {str(key).lower(): str(value) for key, value in dict(found).items()}
    return {}


def _told_by(error: BaseException | None) -> Iterator[Any]:
    """Yield ``error`` and its causes, each followed by the response that it holds."""
    while error is not None:
        yield error
        response = getattr(error, "response", None)
        if response is not None:
            yield response
        error = error.__cause__
