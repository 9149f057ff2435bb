"""The embedded object store as a person gets it: built, started, used, killed, started again."""

from __future__ import annotations

import base64
import hashlib
import secrets
import urllib.error
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
import pytest

from scripts import process
from tests.integration.object_store import ObjectStore, send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from obstore.store import S3Store

pytestmark = pytest.mark.needs("docker")

MIB = 1 << 20


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    store = ObjectStore()
    with store.running():
        yield store


@pytest.fixture(scope="module")
def bucket(store: ObjectStore) -> S3Store:
    return store.create_bucket("first-bucket")


def test_an_object_is_stored_under_its_md5_and_only_created_once(bucket: S3Store) -> None:
    body = b"some bytes"
    put = obstore.put(bucket, "a/b", body, mode="create", use_multipart=False)
    assert put["e_tag"] == f'"{hashlib.md5(body).hexdigest()}"'  # noqa: S324
    with pytest.raises(obstore.exceptions.AlreadyExistsError):
        obstore.put(bucket, "a/b", b"others", mode="create", use_multipart=False)
    assert bytes(obstore.get(bucket, "a/b").bytes()) == body


def test_a_body_that_is_not_what_its_digest_says_is_refused(bucket: S3Store) -> None:
    url = obstore.sign(bucket, "PUT", "damaged", timedelta(minutes=1))
    digest = base64.b64encode(hashlib.md5(b"what was meant").digest()).decode()  # noqa: S324
    with pytest.raises(urllib.error.HTTPError) as refused:
        send(url, b"what arrived", Content_MD5=digest)
    with refused.value as answer:
        assert answer.code == 400
        assert b"BadDigest" in answer.read()
    with pytest.raises(FileNotFoundError):
        obstore.head(bucket, "damaged")


def test_a_large_object_goes_up_in_parts_and_comes_back_whole(bucket: S3Store) -> None:
    body = secrets.token_bytes(12 * MIB)
    put = obstore.put(bucket, "large", body, use_multipart=True, chunk_size=5 * MIB)
    assert str(put["e_tag"]).endswith('-3"')
    assert bytes(obstore.get(bucket, "large").bytes()) == body


@pytest.mark.rare  # the store is what its image holds; half a minute
def test_a_listing_goes_on_after_its_first_thousand(bucket: S3Store) -> None:
    names = {f"many/{number:04d}" for number in range(1100)}
    for name in names:
        obstore.put(bucket, name, b"", use_multipart=False)
    assert {meta["path"] for batch in obstore.list(bucket, "many/") for meta in batch} == names


def test_a_wrong_secret_is_refused(store: ObjectStore, bucket: S3Store) -> None:
    obstore.put(bucket, "guarded", b"x", use_multipart=False)
    with pytest.raises(obstore.exceptions.PermissionDeniedError):
        obstore.get(store.bucket("first-bucket", secret_key="another"), "guarded")


def test_the_container_holds_no_rights_and_no_root(store: ObjectStore) -> None:
    host = store.container()["HostConfig"]
    assert isinstance(host, dict)
    assert host["CapDrop"] == ["ALL"]
    assert host["ReadonlyRootfs"] is True
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert [port["HostIp"] for port in host["PortBindings"]["8080/tcp"]] == ["127.0.0.1"]
    assert store.compose("exec", "-T", "object-store", "id", "-u").stdout.strip() == "833"


def test_nothing_of_the_build_secret_stays_in_the_image(store: ObjectStore) -> None:
    image = str(store.container()["Image"])
    history = process.run(["docker", "history", "--no-trunc", image]).stdout
    assert "BEGIN CERTIFICATE" not in history
    script = 'test -z "$(find /run/secrets -type f -size +0 2>/dev/null)"'
    assert store.compose("exec", "-T", "object-store", "sh", "-c", script).returncode == 0


def test_it_stops_at_once_with_exit_code_0_and_keeps_its_objects(
    store: ObjectStore, bucket: S3Store
) -> None:
    obstore.put(bucket, "kept", b"still here", use_multipart=False)
    store.compose("stop", "--timeout", "8", "object-store")
    state = store.container()["State"]
    assert isinstance(state, dict)
    assert state["ExitCode"] == 0
    store.compose("rm", "--force", "object-store")  # the volume alone must carry them over
    store.start()
    assert bytes(obstore.get(bucket, "kept").bytes()) == b"still here"


def test_it_ends_when_one_of_its_servers_dies(store: ObjectStore, bucket: S3Store) -> None:
    assert bucket  # the last test: the store is down after it
    script = (  # the brackets keep the shell from finding, and killing, itself
        "for p in /proc/[0-9]*; do"
        " if grep -q 'bin/swift-account-serve[r]' $p/cmdline; then kill ${p#/proc/}; fi;"
        " done 2>/dev/null"
    )
    store.compose("exec", "-T", "object-store", "sh", "-c", script, check=False)
    waited = process.run(["docker", "wait", str(store.container()["Id"])], timeout_s=20)
    assert waited.stdout.strip() == "1"
    assert "the account server ended" in store.compose("logs", "object-store").stdout


def test_a_key_that_its_files_cannot_hold_is_refused_with_its_name(store: ObjectStore) -> None:
    argv = ["docker", "run", "--rm", "--env", "OBJECT_STORE_ACCESS_KEY=no-colon"]
    ended = process.run([*argv, "slipway-object-store"], check=False)
    assert store
    assert ended.returncode == 1
    assert "OBJECT_STORE_ACCESS_KEY" in ended.stderr
