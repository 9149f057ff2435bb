"""What servers differ in, on a stub that answers as AWS documents (see ``stub_s3``)."""

from __future__ import annotations

import errno
import hashlib
import ssl
import sys
from typing import TYPE_CHECKING, Any, Callable

import pytest

from scripts.errors import ObjectMissing, StoreError, StoreUnavailable
from scripts.migration.buckets import _is_sealed, open_bucket
from scripts.migration.model import Evidence, Layout, ServerCopy, Status, StoredObject
from scripts.migration.prove import list_store, prove_objects
from scripts.migration.stores.client import ClientSettings, Connection, Keys
from scripts.migration.stores.memory import MemoryStore
from scripts.migration.stores.s3 import PART_BYTES, S3Store
from scripts.migration.transfer import copy_object, copy_or_tell
from scripts.migration.tuning import PRODUCTION, Tuning
from scripts.migration.workers import Stop
from scripts.progress import SilentProgress
from tests.contract.certificates import certificate
from tests.contract.store_worlds import content_of, named, pieces
from tests.contract.stub_s3 import Answer, StubS3, refusal, serving, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.migration.store import Store
    from tests.contract.stub_s3 import Asked

KEYS = {"access_key_id": "stub", "secret_access_key": "stub-secret"}
LARGE = content_of(PART_BYTES + 5)
IN_PARTS = Tuning(most_whole_bytes=0)
"""What is large goes in parts, as what is larger by far does."""


@pytest.fixture
def stub() -> Iterator[StubS3]:
    with serving(StubS3()) as server:
        yield server


def remote(stub: StubS3, path: str, tuning: Tuning = PRODUCTION) -> S3Store:
    """A remote as DVC's configuration would give it."""
    config = {**KEYS, "url": f"s3://bucket/{path}", "endpointurl": stub.endpoint}
    return open_bucket(path, config["url"], config, {}, tuning=tuning)


def listed(store: Store) -> StoredObject:
    (item,) = store.list_objects()
    return item


def bytes_through_the_client(stub: StubS3) -> int:
    read = sum(
        len(stub.objects[asked.key].content)
        for asked in stub.asked
        if asked.method == "GET" and asked.key in stub.objects
    )
    return read + sum(asked.body_bytes for asked in stub.asked if asked.method == "PUT")


@pytest.mark.parametrize(
    ("endpoint", "more", "is_hashed"),
    [
        ("", {}, False),
        ("https://minio.example.com", {}, False),
        ("https://minio.example.com", {"ssl_verify": "/etc/ca.pem"}, False),
        ("https://minio.example.com", {"ssl_verify": False}, True),
        ("", {"use_ssl": False}, True),
        ("http://minio.example.com", {}, True),
        ("http://localhost:9000", {}, True),
    ],
)
def test_a_body_is_hashed_for_the_signature_unless_tls_protects_it(
    endpoint: str, more: dict[str, object], is_hashed: bool
) -> None:
    assert _is_sealed(endpoint, more) is not is_hashed


def test_without_tls_the_server_can_refuse_a_body_that_was_damaged(stub: StubS3) -> None:
    item = named(b"some bytes")

    assert remote(stub, "to").publish(item, [b"some bytes"]) is Evidence.STORE_CHECKSUM

    (sent,) = puts(stub)
    assert sent.headers["x-amz-content-sha256"] == hashlib.sha256(b"some bytes").hexdigest()


def test_obstores_errors_are_told_where_botocore_cannot_be_loaded(
    stub: StubS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = remote(stub, "to")
    monkeypatch.setitem(sys.modules, "botocore.exceptions", None)  # importing it fails
    with pytest.raises(ObjectMissing):
        list(target.read(named(b"x")))


def test_a_client_that_cannot_be_made_just_now_is_made_the_next_time() -> None:
    trouble = [OSError(errno.EMFILE, "Too many open files")]

    class Settings(ClientSettings):
        def client(self, keys: Keys) -> Any:
            if trouble:
                raise trouble.pop()
            return keys.key_id

    settings = Settings({}, None, "us-east-1", True, 1, 1)
    connect = Connection(settings, lambda: Keys("an id", "a secret", None))
    with pytest.raises(StoreUnavailable, match="Too many open files") as caught:
        connect()
    assert "ulimit -n" in caught.value.hint
    assert connect() == "an id"


def test_what_is_wrong_with_a_certificate_is_told_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path))
    with serving(StubS3(), context) as stub:
        with pytest.raises(StoreError, match=r"certificate is not accepted \(\w+\)") as caught:
            list(remote(stub, "to").list_objects())
        assert not isinstance(caught.value, StoreUnavailable)
        assert "remote modify --local to ssl_verify FILE" in caught.value.hint


