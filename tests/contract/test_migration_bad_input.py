"""What a person can get wrong: one message, one hint, the exit code of its kind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.errors import AccessDenied, SettingsError, SlipwayError, StoreError
from scripts.migration import (
    Stores,
    copy_objects,
    open_remote,
    open_stores,
    open_writable,
    plan_migration,
    plan_prune,
    prune_source,
    require_dvc_store,
    verify,
)
from tests.contract import s3_server
from tests.contract.dvc_projects import Project, key_of, make_project, md5, use_own_identity
from tests.contract.s3_gate import gate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.contract.s3_gate import Refuses

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    use_own_identity(monkeypatch)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_project(tmp_path / "work" / "project")
    project.store(key_of(md5(b"a")), b"a")
    project.write("a.txt.dvc", f"outs:\n- md5: {md5(b'a')}\n  hash: md5\n  path: a.txt\n")
    add(project, "copy", {"url": "../../copy"})
    project.commit("a")
    return project


def add(project: Project, name: str, options: Mapping[str, str]) -> None:
    config = project.root / ".dvc" / "config"
    lines = "".join(f"    {option} = {value}\n" for option, value in options.items())
    config.write_text(f"{config.read_text()}['remote \"{name}\"']\n{lines}")


def require_told(error: SlipwayError, exit_code: int) -> None:
    """One message and one hint, each of which is a sentence."""
    assert error.exit_code == exit_code
    assert error.message.endswith(".")
    assert error.hint.endswith((".", ")"))
    assert "\n" not in error.message + error.hint


# The same place twice


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("../../link", "the same place"),
        ("../../hdd/", "the same place"),
        ("../../x/../hdd", "the same place"),
        ("../../link/inner", "overlap"),
        ("../..", "overlap"),
    ],
)
def test_one_directory_by_two_names_is_refused(project: Project, url: str, told: str) -> None:
    (project.root.parent / "link").symlink_to("hdd")
    add(project, "twin", {"url": url})
    for way in (("hdd", "twin"), ("twin", "hdd")):
        with pytest.raises(SettingsError, match=told) as caught:
            open_stores(project.root, *way)
        require_told(caught.value, 2)


BUCKET = {"url": "s3://bucket/path", "endpointurl": "http://127.0.0.1:9000"}


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({}, "the same place"),
        ({"url": "s3://bucket/path/"}, "the same place"),
        ({"url": "s3://bucket//path"}, "the same place"),
        ({"endpointurl": "http://localhost:9000/"}, "the same place"),
        ({"endpointurl": "HTTP://127.0.0.1:9000"}, "the same place"),
        ({"url": "s3://bucket/path/inner"}, "overlap"),
        ({"url": "s3://bucket"}, "overlap"),
        ({"url": "s3://bucket/pathology"}, ""),
        ({"url": "s3://other/path"}, ""),
        ({"endpointurl": "http://127.0.0.1:9001"}, ""),
    ],
)
def test_one_bucket_by_two_spellings_is_refused(
    project: Project, other: Mapping[str, str], told: str
) -> None:
    add(project, "one", BUCKET)
    add(project, "two", {**BUCKET, **other})
    passed = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
    if not told:
        assert open_stores(project.root, "one", "two", passed).target.name == "two"
        return
    with pytest.raises(SettingsError, match=told) as caught:
        open_stores(project.root, "one", "two", passed)
    require_told(caught.value, 2)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", "https://s3.amazonaws.com"),
        ("https://s3.eu-west-1.amazonaws.com", "https://s3.dualstack.eu-west-1.amazonaws.com/"),
        ("https://store.example.com", "https://STORE.example.com:443"),
        ("https://store.example.com", "http://store.example.com/"),
    ],
)
def test_one_server_by_two_spellings_is_refused(project: Project, first: str, second: str) -> None:
    for name, endpoint in (("one", first), ("two", second)):
        options = {"endpointurl": endpoint} if endpoint else {}
        add(project, name, {"url": "s3://bucket/path", **options})
    with pytest.raises(SettingsError, match="the same place"):
        open_stores(project.root, "one", "two")


def test_an_endpoint_of_the_environment_counts(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(project, "one", BUCKET)
    add(project, "two", {"url": BUCKET["url"]})
    passed = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert open_stores(project.root, "one", "two", passed).target.name == "two"
    monkeypatch.setenv("AWS_ENDPOINT_URL", BUCKET["endpointurl"])
    with pytest.raises(SettingsError, match="the same place"):
        open_stores(project.root, "one", "two", passed)


# Names


@pytest.mark.parametrize(
    ("name", "hint"),
    [("hd", "Did you mean 'hdd'?"), ("Copi", "Did you mean 'copy'?"), ("zzz", "Known remotes: ")],
)
def test_an_unknown_name_is_answered_with_the_nearest(
    project: Project, name: str, hint: str
) -> None:
    for ask in (
        lambda: open_stores(project.root, name, "hdd"),
        lambda: open_stores(project.root, "hdd", name),
        lambda: open_remote(project.root, name),
    ):
        with pytest.raises(SettingsError, match=f"no DVC remote '{name}'") as caught:
            ask()
        assert caught.value.hint.startswith(hint)
        assert "copy, hdd" in caught.value.hint
        require_told(caught.value, 2)


# What is there is something else


def test_a_directory_of_other_files_is_no_source(project: Project) -> None:
    shutil.rmtree(project.hdd)
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg", "images/e.jpg", "f.jpg"):
        path = project.hdd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    stores = open_stores(project.root, "hdd", "copy")
    plan = plan_migration(stores)
    with pytest.raises(StoreError) as caught:
        require_dvc_store(plan, stores)
    assert caught.value.message == (
        f"hdd ({project.hdd}) holds a.jpg, b.jpg, c.jpg, d.jpg, f.jpg ..., and no DVC object, but "
        "1 object must come from it."
    )
    require_told(caught.value, 5)
    assert not (project.root.parent / "copy").exists()


def test_an_empty_directory_is_no_source_either(project: Project) -> None:
    shutil.rmtree(project.hdd)
    project.hdd.mkdir()
    stores = open_stores(project.root, "hdd", "copy")
    with pytest.raises(StoreError, match="is empty: it holds no DVC object") as caught:
        require_dvc_store(plan_migration(stores), stores)
    assert "mounted" in caught.value.hint


def test_a_source_from_which_nothing_is_needed_may_hold_what_it_likes(project: Project) -> None:
    stores = open_stores(project.root, "hdd", "copy")
    plan = plan_migration(stores)
    assert verify(plan, copy_objects(plan, stores), stores).complete
    shutil.rmtree(project.hdd)
    (project.hdd / "images").mkdir(parents=True)
    require_dvc_store(plan_migration(stores), stores)


def test_a_source_that_lacks_some_is_still_one(project: Project) -> None:
    project.damage(key_of(md5(b"a")), None)
    project.store(key_of(md5(b"b")), b"b")
    stores = open_stores(project.root, "hdd", "copy")
    plan = plan_migration(stores)
    assert plan.counts["missing"] == 1
    require_dvc_store(plan, stores)


@pytest.mark.needs("s3")
def test_a_bucket_of_other_files_is_no_source(project: Project, bucket: str) -> None:
    use_bucket(project, bucket, s3_server.endpoint())
    for key in ("place/readme.md", "place/images/1.png"):
        s3_server.client().put_object(Bucket=bucket, Key=key, Body=b"x")
    stores = open_stores(project.root, "s3", "copy")
    with pytest.raises(StoreError, match=r"holds images/, readme\.md, and no DVC object"):
        require_dvc_store(plan_migration(stores), stores)


# What the workspace has and no commit


def test_what_is_not_committed_moves_and_is_said_to(project: Project) -> None:
    stores = open_stores(project.root, "hdd", "copy")
    assert plan_migration(stores).notes == ()
    project.write("code.py", "x = 1\n")
    assert plan_migration(stores).notes == ()
    for name in ("a", "b"):
        project.store(key_of(md5(f"new {name}".encode())), f"new {name}".encode())
        oid = md5(f"new {name}".encode())
        project.write(f"{name}.txt.dvc", f"outs:\n- md5: {oid}\n  hash: md5\n  path: {name}.txt\n")
    plan = plan_migration(stores)
    assert plan.counts["to_copy"] == 3
    (note,) = plan.notes
    assert note.startswith("Not committed: 2 DVC files (a.txt.dvc, b.txt.dvc).")
    assert note in plan.as_json()["notes"]


# Rights


@pytest.fixture
def bucket() -> Iterator[str]:
    with s3_server.fresh_bucket() as name:
        yield name


def use_bucket(project: Project, bucket: str, endpoint: str, **options: str) -> None:
    add(project, "s3", {"url": f"s3://{bucket}/place", "endpointurl": endpoint, **options})
    project.write(
        ".dvc/config.local",
        f"['remote \"s3\"']\n    access_key_id = {s3_server.access_key()}\n"
        f"    secret_access_key = {s3_server.secret_key()}\n",
    )


def is_list(method: str, path: str) -> bool:
    return method == "GET" and ("list-type=" in path or "prefix=" in path)


def is_write(method: str, _: str) -> bool:
    return method in {"PUT", "POST"}


def is_delete(method: str, path: str) -> bool:
    return method == "DELETE" and "uploadId" not in path


def is_read(method: str, path: str) -> bool:
    return method == "GET" and "/files/md5/" in path


@pytest.mark.needs("s3")
def test_a_wrong_region_is_named_with_the_setting(project: Project, bucket: str) -> None:
    use_bucket(project, bucket, s3_server.endpoint(), region="eu-south-7")
    with pytest.raises(StoreError, match="the bucket is in another region") as caught:
        plan_migration(open_stores(project.root, "hdd", "s3"))
    assert "dvc remote modify s3 region" in caught.value.hint
    require_told(caught.value, 5)


@pytest.mark.needs("s3")
@pytest.mark.parametrize("way", [("hdd", "s3"), ("s3", "hdd")])
def test_a_bucket_that_may_not_be_listed(
    project: Project, bucket: str, way: tuple[str, str]
) -> None:
    with gate(is_list) as endpoint:
        use_bucket(project, bucket, endpoint)
        with pytest.raises(
            AccessDenied, match=r"^s3 \(s3://.*does not allow this.*403 AccessDenied"
        ) as caught:
            plan_migration(open_stores(project.root, *way))
    assert "list" in caught.value.hint
    require_told(caught.value, 5)


@pytest.mark.needs("s3")
def test_a_bucket_that_may_not_be_written(project: Project, bucket: str) -> None:
    with gate(is_write) as endpoint:
        use_bucket(project, bucket, endpoint)
        stores = open_stores(project.root, "hdd", "s3")
        with pytest.raises(AccessDenied, match="refuses to be written to") as caught:
            copy_objects(plan_migration(stores), stores)
    assert "s3:PutObject" in caught.value.hint
    require_told(caught.value, 5)
    assert s3_server.keys(bucket) == []


def in_bucket(project: Project, bucket: str, refuses: Refuses) -> Iterator[Stores]:
    """Two complete places, the bucket being the source behind a gate."""
    use_bucket(project, bucket, s3_server.endpoint())
    stores = open_stores(project.root, "hdd", "s3")
    plan = plan_migration(stores)
    assert verify(plan, copy_objects(plan, stores), stores).complete
    config = project.root / ".dvc" / "config"
    with gate(refuses) as endpoint:
        config.write_text(config.read_text().replace(s3_server.endpoint(), endpoint))
        yield open_stores(project.root, "s3", "hdd")


@pytest.mark.needs("s3")
def test_a_bucket_from_which_nothing_may_be_deleted(project: Project, bucket: str) -> None:
    for stores in in_bucket(project, bucket, is_delete):
        pruning = plan_prune(plan_migration(stores), stores)
        before = s3_server.keys(bucket)
        with pytest.raises(AccessDenied, match="403 AccessDenied") as caught:
            prune_source(pruning, open_writable(project.root, "s3"), stores.target)
        assert "delete" in caught.value.hint
        require_told(caught.value, 5)
        assert s3_server.keys(bucket) == before


@pytest.mark.needs("s3")
def test_a_bucket_whose_objects_may_not_be_read(project: Project, bucket: str) -> None:
    for stores in in_bucket(project, bucket, is_read):
        shutil.rmtree(project.hdd)
        project.hdd.mkdir()
        plan = plan_migration(stores)
        report = verify(plan, copy_objects(plan, stores), stores)
        (lost,) = report.not_intact
        assert (lost.status.value, "403 AccessDenied" in lost.reason) == ("failed", True)


DENIED = """
import os, sys
from pathlib import Path
from scripts.errors import AccessDenied
from scripts.migration.model import StoredObject
from scripts.migration.stores.disk import DiskStore
item = StoredObject(sys.argv[2])
store = DiskStore("hdd", Path(sys.argv[1]))
try:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
except PermissionError:
    pass  # without privileges, modes are enough
