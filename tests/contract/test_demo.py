"""The demo against a real object store, and what it says when something is in its way."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

import obstore
import pytest
from obstore.store import S3Store

from scripts.demo import DemoResult, DemoStore, run_demo
from scripts.demo.bucket import prepare_bucket
from scripts.demo.history import digests
from scripts.demo.run import compare
from scripts.errors import AccessDenied, Corrupted, SlipwayError, StoreError, StoreUnavailable
from scripts.project import InitResult, StepStatus
from tests.tables import report_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store() -> DemoStore:
    return DemoStore(
        endpoint_url=os.environ["SLIPWAY_TEST_S3_ENDPOINT"],
        access_key=os.environ["SLIPWAY_TEST_S3_ACCESS_KEY"],
        secret_key=os.environ["SLIPWAY_TEST_S3_SECRET_KEY"],
        bucket=f"demo-{secrets.token_hex(6)}",
    )


def bucket_of(store: DemoStore) -> S3Store:
    return S3Store(
        store.bucket,
        endpoint=store.endpoint_url,
        region=store.region,
        access_key_id=store.access_key,
        secret_access_key=store.secret_key,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )


def keys(store: DemoStore, prefix: str) -> set[str]:
    return {meta["path"] for batch in obstore.list(bucket_of(store), prefix) for meta in batch}


@pytest.mark.needs("s3")
@pytest.mark.rare  # integration/test_demo.py has the same of `./inv demo`
def test_every_version_comes_back_bit_by_bit(store: DemoStore, tmp_path: Path) -> None:
    # What an earlier demo left behind must neither help nor disturb this one.
    prepare_bucket(store)
    obstore.put(bucket_of(store), "dvc/files/md5/ab/left-behind", b"of an earlier demo")
    result = run_demo(tmp_path, store)
    assert [version.name for version in result.versions] == ["v1", "main", "experiment"]
    assert [version.different for version in result.versions] == [(), (), ()]
    assert result.identical
    result.require_identical()
    assert min(version.size_bytes for version in result.versions) > 12_000_000
    counts = result.report.counts
    assert counts["copied"] == counts["planned"] == len(keys(store, "dvc/"))
    done = [step.name for step in result.init.steps if step.status is StepStatus.DONE]
    assert "remote s3" in done, "the remote is younger than the data"

    demo = tmp_path / ".slipway" / "demo"
    shared = (demo / "project" / ".dvc" / "config").read_text()
    assert "remote = s3" in shared
    assert store.secret_key not in shared
    assert (demo / "hdd").is_dir()
    pulled = [path for path in (demo / "clone/.dvc/cache/files").rglob("*") if path.is_file()]
    assert len(pulled) == counts["planned"], "all of it, and into a cache of the clone's own"
    assert not (demo / "hdd.away").exists()


def test_a_changed_a_lost_and_an_added_file_are_found(tmp_path: Path) -> None:
    for name in ("same", "changed", "lost"):
        (tmp_path / name).write_text(name)
    original = digests(tmp_path)
    (tmp_path / "changed").write_text("Changed")
    (tmp_path / "lost").unlink()
    (tmp_path / "added").touch()
    version = compare("v1", original, tmp_path)
    assert version.different == ("added", "changed", "lost")
    result = DemoResult(tmp_path, InitResult(tmp_path, ()), report_of(), (version,), 1.0)
    assert not result.identical
    with pytest.raises(Corrupted, match="v1 came back with 3 of 3 files different, added"):
        result.require_identical()


@pytest.mark.needs("s3")
def test_a_bucket_that_no_demo_created_is_not_emptied(store: DemoStore, tmp_path: Path) -> None:
    prepare_bucket(store)
    bucket = bucket_of(store)
    obstore.put(bucket, "dvc/precious", b"somebody's")
    obstore.delete(bucket, "created-by-slipway-demo")
    with pytest.raises(StoreError, match=store.bucket):
        run_demo(tmp_path, store)
    assert keys(store, "dvc/") == {"dvc/precious"}
    assert not (tmp_path / ".slipway").exists()


@pytest.mark.needs("s3")
def test_refused_credentials_are_named_without_the_secret(store: DemoStore, tmp_path: Path) -> None:
    wrong = replace(store, secret_key="not-the-secret")
    with pytest.raises(AccessDenied) as refused:
        run_demo(tmp_path, wrong)
    assert store.access_key in refused.value.message
    assert "not-the-secret" not in refused.value.message + refused.value.hint + repr(wrong)


@pytest.mark.needs("s3")
def test_a_directory_that_is_not_the_demo_s_is_left_alone(store: DemoStore, tmp_path: Path) -> None:
    mine = tmp_path / ".slipway" / "demo" / "mine"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    with pytest.raises(SlipwayError, match="no demo created it"):
        run_demo(tmp_path, store)
    assert mine.read_text() == "precious"
    with pytest.raises(obstore.exceptions.BaseError, match="NoSuchBucket"):
        keys(store, "dvc/")


def test_without_an_object_store_nothing_is_touched(tmp_path: Path) -> None:
    nowhere = DemoStore(endpoint_url="http://127.0.0.1:9")  # the discard port: nothing listens
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:9") as refused:
        run_demo(tmp_path, nowhere)
    assert "--profile demo" in refused.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("endpoint", ["object-store", "http://", "ftp://127.0.0.1:9"])
def test_an_endpoint_that_is_none_is_named(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(StoreError, match=endpoint):
        run_demo(tmp_path, DemoStore(endpoint_url=endpoint))