def puts(stub: StubS3) -> list[Asked]:
    return [asked for asked in stub.asked if asked.method == "PUT"]


def test_a_large_object_goes_in_one_request_and_is_proven_by_its_etag(stub: StubS3) -> None:
    item = named(LARGE)
    assert remote(stub, "to").publish(item, pieces(LARGE)) is Evidence.STORE_CHECKSUM
    assert listed(remote(stub, "to")).checksum == item.md5, "to whoever asks, at any time"
    assert stub.objects[f"to/{item.key}"].content == LARGE
    (sent,) = puts(stub)
    # Its bytes are not hashed for the signature; the signed header lets the server refuse others.
    assert sent.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert "content-md5;" in sent.headers["authorization"]


@pytest.mark.parametrize("change", [lambda right: right[:-1], lambda right: right + b"x"])
def test_an_object_of_another_size_than_was_listed_is_not_put(
    stub: StubS3, change: Callable[[bytes], bytes]
) -> None:
    content = change(LARGE)
    item = named(content)._replace(size_bytes=len(LARGE))
    with pytest.raises(StoreUnavailable, match="not as large as it was when it was listed"):
        remote(stub, "to").publish(item, pieces(content))
    assert stub.objects == {}


def test_of_a_wrong_large_object_the_server_gets_less_than_all(stub: StubS3) -> None:
    item = named(LARGE)
    source = MemoryStore("hdd")
    source.contents[item.key] = LARGE[:-1] + b"?"
    result, reason = copy_or_tell(
        item, source, remote(stub, "to"), stop=Stop(), advance=lambda _: None, replace=False
    )
    assert (result.status, "do not hash to its name" in reason) == (Status.CORRUPT, True)
    assert stub.objects == {}
    assert {sent.status for sent in puts(stub)} == {400}
    assert all(sent.body_bytes < len(LARGE) for sent in puts(stub))


def test_a_large_object_that_was_damaged_on_the_way_is_refused(stub: StubS3) -> None:
    item = named(LARGE)
    with pytest.raises(StoreUnavailable, match=r"damaged on the way, and refused \(400 BadD"):
        remote(stub, "to").publish(item, pieces(LARGE[:-1] + b"?"))
    assert stub.objects == {}


@pytest.mark.parametrize("honours", [True, False])
def test_a_large_object_that_is_there_already_stays(stub: StubS3, honours: bool) -> None:
    stub.honours_conditions = honours
    item = named(LARGE)
    stub.objects[f"to/{item.key}"] = stub.keep(b"?")
    evidence = remote(stub, "to").publish(item, pieces(LARGE), replace=False)
    assert evidence is (Evidence.NONE if honours else Evidence.STORE_CHECKSUM)
    remote(stub, "to").publish(item, pieces(LARGE))
    assert stub.objects[f"to/{item.key}"].content == LARGE


@pytest.mark.parametrize("status", [413, 501])
def test_a_server_that_takes_no_large_request_gets_parts(stub: StubS3, status: int) -> None:
    item = named(LARGE)
    source = MemoryStore("hdd")
    source.contents[item.key] = LARGE
    stub.refuses.append((f"PUT to/{item.key}", Answer(status, b"<html>too large</html>")))
    target = remote(stub, "to")
    result, _ = copy_or_tell(
        item, source, target, stop=Stop(), advance=lambda _: None, replace=False
    )
    assert result == (Status.COPIED, Evidence.STORE_CHECKSUM, False)
    assert stub.objects[f"to/{item.key}"].part_sizes == (PART_BYTES, len(LARGE) - PART_BYTES)
    other = named(LARGE + b"x")
    target.publish(other, pieces(LARGE + b"x"))
    assert stub.objects[f"to/{other.key}"].part_sizes, "and that was not asked again"


