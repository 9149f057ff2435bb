"""DVC's run-cache, made by real DVC: it arrives proven, and what it knows is not run again."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dvc.repo import Repo
from dvc.utils import dict_sha256

from scripts.errors import MigrationIncomplete
from scripts.migration import (
    Plan,
    Report,
    RunCache,
    Stores,
    copy_objects,
    copy_runs,
    open_stores,
    plan_migration,
    plan_with,
    read_run_cache,
    report_with,
    verify,
    verify_remote_runs,
    verify_runs,
)
from scripts.migration.model import Evidence, Layout, Status
from scripts.migration.run_entry import MOST_BYTES, RunEntry
from scripts.migration.scope import Scope
from scripts.migration.store import ReadOnly
from scripts.migration.stores.memory import MemoryStore
from tests.contract import s3_server
from tests.contract.dvc_projects import (
    Project,
    key_of,
    make_project,
    md5,
    snapshot,
    use_own_identity,
    use_s3,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts.migration.model import StoredObject
    from scripts.migration.store import Store

PIPELINE = """
stages:
  make:
    cmd: >-
      echo ran >> ../ran.txt && mkdir -p many && cp params.yaml many/params.yaml
      && cp params.yaml one.yaml
    deps: [in.txt]
    params: [rate]
    outs: [one.yaml, many]
"""
RATES = ("1e-05", "0.5", "[1, yes]")
"""The last one is committed; the others are known to the run-cache alone."""


pytestmark = pytest.mark.usefixtures("dvc_environment")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a project and its remote stand that ran with each rate."""
    directory = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        use_own_identity(patch, tmp_path_factory.mktemp("site"))
        project = make_project(directory / "project")
        patch.chdir(project.root)  # DVC runs stages from here
        config = project.root / ".dvc" / "config"
        config.write_text(config.read_text() + "['remote \"copy\"']\n    url = ../../copy\n")
        project.write("in.txt", "in\n")
        project.write("dvc.yaml", PIPELINE)
        for rate in RATES:
            project.write("params.yaml", f"rate: {rate}\n")
            with Repo(str(project.root)) as repo:
                repo.reproduce()
                repo.push(remote="hdd", run_cache=True)
        project.commit("ran")
    return directory


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Project:
    shutil.copytree(template, tmp_path / "work", symlinks=True)
    return Project(tmp_path / "work" / "project")


@dataclass
class Migration:
    """Every step of a migration, as the task takes them."""

    stores: Stores
    scope: Scope = Scope.ALL
    wanted: bool = True
    order: list[str] = field(default_factory=list)

    def plan(self) -> tuple[RunCache, Plan]:
        runs = read_run_cache(self.stores, self.scope, wanted=self.wanted)
        plan = plan_migration(self.stores, scope=self.scope, also=runs.needed)
        return runs, plan_with(plan, runs.part)

    def run(self) -> Report:
        runs, plan = self.plan()
        outcomes = copy_objects(plan, self.stores, jobs=4)
        copied = copy_runs(runs, self.stores, jobs=4)
        report = verify(plan, outcomes, self.stores)
        return report_with(report, verify_runs(runs, copied, self.stores))


def entries(directory: Path) -> list[Path]:
    return sorted(path for path in (directory / "runs").rglob("*") if path.is_file())


def copy_of(project: Project) -> Path:
    return project.root.parent / "copy"


def migrate(project: Project, **options: Any) -> Report:
    return Migration(open_stores(project.root, "hdd", "copy"), **options).run()


def clone_of(project: Project, tmp_path: Path, remote: str) -> Project:
    """A clean clone that has nothing but the remote."""
    clone = Project(tmp_path / "elsewhere" / "clone")
    project.git("clone", "--quiet", str(project.root), str(clone.root))
    shutil.copy(project.root / ".dvc" / "config", clone.root / ".dvc" / "config")
    local = project.root / ".dvc" / "config.local"
    if local.exists():
        shutil.copy(local, clone.root / ".dvc" / "config.local")
    clone.dvc("remote", "default", "--local", "--quiet", remote)
    return clone


@pytest.fixture
def in_s3(project: Project) -> Iterator[Project]:
    with s3_server.fresh_bucket() as bucket:
        use_s3(
            project,
            f"{bucket}/some/place",
            s3_server.endpoint(),
            s3_server.access_key(),
            s3_server.secret_key(),
        )
        yield project