for ask in (
    lambda: list(store.list_objects()), lambda: list(store.read(item)),
    store.require_writable, lambda: store.publish(item, [b"x"]), lambda: store.remove(item),
):
    try:
        ask()
        print("done")
    except AccessDenied as error:
        print(error.exit_code, error.message, error.hint)
"""


@pytest.mark.parametrize(
    ("mode", "denied"),
    [(0o000, [True] * 5), (0o555, [False, False, True, True, True])],
)
def test_a_directory_without_rights_is_named(mode: int, denied: list[bool]) -> None:
    """In a process of its own, which gives up root's rights if it has them."""
    top = Path(tempfile.mkdtemp(prefix="slipway-test-"))
    shard = top / "hdd" / "files" / "md5" / md5(b"a")[:2]
    try:
        shard.mkdir(parents=True)
        (shard / md5(b"a")[2:]).write_bytes(b"a")
        top.chmod(0o755)
        shard.chmod(mode)
        (top / "hdd").chmod(mode)
        told = subprocess.run(
            [sys.executable, "-c", DENIED, str(top / "hdd"), md5(b"a")],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE, text=True, timeout=120, check=True,
        )  # fmt: skip
    finally:
        (top / "hdd").chmod(0o755)
        shard.chmod(0o755)
        shutil.rmtree(top)
    lines = told.stdout.splitlines()
    assert [line != "done" for line in lines] == denied
    for line in lines:
        assert line == "done" or (line.startswith("5 hdd: ") and "permission denied" in line)