def test_text_that_dvc_2_named_goes_in_parts_as_its_md5_is_not_known(stub: StubS3) -> None:
    text = b"line\r\n" * (len(LARGE) // 6)
    item = named(text.replace(b"\r\n", b"\n"), Layout.LEGACY)._replace(size_bytes=len(text))
    assert remote(stub, "to").publish(item, pieces(text)) is Evidence.STORE_CHECKSUM
    assert len(stub.objects[f"to/{item.key}"].part_sizes) == 2


@pytest.mark.parametrize("content", [b"x", LARGE])
def test_objects_are_encrypted_as_the_remote_is_set(stub: StubS3, content: bytes) -> None:
    config = {**KEYS, "url": "s3://bucket/to", "endpointurl": stub.endpoint}
    encryption = {"sse": "aws:kms", "sse_kms_key_id": "a-key"}
    target = open_bucket("to", config["url"], {**config, **encryption}, {})
    target.publish(named(content), pieces(content))
    (sent,) = puts(stub)
    assert sent.headers["x-amz-server-side-encryption"] == "aws:kms"
    assert sent.headers["x-amz-server-side-encryption-aws-kms-key-id"] == "a-key"


def test_remotes_open_with_all_that_dvc_can_say_of_them() -> None:
    times = {"connect_timeout": 5, "read_timeout": 5}
    said = {**KEYS, **times, "session_token": "t", "region": "eu-west-1", "sse": "AES256"}
    there = {"endpointurl": "https://minio.example.com"}
    for config in (said, {**said, **there}, {**said, "use_ssl": False}):
        assert open_bucket("to", "s3://bucket/to", config, {}).location
    anonymous = {"allow_anonymous_login": True, **there}
    assert open_bucket("to", "s3://bucket/to", anonymous, {}).location


def test_an_object_in_parts_is_checked_by_the_server_before_it_is_visible(stub: StubS3) -> None:
    item = named(LARGE)
    remote(stub, "from", IN_PARTS).publish(item, pieces(LARGE))
    source, target = remote(stub, "from"), remote(stub, "to", IN_PARTS)
    seen = listed(source)
    assert (seen.checksum, "-" in stub.objects[f"from/{item.key}"].etag) == (None, True)
    stub.asked.clear()
    outcome = copy_object(seen, source, target, stop=Stop(), advance=lambda _: None)
    assert outcome.status is Status.COPIED
    assert bytes_through_the_client(stub) == 0
    assert listed(target).checksum == item.md5
    assert sorted(stub.objects) == [f"from/{item.key}", f"to/{item.key}"]


def test_a_wrong_object_in_parts_is_never_visible_under_its_name(stub: StubS3) -> None:
    item = named(b"x" * len(LARGE))
    remote(stub, "from", IN_PARTS).publish(item, pieces(LARGE))
    source, target = remote(stub, "from"), remote(stub, "to", IN_PARTS)
    result, _ = copy_or_tell(
        listed(source), source, target, stop=Stop(), advance=lambda _: None, replace=False
    )
    assert result.status is Status.CORRUPT
    assert sorted(stub.objects) == [f"from/{item.key}"]
    # Parts may have been sent: of an upload that nobody completes.
    sent = [asked for asked in stub.asked if asked.key == f"to/{item.key}"]
    assert all("uploadId" in asked.query for asked in sent if asked.method == "PUT")
    assert not [asked for asked in sent if asked.method == "POST" and "uploadId" in asked.query]


def test_keys_that_may_not_read_the_source_copy_what_is_read_elsewhere(stub: StubS3) -> None:
    item = named(b"x")
    source, target = remote(stub, "from"), remote(stub, "to")
    source.publish(item, [b"x"])
    stub.refuses.append((f"PUT to/{item.key}", refusal(403, "AccessDenied")))
    outcome = copy_object(listed(source), source, target, stop=Stop(), advance=lambda _: None)
    assert outcome.status is Status.COPIED
    other = named(b"y")
    source.publish(other, [b"y"])
    stub.asked.clear()
    (seen,) = (found for found in source.list_objects() if found.key == other.key)
    copy_object(seen, source, target, stop=Stop(), advance=lambda _: None)
    assert not [asked for asked in stub.asked if "x-amz-copy-source" in asked.headers]


@pytest.mark.parametrize("status", [429, 503])
def test_how_long_a_server_asks_to_be_left_alone_is_told(stub: StubS3, status: int) -> None:
    item = named(b"x")
    source, target = remote(stub, "from"), remote(stub, "to")
    source.publish(item, [b"x"])
    seen = listed(source)
    stub.refuses += [("PUT .*", refusal(status, "SlowDown", Retry_After="1"))] * 3
    with pytest.raises(StoreUnavailable) as caught:
        target.copy_from(source.location, seen)
    assert (caught.value.is_throttled, caught.value.retry_after_s) == (True, 1.0)
    stub.refuses[:] = [("PUT .*", refusal(status, "SlowDown", Retry_After="1"))] * 3
    with pytest.raises(StoreUnavailable) as caught:
        target.publish(item, [b"x"])
    assert caught.value.is_throttled  # obstore does not tell for how long
    stub.refuses[:] = [("PUT .*", refusal(status, "SlowDown", Retry_After="1"))]
    with pytest.raises(StoreUnavailable) as caught:
        target.publish(named(LARGE), pieces(LARGE))
    assert (caught.value.is_throttled, caught.value.retry_after_s) == (True, 1.0)


def lifecycle(*rules: str) -> Answer:
    inner = "".join(f"<Rule><ID>a rule</ID><Status>Enabled</Status>{rule}</Rule>" for rule in rules)
    return told("LifecycleConfiguration", inner)


DELETES = "<Expiration><Days>30</Days></Expiration>"


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (f"<Filter></Filter>{DELETES}", "deletes objects after 30 days"),
        (f"<Prefix></Prefix>{DELETES}", "deletes objects after 30 days"),
        (f"<Filter><Prefix>to/</Prefix></Filter>{DELETES}", "Take to/ out of that rule"),
        (f"<Filter><Prefix>to/files</Prefix></Filter>{DELETES}", "deletes objects"),
        (
            (
                "<Filter></Filter><Transition><Days>9</Days><StorageClass>GLACIER</StorageClass>"
                "</Transition>"
            ),
            "moves objects to GLACIER after 9 days",
        ),
        (f"<Filter><Prefix>other/</Prefix></Filter>{DELETES}", ""),
        (f"<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>{DELETES}", ""),
        (
            (
                "<Filter></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>1"
                "</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
            ),
            "",
        ),
    ],
)
def test_a_rule_that_lets_objects_go_is_told_before_anything_is_copied(
    stub: StubS3, rule: str, says: str
) -> None:
    stub.settings["lifecycle"] = lifecycle(rule)
    cautions = remote(stub, "to").cautions()
    assert len(cautions) == bool(says)
    assert says in "".join(cautions)
    assert stub.objects == {}