@pytest.mark.needs("s3")
def test_what_a_remote_knows_is_not_run_again_in_a_clean_clone(
    in_s3: Project, tmp_path: Path
) -> None:
    before = snapshot(in_s3.hdd)
    migration = Migration(open_stores(in_s3.root, "hdd", "s3"))
    report = migration.run()
    assert report.complete, report.as_json()
    (part,) = report.parts
    assert part.counts == {
        "planned": 3, "present": 0, "copied": 3, "intact": 3,
        "corrupt": 0, "missing": 0, "failed": 0, "repaired": 0,
    }  # fmt: skip
    assert part.evidence == {"store checksum": 3}
    assert snapshot(in_s3.hdd) == before
    again = migration.run().parts[0].counts
    assert (again["present"], again["intact"]) == (3, 3)

    shutil.move(in_s3.hdd, tmp_path / "gone")
    clone = clone_of(in_s3, tmp_path, "s3")
    clone.dvc("pull", "--quiet", "--run-cache")
    (clone.root / "dvc.lock").unlink()  # so that only the run-cache knows
    told = clone.dvc("repro")
    assert "is cached - skipping run" in told.stdout + told.stderr
    clone.write("params.yaml", f"rate: {RATES[0]}\n")  # which no commit ever had
    told = clone.dvc("repro", "--pull")
    assert "is cached - skipping run" in told.stdout + told.stderr
    assert (clone.root / "many/params.yaml").read_text() == f"rate: {RATES[0]}\n"
    assert not (clone.root.parent / "ran.txt").exists()


def test_what_entries_made_moves_with_them_and_says_where_it_is_used(project: Project) -> None:
    stores = open_stores(project.root, "hdd", "copy")
    runs, plan = Migration(stores).plan()
    labels = {run.entry.label for run in runs.runs}
    used = {place for places in runs.needed.values() for place in places}
    assert {place.path for place in used} == {"one.yaml", "many"}
    assert {place.revision for place in used} == labels
    alone = plan_migration(stores)
    assert {entry.item.key for entry in alone.objects} < {e.item.key for e in plan.objects}
    assert plan.as_json()["run_cache"]["counts"]["to_copy"] == len(RATES)
    assert not copy_of(project).exists()
    made = key_of(md5(f"rate: {RATES[0]}\n".encode()))
    (project.hdd / made).chmod(0o644)
    (project.hdd / made).write_bytes(b"other bytes")
    lost = {outcome.item.key: outcome for outcome in migrate(project).not_intact}
    assert lost[made].status is Status.CORRUPT
    assert {place.path for place in lost[made].references} == {"one.yaml", "many/params.yaml"}
    assert {place.revision for place in lost[made].references} < labels


class Ordered(MemoryStore):
    """A target that remembers in which order it was filled."""

    def __init__(self) -> None:
        super().__init__("ordered")
        self.published: list[str] = []

    def publish(
        self, item: StoredObject, chunks: Iterable[bytes], *, replace: bool = True
    ) -> Evidence:
        self.published.append(item.key)
        return super().publish(item, chunks, replace=replace)


def into(project: Project, target: Store) -> Stores:
    stores = open_stores(project.root, "hdd", "copy")
    return Stores(project.root, stores.source, target)


def test_entries_come_after_every_object(project: Project) -> None:
    target = Ordered()
    assert Migration(into(project, target)).run().complete
    kinds = [key.startswith("runs/") for key in target.published]
    assert kinds == sorted(kinds)
    assert kinds.count(True) == len(RATES)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "does not hash to its name"),
        (b"{}", "does not hash to its name"),
        (b"cmd: [", "does not hash to its name"),
        (b"\xff", "does not hash to its name"),
        (b"when: 2020-01-01", "does not hash to its name"),
    ],
)
def test_a_damaged_entry_goes_no_further_and_is_named(
    project: Project, content: bytes, reason: str
) -> None:
    damaged = entries(project.hdd)[0]
    damaged.chmod(0o644)
    damaged.write_bytes(content)
    report = migrate(project)
    (loss,) = report.parts[0].losses
    assert (loss.name, loss.status) == (str(damaged.relative_to(project.hdd)), "corrupt")
    assert reason in loss.reason
    assert len(entries(copy_of(project))) == len(RATES) - 1
    assert all(outcome.is_intact for outcome in report.outcomes)
    with pytest.raises(MigrationIncomplete, match="1 of the run-cache entries") as told:
        report.require_complete()
    assert told.value.exit_code == 6
    assert report.as_json()["run_cache"]["not_intact"][0]["name"] == loss.name


def test_one_changed_hash_is_found(project: Project) -> None:
    damaged = entries(project.hdd)[0]
    damaged.chmod(0o644)
    text = damaged.read_text()
    oid = next(line.split(": ")[1] for line in text.splitlines() if "md5: " in line)
    damaged.write_text(text.replace(oid, "0" * 32))
    assert migrate(project).parts[0].counts["corrupt"] == 1


def test_a_wrong_entry_in_the_target_is_replaced_and_told(project: Project) -> None:
    assert migrate(project).complete
    wrong = entries(copy_of(project))[0]
    wrong.chmod(0o644)
    wrong.write_text("cmd: other\n")
    counts = migrate(project).parts[0].counts
    assert (counts["repaired"], counts["copied"], counts["present"]) == (1, 1, 2)
    assert wrong.read_bytes() == (project.hdd / wrong.relative_to(copy_of(project))).read_bytes()


