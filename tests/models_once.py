"""Loaded by what processes are forked from: botocore's models of services are read once, there.

Each S3 client of DVC would read its megabytes of JSON anew: a third of a `dvc pull` of a test.
"""

from __future__ import annotations

from functools import lru_cache

from botocore.loaders import JSONFileLoader
from botocore.session import Session

JSONFileLoader.load_file = staticmethod(lru_cache(maxsize=None)(JSONFileLoader().load_file))
Session().create_client(
    "s3", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
).close()
