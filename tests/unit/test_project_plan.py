"""What dvc-init decides, from settings and facts alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.errors import SettingsError, SlipwayError
from scripts.project.model import InitPlan, ProjectFacts, Step, StepStatus
from scripts.project.plan import plan_init
from scripts.settings import DvcSettings, RemoteSettings, Settings

ROOT = Path("/home/someone/project")
HDD = RemoteSettings("hdd", "/mnt/hdd/dvc")
S3 = RemoteSettings("s3", "s3://bucket/data", {"endpointurl": "http://store:8080", "region": "x-1"})
FRESH = ProjectFacts(git_root=ROOT, usable_directories=frozenset({Path("/mnt/hdd/dvc")}))


def plan(dvc: DvcSettings, facts: ProjectFacts) -> InitPlan:
    return plan_init(Settings(root=ROOT, dvc=dvc), facts)


def commands(dvc: DvcSettings, facts: ProjectFacts) -> list[str]:
    return [" ".join(change.argv) for change in plan(dvc, facts).changes]


def settled(remotes: dict[str, dict[str, str]], default: str | None = None) -> ProjectFacts:
    return ProjectFacts(
        git_root=ROOT,
        has_dvc=True,
        remotes=remotes,
        default_remote=default,
        usable_directories=FRESH.usable_directories,
    )


def test_a_fresh_repository_gets_everything_in_order() -> None:
    assert commands(DvcSettings(remotes=(HDD, S3), default_remote="hdd"), FRESH) == [
        "init",
        "remote add hdd /mnt/hdd/dvc",
        "remote add s3 s3://bucket/data",
        "remote modify s3 endpointurl http://store:8080",
        "remote modify s3 region x-1",
        "remote default hdd",
    ]


def test_a_directory_below_the_repository_s_top_becomes_a_project_of_its_own() -> None:
    facts = ProjectFacts(git_root=ROOT.parent)
    assert commands(DvcSettings(), facts) == ["init --subdir"]


def test_what_is_set_is_not_set_again() -> None:
    facts = settled({"hdd": {"url": HDD.url}, "s3": {"url": S3.url, **S3.options}}, "hdd")
    decided = plan(DvcSettings(remotes=(HDD, S3), default_remote="hdd"), facts)
    assert decided.changes == ()
    assert {part.status for part in decided.parts if isinstance(part, Step)} == {
        StepStatus.UNCHANGED
    }
    assert len(decided.parts) == 4


def test_options_that_a_remote_lacks_are_completed() -> None:
    facts = settled({"s3": {"url": S3.url, "region": "x-1"}})
    assert commands(DvcSettings(remotes=(S3,)), facts) == [
        "remote modify s3 endpointurl http://store:8080"
    ]


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("url", "DVC_REMOTE_S3 is s3://bucket/data"),
        ("endpointurl", "DVC_REMOTE_S3_ENDPOINT_URL is http://store:8080"),
        ("region", "DVC_REMOTE_S3_REGION is x-1"),
    ],
)
def test_a_remote_with_another_place_is_refused_and_not_overwritten(option: str, key: str) -> None:
    present = {"url": S3.url, **S3.options, option: "something-else"}
    with pytest.raises(SettingsError, match="something-else") as refused:
        plan(DvcSettings(remotes=(S3,)), settled({"s3": present}))
    assert key in refused.value.message
    assert f"dvc remote modify s3 {option}" in refused.value.hint


def test_a_default_remote_that_a_migration_has_switched_stays() -> None:
    facts = settled({"hdd": {"url": HDD.url}, "s3": {"url": S3.url, **S3.options}}, "s3")
    decided = plan(DvcSettings(remotes=(HDD, S3), default_remote="hdd"), facts)
    assert decided.changes == ()
    last = decided.parts[-1]
    assert isinstance(last, Step)
    assert last.status is StepStatus.KEPT
    assert last.detail.startswith("s3 ")


def test_auto_leaves_the_link_type_to_dvc() -> None:
    facts = ProjectFacts(git_root=ROOT, has_dvc=True, cache_type=("copy",), outputs=("data",))
    assert plan(DvcSettings(cache_type=()), facts) == plan(DvcSettings(), facts)
    assert commands(DvcSettings(cache_type=()), facts) == []


def test_a_new_link_type_is_local_and_renews_the_links_of_what_is_checked_out() -> None:
    facts = ProjectFacts(git_root=ROOT, has_dvc=True, cache_type=("copy",), outputs=("data", "w"))
    wanted = DvcSettings(cache_type=("reflink", "symlink"))
    assert commands(wanted, facts) == ["config --local cache.type reflink,symlink"]
    assert plan(wanted, facts).relink == ("data", "w")
    same = DvcSettings(cache_type=("copy",))
    assert plan(same, facts).relink == ()


def test_the_cache_directory_is_local() -> None:
    cache = Path("/mnt/cache")
    facts = ProjectFacts(
        git_root=ROOT, has_dvc=True, cache_dir="/old", usable_directories=frozenset({cache})
    )
    decided = plan(DvcSettings(cache_dir=cache), facts)
    (change,) = decided.changes
    assert change.argv == ("config", "--local", "cache.dir", "/mnt/cache")
    assert change.detail == "/mnt/cache (was /old)"
    assert decided.relink == ()


@pytest.mark.parametrize(
    ("dvc", "key"),
    [
        (DvcSettings(cache_dir=Path("/mnt/none")), "DVC_CACHE_DIR"),
        (DvcSettings(remotes=(RemoteSettings("hdd", "/mnt/none"),)), "DVC_REMOTE_HDD"),
    ],
)
def test_a_directory_that_is_not_there_is_named_with_its_setting(
    dvc: DvcSettings, key: str
) -> None:
    with pytest.raises(SettingsError, match=f"{key}: /mnt/none") as refused:
        plan(dvc, FRESH)
    assert "mkdir -p /mnt/none" in refused.value.hint


def test_without_git_nothing_is_planned() -> None:
    with pytest.raises(SlipwayError, match="not in a git repository") as refused:
        plan(DvcSettings(), ProjectFacts())
    assert "git init" in refused.value.hint
