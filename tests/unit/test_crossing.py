from __future__ import annotations

from pathlib import Path

import pytest

from scripts.crossing.git import git_environment
from scripts.crossing.identity import HostUser, Identity, choose_identity
from scripts.crossing.network import find_ca_bundle, proxy_names, trust_environment
from scripts.crossing.paths import check_sources, plan_mounts, workspace_target
from scripts.errors import SettingsError
from scripts.settings import DvcSettings, RemoteSettings, Settings

HOME = Path("/home/ada")
ROOT = Path("/home/ada/project")


@pytest.mark.parametrize(
    ("user", "rootless", "expected"),
    [
        (HostUser(1234, 1235, 1234, 1235), False, Identity("dev", 1234, 1235)),
        (HostUser(1234, 1235, 1234, 1235), True, ("root", 0, 0)),
        (HostUser(0, 0, 0, 0), False, ("root", 0, 0)),
        (HostUser(0, 0, 1234, 100), False, ("dev", 1234, 100)),
        (HostUser(None, None, None, None), False, ("dev", 1000, 1000)),
    ],
)
def test_the_user_inside_owns_what_the_person_owns(
    user: HostUser, rootless: bool, expected: Identity | tuple[str, int, int]
) -> None:
    chosen = choose_identity(user, rootless=rootless)
    if isinstance(expected, Identity):
        assert chosen == expected
        assert not chosen.reason
    else:
        assert (chosen.username, chosen.uid, chosen.gid) == expected
        assert chosen.reason, "a choice that may surprise is explained"


def settings_with(cache: Path | None = None, *directories: str) -> Settings:
    remotes = tuple(RemoteSettings(f"r{n}", path) for n, path in enumerate(directories))
    return Settings(ROOT, dvc=DvcSettings(cache_dir=cache, remotes=remotes))


def test_every_directory_is_mounted_at_its_own_path() -> None:
    mounts = plan_mounts(settings_with(Path("/data/cache"), "/mnt/hdd/dvc", "s3://b/p"), HOME)
    assert [(str(mount.source), mount.target) for mount in mounts] == [
        (str(ROOT), str(ROOT)),
        ("/data/cache", "/data/cache"),
        ("/mnt/hdd/dvc", "/mnt/hdd/dvc"),
    ]


def test_a_directory_inside_a_mounted_one_needs_no_mount_of_its_own() -> None:
    mounts = plan_mounts(settings_with(ROOT / "cache", "/home/ada/project-2"), HOME)
    assert [str(mount.source) for mount in mounts] == [str(ROOT), "/home/ada/project-2"]


@pytest.mark.parametrize("wide", ["/", "/home", str(HOME)])
def test_a_whole_machine_or_home_is_never_mounted(wide: str) -> None:
    with pytest.raises(SettingsError, match="DVC_CACHE_DIR"):
        plan_mounts(settings_with(Path(wide)), HOME)


def test_a_windows_path_becomes_the_workspace_link() -> None:
    assert workspace_target(Path("C:\\project")) == "/workspace"
    assert workspace_target(ROOT) == str(ROOT)


def test_a_source_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "cache"
    settings = Settings(tmp_path, dvc=DvcSettings(cache_dir=tmp_path.parent / "no-such-cache"))
    with pytest.raises(SettingsError, match=r"DVC_CACHE_DIR is .* does not exist") as caught:
        check_sources(plan_mounts(settings, HOME))
    assert "mkdir -p" in caught.value.hint
    assert not missing.exists()


def test_a_source_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    settings = Settings(tmp_path / "w", dvc=DvcSettings(cache_dir=tmp_path / "file"))
    with pytest.raises(SettingsError, match="not a directory"):
        check_sources(plan_mounts(settings, HOME)[1:])


def test_git_trusts_exactly_the_workspace() -> None:
    assert git_environment("/w")["GIT_CONFIG_VALUE_0"] == "/w"


PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def test_the_bundle_is_found_through_the_usual_variables(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(PEM)
    other = tmp_path / "other.pem"
    other.write_text(PEM)
    assert find_ca_bundle(None, {"PIP_CERT": str(bundle)}) == bundle
    assert find_ca_bundle(other, {"PIP_CERT": str(bundle)}) == other
    assert find_ca_bundle(None, {"SSL_CERT_FILE": "/nowhere", "PIP_CERT": str(bundle)}) == bundle


def test_a_chosen_bundle_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for path in (tmp_path / "empty.pem", tmp_path / "missing.pem"):
        with pytest.raises(SettingsError, match="CA_BUNDLE"):
            find_ca_bundle(path, {})


def test_proxies_cross_by_name_so_that_no_password_is_written() -> None:
    assert proxy_names({"HTTPS_PROXY": "http://me:planted@proxy", "no_proxy": ""}) == (
        "HTTPS_PROXY",
    )
    assert set(trust_environment().values()) == {"/run/slipway/ca.pem"}
