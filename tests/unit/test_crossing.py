from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.crossing.git import git_environment
from scripts.crossing.identity import HostUser, Identity, choose_identity
from scripts.crossing.mounts import Ground, MountPlan, plan_mounts
from scripts.crossing.network import find_ca_bundle, trust_environment, unread_bundles
from scripts.crossing.paths import check_sources, workspace_target
from scripts.errors import SettingsError
from scripts.settings import DvcSettings, RemoteSettings, Settings
from scripts.settings.dvc_config import DvcConfig

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


def ground(cache: Path | None = None, **facts: Any) -> Ground:
    return Ground(HOME, cache or ROOT / ".dvc" / "cache", **facts)


def planned(settings: Settings, **facts: Any) -> MountPlan:
    return plan_mounts(settings, ground(settings.cache_directory, **facts))


def test_every_directory_is_mounted_at_its_own_path() -> None:
    mounts = planned(settings_with(Path("/data/cache"), "/mnt/hdd/dvc", "s3://b/p")).mounts
    assert [(str(mount.source), mount.target) for mount in mounts] == [
        (str(ROOT), str(ROOT)),
        ("/data/cache", "/data/cache"),
        ("/mnt/hdd/dvc", "/mnt/hdd/dvc"),
    ]


def test_a_directory_inside_a_mounted_one_needs_no_mount_of_its_own() -> None:
    mounts = planned(settings_with(ROOT / "cache", "/home/ada/project-2")).mounts
    assert [str(mount.source) for mount in mounts] == [str(ROOT), "/home/ada/project-2"]


@pytest.mark.parametrize("wide", ["/", "/home", str(HOME)])
def test_a_whole_machine_or_home_is_never_mounted(wide: str) -> None:
    with pytest.raises(SettingsError, match="DVC_CACHE_DIR"):
        planned(settings_with(Path(wide)))


WORKS = ""
EXDEV = "the cache and the workspace are on two file systems or two mounts"
NONE = "the file system has none"
ON_BTRFS = {"reflink": WORKS, "hardlink": WORKS, "symlink": WORKS, "copy": WORKS}
ON_EXT4 = {**ON_BTRFS, "reflink": NONE}
ON_TWO = {"reflink": EXDEV, "hardlink": EXDEV, "symlink": WORKS, "copy": WORKS}
BESIDE = Path("/data/team/cache")
PROJECT = Path("/data/team/project")
AT_HOME = Path("/home/ada/cache")
OLD_KERNEL = frozenset({"hardlink", "reflink"})


def linked(types: str, *, root: Path = PROJECT, cache: Path = BESIDE, **more: Any) -> Settings:
    wanted = tuple(types.split(",")) if types else ()
    return Settings(root, dvc=DvcSettings(cache_dir=cache, cache_type=wanted, **more))


@pytest.mark.parametrize(
    ("types", "links", "mounted"),
    [
        ("", ON_BTRFS, [PROJECT, BESIDE]),
        ("reflink,hardlink,copy", ON_BTRFS, [PROJECT, BESIDE]),
        ("reflink,hardlink,copy", ON_EXT4, [Path("/data/team")]),
        ("hardlink", ON_EXT4, [Path("/data/team")]),
        ("hardlink,symlink", ON_BTRFS, [Path("/data/team")]),
        ("symlink,hardlink", ON_EXT4, [PROJECT, BESIDE]),
        ("copy,hardlink", ON_EXT4, [PROJECT, BESIDE]),
        # No mount helps across two file systems: nothing more is exposed for it.
        ("hardlink,symlink", ON_TWO, [PROJECT, BESIDE]),
        ("hardlink,copy", ON_TWO, [PROJECT, BESIDE]),
    ],
)
def test_one_mount_holds_both_only_where_a_link_type_needs_it(
    types: str, links: dict[str, str], mounted: list[Path]
) -> None:
    plan = planned(linked(types), links=links)
    assert [mount.source for mount in plan.mounts] == mounted
    assert all(mount.target == str(mount.source) for mount in plan.mounts)


def test_an_old_kernel_needs_one_mount_for_reflinks_too() -> None:
    plan = planned(linked("reflink"), links=ON_BTRFS, one_mount_types=OLD_KERNEL)
    assert [str(mount.source) for mount in plan.mounts] == ["/data/team"]


def test_one_mount_says_what_else_it_exposes() -> None:
    neighbours = ("a", "b", "c", "d", "e", "f")
    (note,) = planned(linked("hardlink"), links=ON_EXT4, neighbours=neighbours).notes
    assert "/data/team" in note
    assert "a, b, c, d, e, ..." in note
    (note,) = planned(linked("hardlink"), links=ON_EXT4).notes
    assert "nothing else" in note


@pytest.mark.parametrize(
    ("root", "cache", "parent"),
    [
        (ROOT, AT_HOME, "/home/ada"),
        (Path("/home/ada/p"), Path("/home/bob/cache"), "/home"),
        (Path("/srv/p"), Path("/data/cache"), "/"),
        (Path("/var/p"), Path("/var/cache/dvc"), "/var"),
    ],
)
def test_a_mount_of_a_whole_home_is_refused_until_it_is_named(
    root: Path, cache: Path, parent: str
) -> None:
    with pytest.raises(SettingsError, match=r"Hardlinks .* need one mount") as caught:
        planned(linked("hardlink,copy", root=root, cache=cache), links=ON_EXT4)
    assert parent in caught.value.message
    allowing = f"MOUNT_WHOLE={parent} "
    told = linked("hardlink,copy", root=root, cache=cache, mount_whole=Path(parent))
    if parent in ("/", "/var"):
        assert allowing not in caught.value.hint, "it would hide the container's own files"
        with pytest.raises(SettingsError):
            planned(told, links=ON_EXT4)
        return
    assert allowing in caught.value.hint
    plan = planned(told, links=ON_EXT4)
    assert [str(mount.source) for mount in plan.mounts] == [parent]
    assert parent in plan.notes[0]


