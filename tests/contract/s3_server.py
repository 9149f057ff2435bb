"""The S3 server that contract tests use: a bucket of their own, and a second way to look into it.

Looking goes through botocore, not through the adapter under test.
"""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import botocore.session

from scripts.migration.stores.client import ClientSettings, Keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def endpoint() -> str:
    return os.environ["SLIPWAY_TEST_S3_ENDPOINT"]


def access_key() -> str:
    return os.environ.get("SLIPWAY_TEST_S3_ACCESS_KEY", "test:tester")


def secret_key() -> str:
    return os.environ.get("SLIPWAY_TEST_S3_SECRET_KEY", "testing")


def client() -> Any:
    return _usual_client(endpoint())


@lru_cache(maxsize=2)
def _usual_client(url: str) -> Any:
    return client_at(url)


@lru_cache(maxsize=1)
def streaming_client() -> Any:
    """The product's own client for bodies that are read once."""
    settings = ClientSettings({}, endpoint(), "us-east-1", True, 10, 60, streams=True)
    return settings.client(Keys(access_key(), secret_key(), None))


def client_at(url: str, config: Any = None) -> Any:
    return botocore.session.Session().create_client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=access_key(),
        aws_secret_access_key=secret_key(),
        config=config,
    )


@contextmanager
def fresh_bucket() -> Iterator[str]:
    """Make a bucket, and remove it with all that it holds afterwards."""
    name = f"slipway-{uuid.uuid4().hex[:12]}"
    s3 = client()
    s3.create_bucket(Bucket=name)
    try:
        yield name
    finally:
        for upload in unfinished_uploads(name):
            s3.abort_multipart_upload(Bucket=name, Key=upload[0], UploadId=upload[1])
        delete(name, keys(name))
        s3.delete_bucket(Bucket=name)


def keys(bucket: str, prefix: str = "") -> list[str]:
    pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))


def delete(bucket: str, keys: Sequence[str]) -> None:
    # Swift deletes one after the other before it answers, and a client waits for 60 s.
    for start in range(0, len(keys), 100):
        listed = [{"Key": key} for key in keys[start : start + 100]]
        answer = client().delete_objects(Bucket=bucket, Delete={"Quiet": True, "Objects": listed})
        assert not answer.get("Errors"), answer


def unfinished_uploads(bucket: str, prefix: str = "") -> list[tuple[str, str]]:
    answer = client().list_multipart_uploads(Bucket=bucket, Prefix=prefix)
    return [(upload["Key"], upload["UploadId"]) for upload in answer.get("Uploads", [])]
