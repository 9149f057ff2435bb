from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.errors import SettingsError
from scripts.settings import read_settings
from scripts.settings.env_file import KNOWN_KEYS
from scripts.settings.values import Port, parse_ports

ROOT = Path(__file__).resolve().parents[2]


def write_env(root: Path, text: str) -> Path:
    (root / ".env").write_text(text, encoding="utf-8")
    return root


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = read_settings(tmp_path, {})
    assert settings.container.base_image == "python:3.9-slim-bookworm"
    assert not settings.container.base_image_set
    assert settings.container.ports == (Port(8888, 8888), Port(6006, 6006), Port(8090, 8090))
    assert settings.dvc.cache_dir is None
    assert settings.dvc.remotes == ()


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    write_env(tmp_path, "SHM_SIZE=2gb\nGPU=off\n")
    settings = read_settings(tmp_path, {"SHM_SIZE": "4gb"})
    assert settings.container.shm_size == "4gb"
    assert settings.container.gpu == "off"


def test_remotes_and_paths_are_read_relative_to_the_workspace(tmp_path: Path) -> None:
    write_env(
        tmp_path,
        "DVC_CACHE_DIR=../cache\n"
        "DVC_CACHE_TYPE=reflink, copy\n"
        "DVC_REMOTE_HDD=/mnt/hdd/dvc\n"
        "DVC_REMOTE_S3=s3://bucket/path\n"
        "DVC_REMOTE_S3_ENDPOINT_URL=http://127.0.0.1:9000\n"
        "DVC_DEFAULT_REMOTE=s3\n",
    )
    dvc = read_settings(tmp_path, {}).dvc
    assert dvc.cache_dir == tmp_path.resolve().parent / "cache"
    assert dvc.cache_type == ("reflink", "copy")
    assert [remote.name for remote in dvc.remotes] == ["hdd", "s3"]
    assert dvc.remotes[0].directory == Path("/mnt/hdd/dvc")
    assert dvc.remotes[1].directory is None
    assert dvc.remotes[1].options == {"endpointurl": "http://127.0.0.1:9000"}
    assert dvc.default_remote == "s3"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("BASE_IMAG=x\n", r"line 1: the key BASE_IMAG is unknown"),
        ("# fine\n\nSHM_SIZE\n", r"line 3: not of the form KEY=value"),
        ("'broken\n", r"line 1: not of the form"),
        ("SHM_SIZE=huge\n", r"SHM_SIZE \(from \.env\)"),
        ("PORTS=99999\n", r"PORTS \(from \.env\)"),
        ("PORTS=8888,8888:1\n", r"host port 8888 stands twice"),
        ("GPU=maybe\n", r"GPU .* none of auto, off"),
        ("DVC_CACHE_TYPE=reflink,magic\n", r"DVC_CACHE_TYPE .*'magic'"),
        ("DVC_REMOTE_S3=bucket/path\n", r"DVC_REMOTE_S3 .*s3://BUCKET/PATH"),
        ("DVC_REMOTE_S3_ENDPOINT_URL=here\n", r"DVC_REMOTE_S3_ENDPOINT_URL"),
        ("DVC_DEFAULT_REMOTE=tape\n", r"there is no remote 'tape'"),
        ("BASE_IMAGE=two words\n", r"BASE_IMAGE"),
        ("OBJECT_STORE_PORT=0\n", r"OBJECT_STORE_PORT"),
    ],
)
def test_bad_input_is_refused_by_the_name_of_its_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        read_settings(write_env(tmp_path, text), {})
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_an_unknown_key_names_the_nearest_known_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(write_env(tmp_path, "DVC_REMOTE_HHD=/x\n"), {})
    assert "DVC_REMOTE_HDD" in caught.value.hint


def test_secrets_are_passed_and_never_shown(tmp_path: Path) -> None:
    write_env(tmp_path, "AWS_SECRET_ACCESS_KEY=planted\nWANDB_API_KEY=planted\n")
    settings = read_settings(tmp_path, {"HF_TOKEN": "planted"})
    assert set(settings.passed) == {"AWS_SECRET_ACCESS_KEY", "WANDB_API_KEY", "HF_TOKEN"}
    assert "planted" not in repr(settings)


def test_an_endpoint_with_a_password_is_refused_without_showing_it(tmp_path: Path) -> None:
    write_env(tmp_path, "DVC_REMOTE_S3_ENDPOINT_URL=https://me:planted@host\n")
    with pytest.raises(SettingsError) as caught:
        read_settings(tmp_path, {})
    assert "planted" not in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe\n")
    with pytest.raises(SettingsError, match="UTF-8"):
        read_settings(tmp_path, {})


def test_ports_are_published_on_loopback_unless_an_address_is_named() -> None:
    assert parse_ports("8888, 16006:6006") == (Port(8888, 8888), Port(6006, 16006))
    assert parse_ports("0.0.0.0:80:8080") == (Port(8080, 80, "0.0.0.0"),)  # noqa: S104  asked for
    assert parse_ports("none") == ()


def test_the_example_documents_every_key_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^#(\w+)=", text, re.MULTILINE)) == set(KNOWN_KEYS)


def test_the_example_with_every_line_taken_in_is_valid(tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    taken = re.sub(r"^#(\w+=.+)$", r"\1", text, flags=re.MULTILINE)
    settings = read_settings(write_env(tmp_path, taken), {})
    assert settings.dvc.default_remote == "hdd"
    assert settings.container.object_store_port == 9000