def test_who_may_not_see_the_rules_is_told_of_none(stub: StubS3) -> None:
    stub.settings["lifecycle"] = refusal(403, "AccessDenied")
    stub.settings["object-lock"] = refusal(501, "NotImplemented")
    assert remote(stub, "to").cautions() == ()


def test_a_bucket_that_keeps_objects_gets_the_checksums_that_it_wants(stub: StubS3) -> None:
    stub.settings["object-lock"] = told(
        "ObjectLockConfiguration",
        "<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"
        "<Mode>GOVERNANCE</Mode><Days>7</Days></DefaultRetention></Rule>",
    )
    item = named(b"x")
    with pytest.raises(StoreError, match="InvalidRequest"):
        remote(stub, "to").publish(item, [b"x"])  # so the server does insist
    target = remote(stub, "to")
    (caution,) = target.cautions()
    assert "for 7 days (object lock, GOVERNANCE)" in caution
    target.require_writable()
    assert target.publish(item, [b"x"])
    assert target.publish(named(LARGE), pieces(LARGE))
    assert {found.key for found in target.list_objects()} == {item.key, named(LARGE).key}


PROBE = "to/.slipway-incoming/creates"


def asked_of(stub: StubS3, key: str = PROBE) -> list[tuple[str, int]]:
    """What was asked of one object, without the questions to the bucket."""
    return [(asked.method, asked.status) for asked in stub.asked if asked.key == key]


def test_whether_a_server_honours_conditions_is_asked_once(stub: StubS3) -> None:
    target = remote(stub, "to")
    assert target.require_writable() == target.require_writable() == ()
    assert asked_of(stub) == [("PUT", 200), ("PUT", 412), ("DELETE", 204)]
    assert (stub.objects, stub.uploads) == ({}, {})
    assert not [asked for asked in stub.asked if "uploads" in asked.query], "that need not be asked"


def test_a_server_that_ignores_conditions_is_told(stub: StubS3) -> None:
    stub.honours_conditions = False
    target = remote(stub, "to")
    (note,) = target.require_writable()
    assert note.startswith("to: the server ignores the condition")
    assert asked_of(stub) == [("PUT", 200), ("PUT", 200), ("DELETE", 204)]
    assert stub.objects == {}


