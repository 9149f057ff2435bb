"""The names of objects, against DVC's own hashing."""

from __future__ import annotations

import hashlib
import io
import random

import pytest
from dvc_data.hashfile.hash import fobj_md5
from dvc_data.hashfile.istextfile import istextblock

from scripts.migration.digest import digest_for, is_text
from scripts.migration.model import Layout, StoredObject

MIB = 1 << 20
TEXT = b"a line\r\n" * 40
BINARY = b"\x00\x01\r\n\xff" * 40


def matches(content: bytes, oid: str, layout: Layout, piece: int = 1 << 16) -> bool:
    item = StoredObject(oid, layout)
    digest = digest_for(item)
    for start in range(0, len(content), piece):
        digest.update(content[start : start + piece])
    return digest.matches(item)


def dvc2_name(content: bytes) -> str:
    """DVC 2: text or binary is decided once, the replacement is made block by block."""
    md5 = hashlib.md5(usedforsecurity=False)
    text = istextblock(content[:512])
    for start in range(0, len(content), MIB):
        block = content[start : start + MIB]
        md5.update(block.replace(b"\r\n", b"\n") if text else block)
    return md5.hexdigest()


def samples() -> dict[str, bytes]:
    border = b"x" * (MIB - 1) + b"\r\n" + b"y" * 100 + b"\r\n"
    return {
        "empty": b"",
        "text": TEXT,
        "binary": BINARY,
        "text then binary": TEXT * (MIB // len(TEXT) + 1) + BINARY * 100,
        "binary then text": BINARY * (MIB // len(BINARY) + 1) + TEXT * 100,
        "a CRLF over the border of two blocks": border,
        "three blocks": TEXT * (3 * MIB // len(TEXT)),
    }


@pytest.mark.parametrize("piece", [777, MIB, MIB + 1, 1 << 23])
@pytest.mark.parametrize("name", list(samples()))
def test_legacy_names_are_those_of_dvc_2_and_of_dvc_3(name: str, piece: int) -> None:
    content = samples()[name]
    of_dvc3 = fobj_md5(io.BytesIO(content), name="md5-dos2unix")
    assert matches(content, of_dvc3, Layout.LEGACY, piece)
    assert matches(content, dvc2_name(content), Layout.LEGACY, piece)
    if content:
        wrong = content[:-1] + bytes([content[-1] ^ 1])
        assert not matches(wrong, of_dvc3, Layout.LEGACY, piece)
        assert not matches(wrong, dvc2_name(content), Layout.LEGACY, piece)


def test_the_two_legacy_rules_differ_where_they_must() -> None:
    mixed = samples()["text then binary"]
    assert dvc2_name(mixed) != fobj_md5(io.BytesIO(mixed), name="md5-dos2unix")


def test_current_names_take_the_bytes_as_they_are() -> None:
    assert matches(TEXT, hashlib.md5(TEXT, usedforsecurity=False).hexdigest(), Layout.CURRENT)
    unix = hashlib.md5(TEXT.replace(b"\r\n", b"\n"), usedforsecurity=False).hexdigest()
    assert not matches(TEXT, unix, Layout.CURRENT)


def test_text_is_what_dvc_takes_for_text() -> None:
    made = random.Random(3)
    for _ in range(500):
        share = made.random()
        block = bytes(
            made.randrange(128, 256) if made.random() < share else made.randrange(32, 127)
            for _ in range(made.randrange(600))
        )
        assert is_text(block) == istextblock(block[:512])