def test_an_entry_that_is_written_otherwise_and_says_the_same_stays(project: Project) -> None:
    assert migrate(project).complete
    other = entries(copy_of(project))[0]
    other.chmod(0o644)
    content = "# by another version of DVC\n" + other.read_text()
    other.write_text(content)
    assert migrate(project).parts[0].counts["present"] == len(RATES)
    assert other.read_text() == content


def test_a_target_that_keeps_something_else_is_found_out(project: Project) -> None:
    class Forgetful(MemoryStore):
        def publish(
            self, item: StoredObject, chunks: Iterable[bytes], *, replace: bool = True
        ) -> Evidence:
            content = b"".join(chunks)
            if isinstance(item, RunEntry):
                content += b"more: 1\n"
            return super().publish(item, [content], replace=replace)

    report = Migration(into(project, Forgetful())).run()
    assert report.parts[0].counts["failed"] == len(RATES)
    assert not report.complete


def test_outputs_that_are_gone_are_a_note_and_no_loss(project: Project) -> None:
    project.damage(key_of(md5(f"rate: {RATES[0]}\n".encode())), None)
    _, plan = Migration(open_stores(project.root, "hdd", "copy")).plan()
    assert plan.can_complete
    (note,) = (note for note in plan.notes if "run-cache" in note)
    assert "hdd lacks 2 outputs" in note  # the file, and the directory that lacks it
    report = migrate(project)
    assert report.complete
    assert note in report.notes


def test_what_a_revision_needs_as_well_is_a_loss_all_the_same(project: Project) -> None:
    shutil.rmtree(project.root / ".dvc" / "cache")
    project.damage(key_of(md5(f"rate: {RATES[-1]}\n".encode())), None)
    assert migrate(project).counts["missing"] == 1


@pytest.mark.parametrize("scope", [Scope.WORKSPACE, Scope.HEADS])
def test_a_narrow_scope_leaves_it_out_and_says_so(project: Project, scope: Scope) -> None:
    report = migrate(project, scope=scope)
    assert entries(copy_of(project)) == []
    assert f"hdd holds a run-cache (runs/), which `--scope {scope.value}` leaves out." in (
        report.notes
    )
    assert report.complete
    told = report.as_json()["run_cache"]
    assert (set(told["counts"].values()), told["not_intact"]) == ({0}, [])


def test_it_can_be_left_out_and_a_source_without_one_has_no_note(project: Project) -> None:
    report = migrate(project, wanted=False)
    assert entries(copy_of(project)) == []
    assert "`--no-run-cache` leaves out" in report.notes[0]
    shutil.rmtree(project.hdd / "runs")
    assert migrate(project, wanted=False).notes == migrate(project).notes == ()


def test_scope_store_moves_it(project: Project) -> None:
    assert migrate(project, scope=Scope.STORE).complete
    assert len(entries(copy_of(project))) == len(RATES)


def test_a_remote_is_asked_for_its_entries_at_any_time(project: Project) -> None:
    remote = open_stores(project.root, "hdd", "copy").source
    assert verify_remote_runs(remote).complete
    damaged = entries(project.hdd)[0]
    damaged.chmod(0o644)
    damaged.write_bytes(b"cmd: x\n")
    part = verify_remote_runs(remote)
    assert (part.counts["intact"], part.counts["corrupt"]) == (2, 1)
    assert not part.complete
    assert part.as_json()["evidence"] == {"read back": 2}
    assert verify_remote_runs(remote, wanted=False).complete


def test_what_is_far_too_large_for_an_entry_is_not_read() -> None:
    class Huge(MemoryStore):
        def list_runs(self) -> Iterator[RunEntry]:
            yield RunEntry(f"{'2' * 64}/{'1' * 64}", Layout.LEGACY, MOST_BYTES + 1)

        def read(self, item: StoredObject) -> Iterator[bytes]:
            raise AssertionError(f"{item.key} was read")

    (loss,) = verify_remote_runs(ReadOnly(Huge())).losses
    assert "too large" in loss.reason


def test_an_entry_of_dvc_2_is_read_as_dvc_2_wrote_it() -> None:
    """Without ``hash: md5`` what an entry names lies where DVC 2 kept it."""
    said = {"cmd": "x", "outs": [{"path": "o", "md5": "1" * 32, "size": 5}, {"path": "p"}]}
    name = dict_sha256(said, exclude=["size", "nfiles"])
    store = MemoryStore("old", {f"runs/22/{'2' * 64}/{name}": json.dumps(said).encode()})
    store.contents["11/" + "1" * 30] = b"its bytes are not looked at here"
    runs = read_run_cache(Stores(Path(), ReadOnly(store), MemoryStore()))
    assert [item.key for item in runs.needed] == ["11/" + "1" * 30]
    assert runs.lacking == 0