def test_a_server_that_refuses_conditions_is_told_and_not_asked_again(stub: StubS3) -> None:
    stub.refuses.append((f"PUT {PROBE}", refusal(501, "NotImplemented")))
    target = remote(stub, "to")
    (note,) = target.require_writable()
    assert note.startswith("to: the server refuses the condition")
    item = named(b"x")
    target.publish(item, [b"x"], replace=False)
    (put,) = (asked for asked in stub.asked if asked.key == f"to/{item.key}")
    assert "if-none-match" not in put.headers
    assert list(stub.objects) == [f"to/{item.key}"]


def test_where_nothing_may_be_deleted_one_empty_object_stays(stub: StubS3) -> None:
    refusals = [(f"DELETE {PROBE}", refusal(403, "AccessDenied"))] * 2
    stub.refuses += refusals
    assert [remote(stub, "to").require_writable() for _ in range(2)] == [(), ()]
    assert asked_of(stub) == [
        ("PUT", 200), ("PUT", 412), ("DELETE", 403), ("PUT", 412), ("DELETE", 403)
    ]  # fmt: skip
    assert [len(kept.content) for kept in stub.objects.values()] == [0]
    assert remote(stub, "to").clean(thorough=False) == 1, "who may delete finds what was left"
    assert stub.objects == {}


def test_in_a_bucket_with_versions_nothing_is_left_of_what_was_asked(stub: StubS3) -> None:
    stub.keeps_versions = True
    assert remote(stub, "to").require_writable() == ()
    assert (stub.objects, stub.markers) == ({}, [])
    stub.refuses.append((f"DELETE {PROBE}", refusal(403, "AccessDenied")))
    assert remote(stub, "to").require_writable() == ()  # no right to delete versions
    assert (stub.objects, stub.markers) == ({}, [PROBE])


def test_in_a_bucket_that_keeps_objects_none_is_made_to_ask(stub: StubS3) -> None:
    stub.settings["object-lock"] = told(
        "ObjectLockConfiguration",
        "<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"
        "<Mode>COMPLIANCE</Mode><Days>7</Days></DefaultRetention></Rule>",
    )
    assert remote(stub, "to").require_writable() == ()
    assert asked_of(stub) == []
    assert (stub.objects, stub.uploads) == ({}, {})


def test_keys_that_may_write_objects_only_are_not_taken_for_refused(stub: StubS3) -> None:
    stub.refuses.append((f"PUT {PROBE}", refusal(403, "AccessDenied")))
    target = remote(stub, "to")
    assert target.require_writable() == ()
    assert asked_of(stub) == [("PUT", 403)]
    assert target.publish(named(b"x"), [b"x"], replace=False) is Evidence.STORE_CHECKSUM


@pytest.mark.parametrize(
    ("content", "tuning"),
    [(b"x", IN_PARTS), (LARGE, PRODUCTION), (LARGE, IN_PARTS)],
    ids=["small", "as it is read", "in parts"],
)
def test_with_kms_an_etag_proves_nothing_and_bytes_are_read_back(
    stub: StubS3, content: bytes, tuning: Tuning
) -> None:
    stub.kms = True
    item = named(content)
    store = remote(stub, "to", tuning)
    store.publish(item, pieces(content))
    listing = list_store(store, SilentProgress())
    (proof,) = prove_objects([item], store, listing, jobs=1, progress=SilentProgress()).values()
    assert proof.evidence is Evidence.READ_BACK
    stub.objects[f"to/{item.key}"].content = content[:-1] + b"?"
    (proof,) = prove_objects([item], store, listing, jobs=1, progress=SilentProgress()).values()
    assert "other bytes" in proof.reason


@pytest.mark.parametrize("honours", [True, False])
def test_what_is_there_already_stays_where_the_server_takes_conditions(
    stub: StubS3, honours: bool
) -> None:
    stub.honours_conditions = honours
    source, target = remote(stub, "from"), remote(stub, "to")
    item = named(b"x")
    source.publish(item, [b"x"])
    seen = listed(source)
    target.publish(item, [b"?"])
    ways: list[Callable[[], bool]] = [
        lambda: target.publish(item, [b"x"], replace=False) is not Evidence.NONE,
        lambda: target.copy_from(source.location, seen, replace=False) is ServerCopy.DONE,
    ]
    for publish in ways:
        stub.objects[f"to/{item.key}"] = stub.keep(b"?")
        assert publish() is not honours
        assert stub.objects[f"to/{item.key}"].content == (b"?" if honours else b"x")
