"""What a store promises, on servers that are not ours: WebDAV and SFTP of rclone, two clouds."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.migration.buckets import open_bucket
from tests.contract.store_worlds import FilesystemWorld, World
from tests.contract.test_store import (  # the suite itself, run on the `world` below
    test_a_layout_that_is_not_asked_for_is_not_listed,
    test_a_missing_object_says_so,
    test_a_new_store_is_empty,
    test_a_source_that_breaks_off_is_read_again_from_the_start,
    test_a_source_that_lies_is_never_published,
    test_a_stream_that_fails_leaves_what_was_there,
    test_a_stream_that_fails_publishes_nothing_and_leaves_nothing,
    test_a_target_that_keeps_other_bytes_is_found_out,
    test_asking_whether_a_store_can_be_written_leaves_nothing,
    test_both_layouts_and_directory_lists_keep_their_places,
    test_legacy_text_is_proven_by_what_was_sent_or_by_reading_it_back,
    test_publishing_replaces_what_is_there,
    test_what_is_no_object_is_not_listed,
    test_what_is_published_is_listed_and_read_bit_by_bit,
    test_what_is_removed_is_gone_and_nothing_else,
)
from tests.integration import cloud_servers
from tests.integration.cloud_servers import AzureWorld, GoogleWorld

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "test_a_layout_that_is_not_asked_for_is_not_listed",
    "test_a_missing_object_says_so",
    "test_a_new_store_is_empty",
    "test_a_source_that_breaks_off_is_read_again_from_the_start",
    "test_a_source_that_lies_is_never_published",
    "test_a_stream_that_fails_leaves_what_was_there",
    "test_a_stream_that_fails_publishes_nothing_and_leaves_nothing",
    "test_a_target_that_keeps_other_bytes_is_found_out",
    "test_asking_whether_a_store_can_be_written_leaves_nothing",
    "test_both_layouts_and_directory_lists_keep_their_places",
    "test_legacy_text_is_proven_by_what_was_sent_or_by_reading_it_back",
    "test_publishing_replaces_what_is_there",
    "test_what_is_no_object_is_not_listed",
    "test_what_is_published_is_listed_and_read_bit_by_bit",
    "test_what_is_removed_is_gone_and_nothing_else",
]

# What the clouds' clients do with a body is theirs to mend.
pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")

USER, PASSWORD = "ada", "not-secret"


SEEN_AFTER_S = 0.1


class SeenLater(FilesystemWorld):
    """A world whose server takes a moment to see what is changed behind its back."""

    def plant(self, key: str, content: bytes) -> None:
        super().plant(key, content)
        time.sleep(SEEN_AFTER_S)


@contextlib.contextmanager
def serving(kind: str, directory: Path) -> Iterator[int]:
    """Let rclone serve ``directory``; yield the port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    rclone = str(Path(sys.executable).with_name("rclone"))
    # Its S3 takes every signature; with keys of its own it refuses every client.
    who = [] if kind == "s3" else ["--user", USER, "--pass", PASSWORD]
    command = [
        rclone, "serve", kind, "--addr", f"127.0.0.1:{port}", *who,
        # With 0s, rclone forgets each directory without end, and keeps a core busy with it.
        "--dir-cache-time", "20ms", "--vfs-cache-mode", "off", str(directory),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            end = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                except OSError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.1)
                else:
                    break
            yield port
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def webdav(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    directory = tmp_path_factory.mktemp("webdav")
    with serving("webdav", directory) as port:
        yield port, directory


def test_an_s3_server_that_ignores_conditions_is_told(tmp_path: Path) -> None:
    """What is asked leaves nothing there, not even a directory in what rclone serves."""
    (tmp_path / "bucket").mkdir()
    with serving("s3", tmp_path) as port:
        config = {
            "url": "s3://bucket/data",
            "endpointurl": f"http://127.0.0.1:{port}",
            "access_key_id": "any",
            "secret_access_key": "any",
        }
        store = open_bucket("s3", config["url"], config, {})
        (note,) = store.require_writable()
        assert note.startswith("s3: the server ignores the condition")
        assert list(store.list_top()) == []
    assert list((tmp_path / "bucket").rglob("*")) == []


@pytest.fixture(scope="module")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    directory = tmp_path_factory.mktemp("sftp")
    with serving("sftp", directory) as port:
        yield port, directory


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[cloud_servers.Cloud]:
    with cloud_servers.azurite(tmp_path_factory.mktemp("azure")) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def google() -> Iterator[cloud_servers.Cloud]:
    with pytest.MonkeyPatch.context() as patch, cloud_servers.google_emulator() as cloud:
        # Else its client asks Google itself, not the emulator, of what kind a bucket is.
        patch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        yield cloud


@pytest.fixture(
    params=["webdav", "sftp", pytest.param("azure", marks=pytest.mark.needs("azure")), "google"]
)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "azure":
        yield AzureWorld(request.getfixturevalue("azure"))
        return
    if request.param == "google":
        yield GoogleWorld(request.getfixturevalue("google"))
        return
    port, directory = request.getfixturevalue(request.param)
    path = uuid.uuid4().hex
    config: dict[str, Any] = {"user": USER, "password": PASSWORD}
    if request.param == "webdav":
        config["url"] = f"webdav://127.0.0.1:{port}/{path}"
    else:
        config.update(url=f"ssh://127.0.0.1/{path}", port=port)
    made = SeenLater(directory / path, config)
    yield made
    if request.param == "webdav":
        made.store._filesystem.fs.client.http.close()  # type: ignore[attr-defined]
