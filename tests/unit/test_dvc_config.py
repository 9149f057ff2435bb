from __future__ import annotations

from pathlib import Path

import pytest

from scripts.errors import SettingsError
from scripts.settings import read_settings
from scripts.settings.dvc_config import DvcConfig, read_dvc_config

SHARED = """\
# a comment
[core]
    remote = hdd
['remote "hdd"']
    url = ../../hdd of the team
['remote "S3"']
    url = s3://bucket/path
"""
LOCAL = """\
[cache]
    dir = /data/cache
    type = "reflink,hardlink"
    shared = group
['remote "hdd"']
    url = /mnt/mine
"""


def project(tmp_path: Path, **files: str) -> Path:
    (tmp_path / ".dvc").mkdir()
    for name, text in files.items():
        (tmp_path / ".dvc" / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return tmp_path


def test_no_project_says_nothing(tmp_path: Path) -> None:
    assert read_dvc_config(tmp_path) == DvcConfig()


def test_a_relative_place_is_relative_to_its_file(tmp_path: Path) -> None:
    found = read_dvc_config(project(tmp_path, config=SHARED))
    assert found.directories == {"hdd": tmp_path.parent / "hdd of the team"}
    assert found.cache_dir is None


def test_what_this_machine_says_goes_first(tmp_path: Path) -> None:
    found = read_dvc_config(project(tmp_path, config=SHARED, config_local=LOCAL))
    assert found == DvcConfig(
        cache_dir=Path("/data/cache"),
        cache_type=("reflink", "hardlink"),
        cache_shared=True,
        directories={"hdd": Path("/mnt/mine")},
    )


def test_a_list_without_quotes_is_the_same(tmp_path: Path) -> None:
    text = "[cache]\n    type = reflink, copy\n"
    assert read_dvc_config(project(tmp_path, config=text)).cache_type == ("reflink", "copy")


def test_a_malformed_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"config\.local cannot be read") as caught:
        read_dvc_config(project(tmp_path, config_local="[cache\n"))
    assert caught.value.hint


def test_the_settings_go_before_dvcs_configuration(tmp_path: Path) -> None:
    root = project(tmp_path, config_local=LOCAL)
    settings = read_settings(root, {})
    assert settings.cache_directory == Path("/data/cache")
    assert settings.link_types == ("reflink", "hardlink")
    assert settings.cache_shared
    own = {"DVC_CACHE_DIR": str(root / "mine"), "DVC_CACHE_TYPE": "symlink"}
    settings = read_settings(root, own)
    assert settings.cache_directory == root / "mine"
    assert settings.link_types == ("symlink",)


def test_a_cache_reached_through_a_link_is_named_by_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    settings = read_settings(tmp_path, {"DVC_CACHE_DIR": "link"})
    assert settings.cache_directory == tmp_path / "real"
