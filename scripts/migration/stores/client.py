"""botocore's client, for what obstore cannot ask a server for; another process can make its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from scripts.errors import StoreUnavailable
from scripts.migration.credentials import session_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.migration.credentials import CredentialProvider

_CONNECTIONS = 64
_ATTEMPTS = 3


class Keys(NamedTuple):
    """Who a request is signed as."""

    key_id: str
    secret: str
    token: str | None


class ClientSettings(NamedTuple):
    """All that a client is made of but keys; it can be pickled, and holds no secret.

    Attributes:
        profile: DVC's options of the remote that choose botocore's profile and its files.
        endpoint: The server's URL; ``None`` for AWS.
        region: Its region.
        verify: The certificates to trust, or whether to check any.
        connect_s: How long connecting may take, in seconds.
        answer_s: How long a server may be silent, in seconds.
        streams: Whether it sends bodies that are read only once. Then nothing is read to sign it,
            and nothing is sent twice.
    """

    profile: Mapping[str, str]
    endpoint: str | None
    region: str
    verify: Any
    connect_s: float
    answer_s: float
    streams: bool = False

    def client(self, keys: Keys) -> Any:  # noqa: ANN401  botocore ships no types
        """Return a new client."""
        from botocore.config import Config  # noqa: PLC0415

        attempts = 1 if self.streams else _ATTEMPTS
        more = {"payload_signing_enabled": False} if self.streams else {}
        return session_for(self.profile, {}).create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=keys.key_id,
            aws_secret_access_key=keys.secret,
            aws_session_token=keys.token,
            verify=self.verify,
            config=Config(
                max_pool_connections=_CONNECTIONS,
                connect_timeout=self.connect_s,
                read_timeout=self.answer_s,
                retries={"total_max_attempts": attempts, "mode": "standard"},
                request_checksum_calculation="when_required" if self.streams else None,
                s3={"addressing_style": "path" if self.endpoint else "virtual", **more},
            ),
        )


class Connection:
    """Returns a client: one for as long as the keys are the same, as making one takes long.

    Args:
        settings: What it is made of.
        keys: Asked for the keys each time.
    """

    def __init__(self, settings: ClientSettings, keys: Callable[[], Keys]) -> None:
        self._settings = settings
        self._keys = keys
        self._lock = threading.Lock()
        self._made: tuple[Keys, Any] | None = None

    def __call__(self) -> Any:  # noqa: ANN401  botocore ships no types
        """Return the client of these keys.

        Raises:
            StoreUnavailable: The machine does not let botocore read its own files just now.
        """
        keys = self._keys()
        with self._lock:
            if self._made is None or self._made[0] != keys:
                try:
                    self._made = (keys, self._settings.client(keys))
                except OSError as error:
                    raise StoreUnavailable(
                        f"What botocore comes with cannot be read: {error.strerror or error}.",
                        hint="Is the number of open files low (`ulimit -n`)?",
                    ) from error
            return self._made[1]


def keys_of(credentials: CredentialProvider) -> Keys:
    """Return the keys as they are now."""
    told = credentials()
    return Keys(told["access_key_id"], told["secret_access_key"], told.get("token"))