def test_another_link_type_is_taken_rather_than_a_whole_home() -> None:
    wanted = linked("hardlink,symlink", root=ROOT, cache=AT_HOME)
    plan = planned(wanted, links=ON_EXT4)
    assert [mount.source for mount in plan.mounts] == [ROOT, AT_HOME]
    assert "symlinks are used instead" in plan.notes[0]


def test_a_remote_below_the_one_mount_needs_none_of_its_own() -> None:
    remotes = (RemoteSettings("hdd", "/data/team/remote"), RemoteSettings("far", "/mnt/far"))
    plan = planned(linked("hardlink", remotes=remotes), links=ON_EXT4)
    assert [str(mount.source) for mount in plan.mounts] == ["/data/team", "/mnt/far"]


def test_what_only_dvc_names_is_mounted_if_it_is_here() -> None:
    here, theirs, read = Path("/mnt/here"), Path("/mnt/theirs"), Path("/mnt/read")
    configured = DvcConfig(
        cache_dir=BESIDE,
        directories={"here": here, "theirs": theirs, "read": read, "wide": Path("/home/bob")},
    )
    settings = Settings(PROJECT, configured=configured)
    writable = {here: True, read: False, Path("/home/bob"): True}
    plan = planned(settings, links=ON_BTRFS, writable=writable)
    assert [(mount.source, mount.read_only) for mount in plan.mounts] == [
        (PROJECT, False), (BESIDE, False), (here, False), (read, True),
    ]  # fmt: skip
    assert any("theirs" in note and "not on this machine" in note for note in plan.notes)
    assert any("wide" in note and "home directory" in note for note in plan.notes)


def test_a_cache_in_another_projects_workspace_is_refused() -> None:
    with pytest.raises(SettingsError, match="another project, /data/other") as caught:
        planned(linked("", cache=Path("/data/other/.dvc/cache")), owner=Path("/data/other"))
    assert "mv" in caught.value.hint


def test_a_windows_path_becomes_the_workspace_link() -> None:
    assert workspace_target(Path("C:\\project")) == "/workspace"
    assert workspace_target(ROOT) == str(ROOT)


def test_a_source_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "cache"
    settings = Settings(tmp_path, dvc=DvcSettings(cache_dir=tmp_path.parent / "no-such-cache"))
    with pytest.raises(SettingsError, match=r"DVC_CACHE_DIR is .* does not exist") as caught:
        check_sources(planned(settings).mounts)
    assert "mkdir -p" in caught.value.hint
    assert not missing.exists()


def test_a_source_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    settings = Settings(tmp_path / "w", dvc=DvcSettings(cache_dir=tmp_path / "file"))
    with pytest.raises(SettingsError, match="not a directory"):
        check_sources(planned(settings).mounts[1:])


def test_git_trusts_exactly_the_workspace() -> None:
    assert git_environment("/w")["GIT_CONFIG_VALUE_0"] == "/w"


PEM = """\
-----BEGIN CERTIFICATE-----
MIIBhDCCASugAwIBAgIUDVc5Hlb//4AcY4/BGGDqIEVNSEkwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMU2xpcHdheSB0ZXN0MCAXDTI2MTEyMTExNDMyNFoYDzIxMjYx
MDI4MTE0MzI0WjAXMRUwEwYDVQQDDAxTbGlwd2F5IHRlc3QwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAATMbj4fj4LQpc1mKxHdcnvRGkljeneqIVCsGwzbBKgEbiN+
IWYsLXGAzUinsNPX5seg04+vJfmfRcDu2UGWZl3Go1MwUTAdBgNVHQ4EFgQUoRVc
bJcKKDX0EwwabKWA6Dk2bjswHwYDVR0jBBgwFoAUoRVcbJcKKDX0EwwabKWA6Dk2
bjswDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiA4FXtTsBxFaFAO
HkWuD+704VnFThzXf+Q6W9vXONIe+AIgP05XOpQ7QafKLUlSOa34EY3dyquMM9MU
3m8sCKVHB/c=
-----END CERTIFICATE-----
"""
"""A certificate that nobody has the key of; valid for a hundred years."""


def test_the_bundle_is_found_through_the_usual_variables(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(PEM)
    other = tmp_path / "other.pem"
    other.write_text(PEM)
    assert find_ca_bundle(None, {"PIP_CERT": str(bundle)}) == bundle
    assert find_ca_bundle(other, {"PIP_CERT": str(bundle)}) == other
    named = {"SSL_CERT_FILE": "/nowhere", "PIP_CERT": str(bundle)}
    assert find_ca_bundle(None, named) == bundle
    assert unread_bundles(named) == ("SSL_CERT_FILE=/nowhere",), "passed over, but not in silence"


def test_a_chosen_bundle_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for path in (tmp_path / "empty.pem", tmp_path / "missing.pem"):
        with pytest.raises(SettingsError, match="CA_BUNDLE"):
            find_ca_bundle(path, {})


def test_everything_inside_trusts_one_bundle() -> None:
    assert set(trust_environment().values()) == {"/run/slipway/ca.pem"}
