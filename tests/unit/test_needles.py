from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, Callable
from urllib.parse import quote

import pytest

from scripts.container.known_secrets import known_secrets
from scripts.container.layers import parts_of, search_part
from scripts.container.leaks import Finding, LeakReport
from scripts.container.needles import BASE64, PLAIN, QUOTED, Hit, Needles, Secret, searched
from scripts.container.places import Place, Search
from scripts.container.searched import read_record, write_record
from scripts.errors import ContainerError

if TYPE_CHECKING:
    from pathlib import Path

VALUE = "wJalr/XUtn+FEMI<K7&MDENG$bPx"
NEEDLES = Needles([Secret("KEY", VALUE), Secret("OTHER", "another-value")])


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("after", range(4))
def test_base64_is_found_in_any_company(before: int, after: int) -> None:
    text = b"u" * before + VALUE.encode() + b"x" * after
    for encoded in (base64.b64encode(text), base64.urlsafe_b64encode(text)):
        assert NEEDLES.find([b"Authorization: Basic " + encoded]) == {Hit("KEY", BASE64)}


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (VALUE, PLAIN),
        (quote(VALUE), QUOTED),
        (quote(VALUE, safe=""), QUOTED),
        (json.dumps(VALUE), PLAIN),
        (VALUE.replace("$", "$$"), "escaped"),
        (VALUE.replace("<", "\\u003c").replace("&", "\\u0026"), "escaped"),  # as docker prints it
    ],
)
def test_every_form_is_found(text: str, form: str) -> None:
    assert NEEDLES.find([b"before " + text.encode() + b" after"]) == {Hit("KEY", form)}


@pytest.mark.parametrize("cut", range(len(VALUE) + 6))
def test_a_value_is_found_across_the_borders_of_chunks(cut: int) -> None:
    data = b"...." + VALUE.encode() + b"...."
    assert NEEDLES.find([data[:cut], data[cut:]]) == {Hit("KEY", PLAIN)}
    assert NEEDLES.find([data[at : at + 1] for at in range(len(data))]) == {Hit("KEY", PLAIN)}


def test_a_fingerprint_is_that_of_the_values_and_of_its_salt() -> None:
    same = Needles([Secret("OTHER", "another-value"), Secret("RENAMED", VALUE)])
    assert same.fingerprint(b"salt") == NEEDLES.fingerprint(b"salt")
    assert Needles([Secret("KEY", VALUE)]).fingerprint(b"salt") != NEEDLES.fingerprint(b"salt")
    assert NEEDLES.fingerprint(b"pepper") != NEEDLES.fingerprint(b"salt")


