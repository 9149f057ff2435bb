"""Servers of other people's clouds, on loopback: Microsoft's Azurite, an emulator of Google's."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import subprocess
import sys
import time
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests
from azure.storage.blob import BlobServiceClient

from scripts.migration.filesystems import open_filesystem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts.migration.store import Store

AZURITE = Path(__file__).with_name("azure") / "node_modules" / ".bin" / "azurite-blob"
_ACCOUNT = "tests"
_KEY = base64.b64encode(
    b"no secret, but as long as a real one would be: 64 bytes of text."
).decode()


@dataclass(frozen=True)
class Cloud:
    """A server: the scheme of its remotes, its address, and DVC's settings to reach it."""

    scheme: str
    endpoint: str
    settings: Mapping[str, Any]


class CloudWorld(ABC):
    """A remote on a cloud, and a way to look behind its back: the cloud's own interface."""

    def __init__(self, cloud: Cloud) -> None:
        self.bucket = f"b{uuid.uuid4().hex[:20]}"
        self.prefix = f"some/{uuid.uuid4().hex}"
        self._url = f"{cloud.scheme}://{self.bucket}/{self.prefix}"
        self._settings = {**cloud.settings, "url": self._url}
        self.store: Store = open_filesystem("there", self._url, self._settings, may_be_new=False)

    @abstractmethod
    def plant(self, key: str, content: bytes) -> None: ...

    def keys(self) -> list[str]:
        return sorted(name[len(self.prefix) + 1 :] for name in self.names())

    @abstractmethod
    def names(self) -> list[str]: ...

    def leftovers(self) -> list[str]:
        return [key for key in self.keys() if key.startswith(".slipway")]


class AzureWorld(CloudWorld):
    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        service = BlobServiceClient.from_connection_string(cloud.settings["connection_string"])
        self._container = service.create_container(self.bucket)

    def plant(self, key: str, content: bytes) -> None:
        self._container.upload_blob(f"{self.prefix}/{key}", content, overwrite=True)

    def names(self) -> list[str]:
        return [blob.name for blob in self._container.list_blobs(name_starts_with=self.prefix)]


class GoogleWorld(CloudWorld):
    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._endpoint = cloud.endpoint
        self._post("/storage/v1/b", json={"name": self.bucket})

    def _post(self, path: str, **body: Any) -> None:
        requests.post(f"{self._endpoint}{path}", timeout=60, **body).raise_for_status()

    def plant(self, key: str, content: bytes) -> None:
        name = quote(f"{self.prefix}/{key}", safe="")
        self._post(
            f"/upload/storage/v1/b/{self.bucket}/o?uploadType=media&name={name}", data=content
        )

    def names(self) -> list[str]:
        url = f"{self._endpoint}/storage/v1/b/{self.bucket}/o"
        answer = requests.get(url, params={"prefix": self.prefix}, timeout=60)
        return [item["name"] for item in answer.json().get("items", [])]


@contextlib.contextmanager
def azurite(directory: Path) -> Iterator[Cloud]:
    """Run Azurite, which keeps its blobs in ``directory``."""
    port = _free_port()
    command = [
        str(AZURITE), "--silent", "--disableTelemetry", "--skipApiVersionCheck",
        "--location", str(directory), "--blobHost", "127.0.0.1", "--blobPort", str(port),
    ]  # fmt: skip
    endpoint = f"http://127.0.0.1:{port}/{_ACCOUNT}"
    settings = {
        "connection_string": f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};"
        f"AccountKey={_KEY};BlobEndpoint={endpoint};"
    }
    with _running(command, port, AZURITE_ACCOUNTS=f"{_ACCOUNT}:{_KEY}"):
        yield Cloud("azure", endpoint, settings)


@contextlib.contextmanager
def google_emulator() -> Iterator[Cloud]:
    """Run the emulator, which keeps its objects in memory."""
    port = _free_port()
    program = str(Path(sys.executable).with_name("gcp-storage-emulator"))
    endpoint = f"http://127.0.0.1:{port}"
    command = [program, "start", "--host", "127.0.0.1", "--port", str(port), "--in-memory"]
    with _running(command, port, STORAGE_EMULATOR_HOST=endpoint):
        yield Cloud("gs", endpoint, {"endpointurl": endpoint, "allow_anonymous_login": True})


@contextlib.contextmanager
def _running(command: list[str], port: int, **environ: str) -> Iterator[None]:
    with subprocess.Popen(
        command,
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            end = time.monotonic() + 120
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                except OSError:
                    if server.poll() is not None or time.monotonic() > end:
                        raise
                    time.sleep(0.1)
                else:
                    break
            yield
        finally:
            server.terminate()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
