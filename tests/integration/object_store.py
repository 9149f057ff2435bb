"""A real S3 server for tests on the host: the embedded object store, on a free port of its own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import urllib.request
from datetime import timedelta
from http.client import HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.store import S3Store

from scripts import process
from scripts.container.services import DEMO_ACCESS_KEY, DEMO_SECRET_KEY
from tests.workspace import base_image

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE = Path(__file__).parents[2] / "services" / "object-store"


class ObjectStore:
    """One object store, with the demo's keys."""

    def __init__(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.project = f"slipway-test-{secrets.token_hex(4)}"
        self.env = {"BASE_IMAGE": base_image(), "OBJECT_STORE_PORT": str(self.port)}
        if "CA_BUNDLE" not in os.environ and "SSL_CERT_FILE" in os.environ:
            self.env["CA_BUNDLE"] = os.environ["SSL_CERT_FILE"]

    def compose(self, *arguments: str, check: bool = True) -> process.Completed:
        files = ["--file", str(SERVICE / "compose.yml"), "--project-name", self.project]
        argv = ["docker", "compose", *files, "--profile", "demo", *arguments]
        return process.run(argv, env=self.env, check=check)

    def start(self) -> None:
        self.compose("up", "--detach", "--build", "--wait", "--wait-timeout", "60", "object-store")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        try:
            self.start()
            yield
        finally:
            self.compose("down", "--volumes", "--timeout", "5")

    def bucket(self, name: str, secret_key: str = DEMO_SECRET_KEY) -> S3Store:
        return S3Store(
            name,
            endpoint=f"http://127.0.0.1:{self.port}",
            region="us-east-1",
            access_key_id=DEMO_ACCESS_KEY,
            secret_access_key=secret_key,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )

    def create_bucket(self, name: str) -> S3Store:
        """obstore has no call for it; a presigned PUT of the bucket's own path is one."""
        url = obstore.sign(self.bucket(name), "PUT", "", timedelta(minutes=1))
        with send(url) as answer:
            assert answer.status == 200
        return self.bucket(name)

    @property
    def place(self) -> str:
        """Where it listens in its own network, which this machine reaches."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        identifier = str(self.container()["Id"])
        address = process.run(["docker", "inspect", "--format", form, identifier]).stdout.strip()
        return f"{address}:8080"

    def container(self) -> dict[str, object]:
        identifier = self.compose("ps", "--all", "--quiet", "object-store").stdout.strip()
        facts = json.loads(process.run(["docker", "inspect", identifier]).stdout)[0]
        assert isinstance(facts, dict)
        return facts


def send(url: str, body: bytes = b"", **headers: str) -> HTTPResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=body, method="PUT", headers=named)  # noqa: S310
    answer = urllib.request.urlopen(request)  # noqa: S310  the store's own URL
    assert isinstance(answer, HTTPResponse)
    return answer
