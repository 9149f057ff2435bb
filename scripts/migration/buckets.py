"""From DVC's configuration of an S3 remote to its store."""

from __future__ import annotations

import functools
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from scripts.migration.credentials import PROFILE_OPTIONS, credentials_for, session_for
from scripts.migration.model import Location
from scripts.migration.places import endpoint_of
from scripts.migration.stores.bucket_rules import BucketRules
from scripts.migration.stores.client import ClientSettings, Connection, keys_of
from scripts.migration.stores.conditions import Conditions
from scripts.migration.stores.copy_workers import CopyWorkers, Start
from scripts.migration.stores.s3 import S3Store
from scripts.migration.stores.server_copy import ServerCopies
from scripts.migration.stores.streamed import Streamed
from scripts.migration.stores.uploads import Uploads
from scripts.migration.tuning import PRODUCTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from obstore.store import ClientConfig

    from scripts.migration.stores.multipart import KnownEtags
    from scripts.migration.tuning import Tuning

_CA_KEYS = ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_REGION_KEYS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_CONNECT_S = 10
_ANSWER_S = 60
_REQUEST_S = 300
"""For a whole request, which carries a part of an object at most: 32 of them may share a line."""


def open_bucket(
    name: str,
    url: str,
    config: Mapping[str, Any],
    environ: Mapping[str, str],
    known: KnownEtags | None = None,
    *,
    tuning: Tuning = PRODUCTION,
) -> S3Store:
    """Open the remote ``name`` at ``url``; nothing is read or written yet.

    Args:
        name: The remote's name.
        url: ``s3://bucket/path``.
        config: DVC's settings of the remote.
        environ: The environment, what Slipway's settings hand over before it.
        known: What ETags of objects in parts tell.
        tuning: How much a listing tells at once, and what is too large to go whole.

    Raises:
        SettingsError: Its profile is unknown.
        AccessDenied: There are no credentials.
    """
    from obstore.store import S3Store as Bucket  # noqa: PLC0415

    bucket, _, path = url[len("s3://") :].partition("/")
    prefix = path.strip("/")
    session = functools.lru_cache(maxsize=1)(lambda: session_for(config, environ))
    if config.get("profile") or environ.get("AWS_PROFILE"):
        session()  # one that is unknown is told now
    endpoint = endpoint_of(config, environ)
    region = (
        config.get("region")
        or _first(environ, _REGION_KEYS)
        or session().get_config_variable("region")
        or "us-east-1"
    )
    anonymous = bool(config.get("allow_anonymous_login"))
    options: dict[str, Any] = {"skip_signature": True} if anonymous else {}
    credentials = None
    if not anonymous:
        credentials = credentials_for(name, config, environ, session)
        options["credential_provider"] = credentials
    if endpoint:
        options["endpoint"] = endpoint.rstrip("/")
    if _is_sealed(endpoint, config):
        options["unsigned_payload"] = True
    # The names that obstore 0.8, the last for Python 3.9, knows as well.
    if config.get("sse"):
        options["aws_server_side_encryption"] = config["sse"]
    if config.get("sse_kms_key_id"):
        options["aws_sse_kms_key_id"] = config["sse_kms_key_id"]

    def open_client(**more: Any) -> Bucket:  # noqa: ANN401  obstore's options
        return Bucket(
            bucket,
            prefix=prefix or None,
            region=region,
            virtual_hosted_style_request=not endpoint,
            client_options=_client_options(endpoint, config, environ),
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=60)},
            **options,
            **more,
        )

    verify = config.get("ssl_verify")
    settings = ClientSettings(
        profile=_profile(config, environ),
        endpoint=options.get("endpoint"),
        region=region,
        verify=_bundle(config, environ) if verify is not False else False,
        connect_s=config.get("connect_timeout") or _CONNECT_S,
        answer_s=config.get("read_timeout") or _ANSWER_S,
    )
    location = Location(str(options.get("endpoint", "AWS")), bucket, prefix)
    if credentials is None:
        return S3Store(
            name, url.rstrip("/"), open_client(), location=location, known=known, tuning=tuning
        )
    keys = functools.partial(keys_of, credentials)
    connect = Connection(settings, keys)
    connect_streaming = Connection(settings._replace(streams=True), keys)
    encryption = _encryption(config)
    return S3Store(
        name,
        url.rstrip("/"),
        open_client(),
        Uploads(bucket, prefix, connect, encryption),
        copies=ServerCopies(name, location, connect, encryption),
        copy_in_processes=functools.partial(
            CopyWorkers, Start(name, location, settings, encryption), credentials
        ),
        location=location,
        known=known,
        rules=BucketRules(name, bucket, prefix, connect),
        conditions=Conditions(bucket, prefix, connect, encryption),
        with_checksums=open_client(checksum_algorithm="SHA256"),
        streamed=Streamed(name, bucket, prefix, connect_streaming, encryption),
        tuning=tuning,
    )


def _profile(config: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Return what chooses botocore's profile and its files, as DVC's options of a remote."""
    told = {**config, "profile": config.get("profile") or environ.get("AWS_PROFILE")}
    return {key: str(told[key]) for key in PROFILE_OPTIONS if told.get(key)}


def _encryption(config: Mapping[str, Any]) -> dict[str, str]:
    """Return how DVC's configuration wants objects to be encrypted, in botocore's words."""
    told = {"ServerSideEncryption": config.get("sse"), "SSEKMSKeyId": config.get("sse_kms_key_id")}
    return {key: str(value) for key, value in told.items() if value}


def _is_sealed(endpoint: str, config: Mapping[str, Any]) -> bool:
    """Return whether nothing can change a request on its way unseen, as TLS carries it.

    Then its signature need not cover its body, which saves hashing that.
    """
    is_plain = endpoint.startswith("http://") or (not endpoint and config.get("use_ssl") is False)
    return not is_plain and config.get("ssl_verify") is not False


def _client_options(
    endpoint: str, config: Mapping[str, Any], environ: Mapping[str, str]
) -> ClientConfig:
    verify = config.get("ssl_verify")
    bundle = _bundle(config, environ)
    if bundle and verify is not False:
        # obstore reads certificates where OpenSSL does, and has no setting of its own for them.
        os.environ["SSL_CERT_FILE"] = bundle
    return {
        "allow_http": endpoint.startswith("http://") or config.get("use_ssl") is False,
        "allow_invalid_certificates": verify is False,
        "connect_timeout": timedelta(seconds=config.get("connect_timeout") or _CONNECT_S),
        "timeout": timedelta(seconds=config.get("read_timeout") or _REQUEST_S),
    }


def _bundle(config: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    verify = config.get("ssl_verify")
    return verify if isinstance(verify, str) else _first(environ, _CA_KEYS)


def _first(environ: Mapping[str, str], keys: tuple[str, ...]) -> str | None:
    return next((environ[key] for key in keys if environ.get(key)), None)
