from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from scripts.container import doctor
from scripts.container.engines.memory import MemoryEngine
from scripts.container.model import ContainerFacts, ContainerPlan, Gpu, Verdict
from scripts.crossing.identity import Identity
from scripts.errors import ContainerError
from scripts.process import Completed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CONTAINER = ContainerFacts("id", "name", running=True, health="", image_id="i", labels={})
SEEN = {
    "user": "dev (1234:1234)",
    "workspace": "/w",
    "Python": "3.9.2",
    "git": "main, clean",
    "identity": "Ada <ada@example.com>",
    "DVC": "3.67.1",
    "network": "package index answers",
    "cache": "/w/.dvc/cache",
}


def plan_for(root: Path, gpu: Gpu = Gpu.NONE) -> ContainerPlan:
    return ContainerPlan(
        root=root, project="p", image="i", workspace=str(root), cache_directory="/w/.dvc/cache",
        identity=Identity("dev", 1234, 1234), groups=(), mounts=(), ports=(), gpu=gpu,
        base_name="b", ca_bundle=None, inputs="", overlay="", steps=(),
    )  # fmt: skip


class Answering(MemoryEngine):
    """An engine whose container answers the probe with ``seen``, but for ``broken``."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: dict[str, str] = {}
        self.seen: dict[str, str] = SEEN
        self.lacking: dict[str, dict[str, Any]] = {}
        self.asked: dict[str, Any] = {}

    def execute(
        self, container_id: str, argv: Sequence[str], *, stdin: str = "",
        timeout_s: float | None = None,
    ) -> Completed:  # fmt: skip
        del container_id, timeout_s
        compile(stdin, "probe.py", "exec")
        self.asked = json.loads(argv[2])
        answers = {
            name: {"works": name not in self.broken, "seen": self.broken.get(name, self.seen[name])}
            for name in self.asked["checks"]
        }
        answers.update(self.lacking)
        return Completed(tuple(argv), 0, f"some warning\n{json.dumps(answers)}\n", "")


def verdicts(engine: MemoryEngine, plan: ContainerPlan) -> dict[str, Verdict]:
    proof = doctor.prove(plan, CONTAINER, engine)
    return {check.name: check.verdict for check in proof.checks}


def test_everything_works_when_the_inside_says_what_was_planned(tmp_path: Path) -> None:
    engine = Answering()
    plan = dataclasses.replace(plan_for(tmp_path), index_url="http://i.test")
    proof = doctor.prove(plan, CONTAINER, engine)
    assert not proof.failed
    doctor.require_works(proof)
    assert engine.asked["index_url"] == "http://i.test"
    assert list((tmp_path / ".slipway").iterdir()) == [], "no token stays behind"


def test_what_does_not_work_has_a_hint_and_an_exit_code(tmp_path: Path) -> None:
    engine = Answering()
    engine.broken = {"git": "dubious ownership", "cache": "read-only file system"}
    proof = doctor.prove(plan_for(tmp_path), CONTAINER, engine)
    assert [check.name for check in proof.failed] == ["git", "cache"]
    assert all(check.hint for check in proof.failed)
    with pytest.raises(ContainerError, match="git, cache") as caught:
        doctor.require_works(proof)
    assert caught.value.exit_code == 4
    assert proof.as_json()["works"] is False


def test_another_user_than_planned_is_a_failure(tmp_path: Path) -> None:
    engine = Answering()
    engine.seen = {**SEEN, "user": "root (0:0)"}
    assert verdicts(engine, plan_for(tmp_path))["user"] is Verdict.FAILED


def test_no_network_is_a_warning_where_the_machine_has_none_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Answering()
    engine.broken = {"network": "timed out"}
    for reaches, verdict in ((True, Verdict.FAILED), (False, Verdict.WARNING)):
        monkeypatch.setattr(doctor, "_host_reaches", lambda _, reaches=reaches: reaches)
        assert verdicts(engine, plan_for(tmp_path))["network"] is verdict


def test_a_gpu_is_asked_for_only_if_planned(tmp_path: Path) -> None:
    engine = Answering()
    engine.seen = {**SEEN, "GPU": "GPU 0"}
    assert "GPU" not in verdicts(engine, plan_for(tmp_path))
    assert verdicts(engine, plan_for(tmp_path, Gpu.CDI))["GPU"] is Verdict.WORKS


def test_the_agent_is_asked_for_only_if_git_needs_one(tmp_path: Path) -> None:
    engine = Answering()
    engine.seen = {**SEEN, "SSH agent": "2 keys"}
    plan = plan_for(tmp_path)
    assert "SSH agent" not in verdicts(engine, plan)
    needed = dataclasses.replace(plan, agent_needed=True, agent_fix="`ssh-add`")
    assert verdicts(engine, needed)["SSH agent"] is Verdict.WORKS
    assert engine.asked["agent_fix"] == "`ssh-add`."


def test_what_is_merely_lacking_is_a_warning_with_its_own_hint(tmp_path: Path) -> None:
    lacking = {"works": False, "seen": "git does not know who you are", "hint": "user.name"}
    engine = Answering()
    engine.lacking = {"identity": lacking}
    proof = doctor.prove(plan_for(tmp_path), CONTAINER, engine)
    assert not proof.failed
    (row,) = [check for check in proof.checks if check.name == "identity"]
    assert (row.verdict, row.seen, row.hint) == (
        Verdict.WARNING, "git does not know who you are", "user.name",
    )  # fmt: skip


def test_a_container_that_does_not_answer_shows_its_log(tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match="does not answer") as caught:
        doctor.prove(plan_for(tmp_path), CONTAINER, MemoryEngine())
    assert "10 lines asked" in caught.value.message


def test_a_rootless_root_is_the_person_outside(tmp_path: Path) -> None:
    plan = dataclasses.replace(plan_for(tmp_path), identity=Identity("root", 0, 0))
    assert doctor._expected_owner(plan) is not None
