"""The demo's bucket: found or created, and emptied only where an earlier demo created it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scripts.errors import AccessDenied, StoreError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.demo.model import DemoStore

PREFIX = "dvc"
"""Where in the bucket the DVC remote lies."""
_MARKER = "created-by-slipway-demo"


def prepare_bucket(store: DemoStore) -> str:
    """Make the bucket ready for a demo and return the URL of its DVC remote.

    Raises:
        StoreUnavailable: Nothing answers at the endpoint.
        AccessDenied: It refuses the credentials.
        StoreError: It answers, but not as an S3 store does, or the bucket is somebody else's.
    """
    with _translated(store):
        client = _client(store)
        try:
            if _exists(client, store.bucket):
                _require_ours(client, store)
                _empty(client, store.bucket)
            else:
                client.create_bucket(Bucket=store.bucket)
                client.put_object(Bucket=store.bucket, Key=_MARKER, Body=b"")
        finally:
            client.close()
    return f"s3://{store.bucket}/{PREFIX}"


def _client(store: DemoStore) -> Any:  # noqa: ANN401  botocore ships no types
    import botocore.session  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    patience = Config(
        connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 2},
        s3={"addressing_style": "path"},
    )  # fmt: skip
    return botocore.session.Session().create_client(
        "s3",
        endpoint_url=store.endpoint_url,
        region_name=store.region,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
        config=patience,
    )


def _exists(client: Any, bucket: str) -> bool:  # noqa: ANN401
    return bucket in {found["Name"] for found in client.list_buckets().get("Buckets", [])}


def _require_ours(client: Any, store: DemoStore) -> None:  # noqa: ANN401
    listed = client.list_objects_v2(Bucket=store.bucket, MaxKeys=1, Prefix=_MARKER)
    if not listed.get("KeyCount"):
        raise StoreError(
            f"The bucket '{store.bucket}' exists, and no demo created it.",
            hint="The demo empties its bucket: give it a name that is free.",
        )


def _empty(client: Any, bucket: str) -> None:  # noqa: ANN401
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{PREFIX}/")
    for page in pages:
        keys = [{"Key": found["Key"]} for found in page.get("Contents", [])]
        if keys:
            client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})


@contextmanager
def _translated(store: DemoStore) -> Iterator[None]:
    from botocore.exceptions import (  # noqa: PLC0415
        BotoCoreError,
        ClientError,
        ConnectionError,  # noqa: A004  botocore's, which is not the built-in one
        HTTPClientError,
    )

    try:
        yield
    except (ConnectionError, HTTPClientError) as error:
        raise StoreUnavailable(
            f"No object store answers at {store.endpoint_url}.",
            hint="`docker compose --profile demo up --wait object-store` starts the embedded one.",
        ) from error
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 403:
            raise AccessDenied(
                f"{store.endpoint_url} refuses the access key '{store.access_key}' ({code}).",
                hint="OBJECT_STORE_ACCESS_KEY and OBJECT_STORE_SECRET_KEY must be the ones that "
                "the object store was started with.",
            ) from error
        raise StoreError(
            f"{store.endpoint_url} answers '{code}' for the bucket '{store.bucket}'.",
            hint="See the object store's log: `docker compose logs object-store`.",
        ) from error
    except (BotoCoreError, ValueError) as error:
        raise StoreError(
            f"{store.endpoint_url} cannot be used as an S3 store: {error}.",
            hint="Check the endpoint; it is a URL such as http://object-store:8080.",
        ) from error
