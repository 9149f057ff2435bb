"""A small S3 server that answers as AWS documents, for what the real ones of the tests lack.

OpenStack Swift knows no object lock, no lifecycle, no KMS, no stored checksums, and keeps the parts
of what it copies; `rclone serve s3` ignores conditions. Whatever they do know is tested on them.
It checks no signatures, keeps everything in memory, and notes what it was asked.

As a program it serves until its standard input ends: a server that takes a tenth of Swift's time,
for faults that are not the server's.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from ssl import SSLContext


@dataclass
class Kept:
    """An object as the server has it; ``etag`` without quotes."""

    content: bytes
    etag: str
    headers: dict[str, str] = field(default_factory=dict)
    part_sizes: tuple[int, ...] = ()
    written: str = field(
        default_factory=lambda: f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S.%f}"
    )


@dataclass(frozen=True)
class Asked:
    """A request that is answered; it is noted before the client can know."""

    method: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body_bytes: int
    status: int


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(status: int, code: str, **headers: str) -> Answer:
    """Return an error as S3 words it."""
    body = f"<Error><Code>{code}</Code><Message>told by a test</Message></Error>"
    return Answer(status, body.encode(), {key.replace("_", "-"): to for key, to in headers.items()})


def told(name: str, inner: str) -> Answer:
    """Return an answer in XML."""
    return Answer(body=f"<{name}>{inner}</{name}>".encode())


class StubS3:
    """One bucket, ``bucket``, and how the server is to behave.

    Attributes:
        objects: What it keeps, by key.
        asked: The requests, in the order of their answers.
        honours_conditions: Whether ``If-None-Match`` and ``If-Match`` count when writing.
        keeps_versions: Whether what is replaced or deleted stays, as a version of its own.
        markers: The keys that are marked as deleted, where versions are kept.
        kms: Whether ETags are no MD5, as with SSE-KMS.
        settings: What it answers to questions such as ``?lifecycle``; else that there is none.
        refuses: Answers to be given instead of the work, the first that fits once each.
        notes: Whether it notes what it is asked.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Kept] = {}
        self.uploads: dict[str, tuple[str, dict[int, bytes]]] = {}
        self.asked: list[Asked] = []
        self.honours_conditions = True
        self.keeps_versions = False
        self.markers: list[str] = []
        self.kms = False
        self.settings: dict[str, Answer] = {}
        self.refuses: list[tuple[str, Answer]] = []
        self.notes = True
        self.lock = threading.RLock()
        self.endpoint = ""
        self._numbers = itertools.count(1)

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Do what is asked."""
        bucket, _, key = path.lstrip("/").partition("/")
        with self.lock:
            for number, (pattern, refused) in enumerate(self.refuses):
                if re.fullmatch(pattern, f"{method} {key}"):
                    del self.refuses[number]
                    return refused
            if len(body) < int(headers.get("content-length", "0")):
                return refusal(400, "IncompleteBody")
            if bucket != "bucket":
                return refusal(404, "NoSuchBucket")
            told_sha = headers.get("x-amz-content-sha256", "")
            if len(told_sha) == 64 and hashlib.sha256(body).hexdigest() != told_sha:
                return refusal(400, "XAmzContentSHA256Mismatch")
            if not key:
                return self._of_bucket(method, query, body)
            return self._of_object(method, key, query, headers, body)

    def _of_bucket(self, method: str, query: dict[str, str], body: bytes) -> Answer:
        for name in ("lifecycle", "object-lock", "versioning"):
            if name in query:
                return self.settings.get(name, refusal(404, "NotConfigured"))
        if "uploads" in query:
            begun = "".join(
                f"<Upload><Key>{escape(key)}</Key><UploadId>{upload}</UploadId></Upload>"
                for upload, (key, _) in self.uploads.items()
                if key.startswith(query.get("prefix", ""))
            )
            return told("ListMultipartUploadsResult", begun)
        if method == "POST" and "delete" in query:
            for key in re.findall("<Key>(.*?)</Key>", body.decode()):
                self.objects.pop(unescape(key), None)
            return told("DeleteResult", "")
        if method != "GET":
            return refusal(501, "NotImplemented")
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        entries, below = [], set()
        for key, kept in sorted(self.objects.items()):
            if not key.startswith(prefix):
                continue
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                below.add(prefix + rest.split(delimiter, 1)[0] + delimiter)
                continue
            entries.append(
                f"<Contents><Key>{escape(key)}</Key><Size>{len(kept.content)}</Size>"
                f"<ETag>&quot;{kept.etag}&quot;</ETag>"
                f"<LastModified>{kept.written[:-3]}Z</LastModified></Contents>"
            )
        commons = (
            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in below
        )
        listed = "".join([*entries, *commons])
        return told("ListBucketResult", f"<IsTruncated>false</IsTruncated>{listed}")

    def _of_object(
        self,
        method: str,
        key: str,
        query: dict[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        if method == "POST" and "uploads" in query:
            upload = str(next(self._numbers))
            self.uploads[upload] = (key, {})
            return told("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>")
        if "uploadId" in query:
            return self._of_upload(method, key, query, headers, body)
        if method == "PUT":
            return self._put(key, headers, body)
        if method == "DELETE":
            if self.keeps_versions and "versionId" not in query:
                self.markers.append(key)
            self.objects.pop(key, None)
            return Answer(204)
        return self._read(self.objects.get(key), headers)

    def _put(self, key: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if not self._may_write(key, headers):
            return refusal(412, "PreconditionFailed")
        if "x-amz-copy-source" in headers:
            return self._copy(key, headers)
        told_md5 = headers.get("content-md5")
        md5 = hashlib.md5(body, usedforsecurity=False).digest()
        if told_md5 is not None and base64.b64decode(told_md5) != md5:
            return refusal(400, "BadDigest")
        has_checksum = {"content-md5", "x-amz-checksum-sha256"} & set(headers)
        if "object-lock" in self.settings and not has_checksum:
            return refusal(400, "InvalidRequest")
        self.objects[key] = self.keep(body)
        version = {"x-amz-version-id": str(next(self._numbers))} if self.keeps_versions else {}
        return Answer(headers={"ETag": f'"{self.objects[key].etag}"', **version})

    def keep(self, content: bytes) -> Kept:
        """Return what the server makes of bytes that are sent whole."""
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        sha = base64.b64encode(hashlib.sha256(content).digest()).decode()
        headers = {"x-amz-checksum-sha256": sha, "x-amz-checksum-type": "FULL_OBJECT"}
        if self.kms:
            headers["x-amz-server-side-encryption"] = "aws:kms"
            md5 = hashlib.md5(b"kms" + content, usedforsecurity=False).hexdigest()
        return Kept(content, md5, headers)

    def _may_write(self, key: str, headers: Mapping[str, str]) -> bool:
        wants_new = headers.get("if-none-match") == "*"
        return not (self.honours_conditions and wants_new and key in self.objects)

    def _copy(self, key: str, headers: Mapping[str, str]) -> Answer:
        _, _, source = unquote(headers["x-amz-copy-source"]).lstrip("/").partition("/")
        kept = self.objects.get(source)
        if kept is None:
            return refusal(404, "NoSuchKey")
        wanted = headers.get("x-amz-copy-source-if-match", "").strip('"')
        if wanted and wanted != kept.etag:
            return refusal(412, "PreconditionFailed")
        self.objects[key] = self.keep(kept.content)
        etag = self.objects[key].etag
        return told("CopyObjectResult", f"<ETag>&quot;{etag}&quot;</ETag>")

    def _of_upload(
        self, method: str, key: str, query: dict[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        upload = query["uploadId"]
        if upload not in self.uploads:
            return refusal(404, "NoSuchUpload")
        parts = self.uploads[upload][1]
        if method == "PUT":
            parts[int(query["partNumber"])] = body
            md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
            return Answer(headers={"ETag": f'"{md5}"'})
        if method == "DELETE":
            del self.uploads[upload]
            return Answer(204)
        if not self._may_write(key, headers):
            return refusal(412, "PreconditionFailed")
        numbers = [int(number) for number in re.findall(rb"<PartNumber>(\d+)<", body)]
        chosen = [parts[number] for number in sorted(numbers)]
        md5s = (hashlib.md5(part, usedforsecurity=False).digest() for part in chosen)
        whole = hashlib.md5(b"".join(md5s), usedforsecurity=False)
        kept = self.keep(b"".join(chosen))
        etag = f"{whole.hexdigest()}-{len(chosen)}"
        if self.kms:
            etag = f"{kept.etag}-{len(chosen)}"
        self.objects[key] = Kept(kept.content, etag, part_sizes=tuple(map(len, chosen)))
        del self.uploads[upload]
        return told("CompleteMultipartUploadResult", f"<ETag>&quot;{etag}&quot;</ETag>")

    def _read(self, kept: Kept | None, headers: Mapping[str, str]) -> Answer:
        if kept is None:
            return refusal(404, "NoSuchKey")
        about = {"ETag": f'"{kept.etag}"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        if "x-amz-checksum-mode" in headers:
            about.update(kept.headers)
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("range", ""))
        if span is None:
            return Answer(200, kept.content, about)
        first, last = int(span.group(1)), min(int(span.group(2)), len(kept.content) - 1)
        if first > last:
            return refusal(416, "InvalidRange")
        about["Content-Range"] = f"bytes {first}-{last}/{len(kept.content)}"
        return Answer(206, kept.content[first : last + 1], about)


@contextmanager
def serving(stub: StubS3, tls: SSLContext | None = None) -> Iterator[StubS3]:
    """Let ``stub`` answer on loopback for as long as the block runs; with ``tls`` by HTTPS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_any(self) -> None:
            url = urlsplit(self.path)
            query = dict(parse_qsl(url.query, keep_blank_values=True))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            answer = stub.answer(self.command, unquote(url.path), query, headers, body)
            key = unquote(url.path).lstrip("/").partition("/")[2]
            if stub.notes:
                asked = Asked(self.command, key, query, headers, len(body), answer.status)
                stub.asked.append(asked)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                with suppress(BrokenPipeError):  # who sent less than was promised is gone
                    self.wfile.write(answer.body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        stub.endpoint = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    light = StubS3()
    light.notes = False
    with serving(light):
        sys.stdout.write(f"{light.endpoint}\n")
        sys.stdout.flush()
        sys.stdin.read()