def test_a_record_counts_for_the_same_secrets_only(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "record.json"
    fresh = read_record(path, NEEDLES)
    assert not fresh.clean
    write_record(path, replace(fresh, clean=frozenset(["sha256:1"])))
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_record(path, NEEDLES).clean == {"sha256:1"}
    others = Needles([Secret("KEY", VALUE)])
    assert not read_record(path, others).clean
    path.write_text("no record")
    assert not read_record(path, NEEDLES).clean


def test_nothing_is_found_where_nothing_is() -> None:
    assert not NEEDLES.find([VALUE[:-1].encode(), b"-", VALUE.encode()[1:]])
    assert not Needles([]).find([VALUE.encode()])


def test_two_keys_with_one_value_are_both_named() -> None:
    needles = Needles([Secret("A", "the-same-value"), Secret("B", "the-same-value")])
    assert needles.find([b"the-same-value"]) == {Hit("A", PLAIN), Hit("B", PLAIN)}


def test_a_short_value_is_not_searched_and_its_key_is_told() -> None:
    assert searched([Secret("A", "1234567"), Secret("B", "12345678")]) == (
        (Secret("B", "12345678"),),
        ("A",),
    )


def test_every_source_of_secrets_is_known(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HF_TOKEN=hidden-by-the-environment\nAWS_REGION=eu-central-1\n")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = of/default\n"
        "[work]\naws_session_token = of-work%\nregion = us-east-1\n"
    )
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config.local").write_text(
        "['remote \"s3\"']\n    secret_access_key = of-dvc\n    region = eu\n"
        "['remote \"web\"']\n    url = https://ada:of-dvc-url@data.test/x\n"
    )
    (tmp_path / ".netrc").write_text("machine index.test login ada password of-netrc\n")
    pip = tmp_path / ".config" / "pip" / "pip.conf"
    uv = tmp_path / ".config" / "uv" / "uv.toml"
    for path in (pip, uv):
        path.parent.mkdir(parents=True)
    pip.write_text(
        "[global]\nindex-url = https://ada:of-pip%40conf@index.test/simple\n"
        "extra-index-url =\n    https://a.test/simple\n    https://ada:of-more@b.test/simple\n"
    )
    uv.write_text('[[index]]\nurl = "https://a-token-of-uv@index.test/simple"\n')
    (tmp_path / "other.conf").write_text("[install]\nindex-url=https://ada:of-other@c.test/\n")
    environ = {
        "HF_TOKEN": "of-the-environment",
        "PIP_CONFIG_FILE": str(tmp_path / "other.conf"),
        "UV_INDEX": "mine=https://ada:of-uv-index@d.test/simple https://e.test/simple",
        "PIP_EXTRA_INDEX_URL": "https://f.test/ https://ada:of-extra@g.test/simple",
        "HTTPS_PROXY": "http://ada:p%40ss-word@proxy.test:3128",
        "http_proxy": "ada:plain-word@proxy.test:3128",
        "NO_PROXY": "localhost,[::1",
        "UNKNOWN_TOKEN": "not-ours",
    }
    assert {
        (secret.key, secret.value) for secret in known_secrets(tmp_path, environ, tmp_path)
    } == {
        ("HF_TOKEN", "hidden-by-the-environment"),
        ("HF_TOKEN", "of-the-environment"),
        ("HTTPS_PROXY", "p%40ss-word"),
        ("HTTPS_PROXY", "p@ss-word"),
        ("http_proxy", "plain-word"),
        ("aws_access_key_id of default", "AKIAEXAMPLE"),
        ("aws_secret_access_key of default", "of/default"),
        ("aws_session_token of work", "of-work%"),
        ("secret_access_key of 'remote \"s3\"'", "of-dvc"),
        ("config.local", "of-dvc-url"),
        ("password of index.test", "of-netrc"),
        ("pip.conf", "of-pip%40conf"),
        ("pip.conf", "of-pip@conf"),
        ("pip.conf", "of-more"),
        ("uv.toml", "a-token-of-uv"),
        ("other.conf", "of-other"),
        ("UV_INDEX", "of-uv-index"),
        ("PIP_EXTRA_INDEX_URL", "of-extra"),
    }


def archive(files: dict[str, bytes]) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as opened:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    packed.seek(0)
    return packed


def layer(content: bytes) -> bytes:
    return archive({"file": content}).getvalue()


def saved(parts: dict[str, bytes]) -> io.BytesIO:
    """Return an image as the engine hands it out."""
    return archive({f"blobs/sha256/{name}": content for name, content in parts.items()})


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_layer_is_searched_however_it_is_packed(pack: Callable[[bytes], bytes]) -> None:
    hidden = pack(layer(b"." * (1 << 20) + VALUE.encode() + b"." * 700))
    clean = pack(layer(b"." * 3000))
    search = Search(NEEDLES)
    names = []
    for member, part in parts_of(saved({"a": clean, "b": hidden, "c": clean})):
        names.append(member.name)
        if not member.name.endswith("c"):  # one that is left unread is skipped
            search_part(search, member.name, part)
    assert names == ["blobs/sha256/a", "blobs/sha256/b", "blobs/sha256/c"]
    assert search.place("layers").found == {"image layer b": {Hit("KEY", PLAIN)}}


def test_a_layer_that_cannot_be_unpacked_is_told() -> None:
    search = Search(NEEDLES)
    for member, part in parts_of(saved({"a": b"\x28\xb5\x2f\xfd and more"})):
        search_part(search, member.name, part)
    assert search.place("layers").unsearched == ("image layer a: it is packed with zstandard",)


def test_no_secret_shows_itself() -> None:
    assert VALUE not in repr(Secret("KEY", VALUE))


def test_a_finding_names_key_and_place_and_fails() -> None:
    place = Place("image layers", 10, {"layer 1, file /x": frozenset({Hit("KEY", PLAIN)})})
    report = LeakReport(("KEY",), (), (place,))
    assert report.findings == (Finding("KEY", "layer 1, file /x", PLAIN),)
    assert report.as_json()["works"] is False
    with pytest.raises(ContainerError, match="KEY"):
        report.require_clean()


def test_what_could_not_be_searched_is_no_clean_bill() -> None:
    report = LeakReport(("KEY",), (), (Place("x/", 0, unsearched=("x/y: Permission denied",)),))
    assert report.as_json()["works"] is False
    with pytest.raises(ContainerError, match="x/y: Permission denied"):
        report.require_clean()
