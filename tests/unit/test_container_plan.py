from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from scripts.container.model import (
    BASE_LABEL,
    DEBIAN_BASE_IMAGE,
    INPUTS_LABEL,
    PLAN_LABEL,
    RAY_NODES,
    Action,
    ContainerFacts,
    ContainerPlan,
    EngineFacts,
    Gpu,
    ImageFacts,
    Observed,
)
from scripts.container.plan import plan_container, project_name
from scripts.crossing.agent import SshFacts
from scripts.crossing.git import GitEntry, GitFacts
from scripts.crossing.identity import HostUser
from scripts.crossing.mounts import Ground
from scripts.settings import ContainerSettings, NetworkSettings, Settings
from scripts.settings.values import Port, Proxy, parse_ports

ROOT = Path("/home/ada/my project")
PROXY = Proxy("http", "proxy.example.com", 3128)
NETWORK = NetworkSettings(https_proxy=PROXY, proxy_names=("HTTPS_PROXY",))
SETTINGS = Settings(ROOT, ContainerSettings(ports=parse_ports("8888,16006:6006")), NETWORK)
FRESH = Observed(
    engine=EngineFacts("26.1", rootless=False, gpu=Gpu.NONE, compose_version="2.26.1"),
    user=HostUser(1234, 1234, 1234, 1234),
    ground=Ground(Path("/home/ada"), ROOT / ".dvc" / "cache"),
    groups=(),
    aws_directory=None,
    ca_bundle=Path("/etc/ca.pem"),
    files={"Dockerfile": "FROM x", "docker-compose.yml": "services: {}"},
    base_name="python:3.9-slim-bookworm",
    base=ImageFacts("sha256:base", {}),
    image=None,
    container=None,
)


def actions(plan: ContainerPlan) -> list[Action]:
    return [step.action for step in plan.steps]


def running(observed: Observed = FRESH, settings: Settings = SETTINGS) -> Observed:
    """Return what is observed after a plan for ``observed`` was carried out."""
    plan = plan_container(settings, observed)
    labels = {INPUTS_LABEL: plan.inputs, BASE_LABEL: plan.base_name}
    fingerprint = json.loads(overlay_line(plan, "    labels: "))[PLAN_LABEL]
    container = ContainerFacts(
        "id", "name", running=True, health="healthy", image_id="sha256:built",
        labels={PLAN_LABEL: fingerprint},
    )  # fmt: skip
    return dataclasses.replace(
        observed, image=ImageFacts("sha256:built", labels), container=container
    )


def overlay_line(plan: ContainerPlan, start: str) -> str:
    lines = [line for line in plan.overlay.splitlines() if line.startswith(start)]
    assert len(lines) == 1, plan.overlay
    return lines[0][len(start) :]


def test_on_a_new_machine_everything_is_made() -> None:
    plan = plan_container(SETTINGS, dataclasses.replace(FRESH, base=None))
    assert actions(plan) == [Action.OBTAIN_BASE, Action.BUILD, Action.CREATE]


def test_an_unchanged_running_container_needs_nothing() -> None:
    assert plan_container(SETTINGS, running()).steps == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"files": {**FRESH.files, "environment.lock": "x==1"}}, [Action.BUILD, Action.RECREATE]),
        ({"user": HostUser(99, 99, 99, 99)}, [Action.BUILD, Action.RECREATE]),
        ({"files": {**FRESH.files, "docker-compose.yml": "other"}}, [Action.RECREATE]),
        ({"ca_bundle": None}, [Action.RECREATE]),
        ({"aws_directory": Path("/home/ada/.aws")}, [Action.RECREATE]),
        ({"base": None}, []),  # pruned after the build: the image still serves
    ],
)
def test_only_what_changed_is_done_again(change: dict[str, Any], expected: list[Action]) -> None:
    observed = dataclasses.replace(running(), **change)
    assert actions(plan_container(SETTINGS, observed)) == expected


def test_another_port_replaces_the_container_but_not_the_image() -> None:
    settings = dataclasses.replace(SETTINGS, container=ContainerSettings(ports=(Port(1, 2),)))
    assert actions(plan_container(settings, running())) == [Action.RECREATE]


def test_a_stopped_container_is_started_and_one_of_another_image_replaced() -> None:
    observed = running()
    assert observed.container is not None
    stopped = dataclasses.replace(observed.container, running=False)
    other = dataclasses.replace(observed.container, image_id="sha256:older", layers=("older",))
    for container, action in ((stopped, Action.START), (other, Action.RECREATE)):
        plan = plan_container(SETTINGS, dataclasses.replace(observed, container=container))
        assert actions(plan) == [action]


def test_an_image_that_another_clone_built_again_is_the_same_by_its_layers() -> None:
    observed = running()
    assert observed.container is not None
    assert observed.image is not None
    container = dataclasses.replace(observed.container, image_id="sha256:ours", layers=("a", "b"))
    image = dataclasses.replace(observed.image, layers=("a", "b"))
    again = dataclasses.replace(observed, container=container, image=image)
    assert plan_container(SETTINGS, again).steps == ()
    newer = dataclasses.replace(again, image=dataclasses.replace(image, layers=("a", "c")))
    assert actions(plan_container(SETTINGS, newer)) == [Action.RECREATE]


def test_the_overlay_holds_what_only_this_machine_knows() -> None:
    plan = plan_container(SETTINGS, FRESH)
    assert json.loads(overlay_line(plan, "    user: ")) == "1234:1234"
    assert json.loads(overlay_line(plan, "    ports: !override ")) == [
        "127.0.0.1:8888:8888",
        "127.0.0.1:16006:6006",
    ]
    args = json.loads(next(line for line in plan.overlay.splitlines() if "USERNAME" in line)[12:])
    assert args["USER_UID"] == "1234"
    assert args["HTTPS_PROXY"] is None, "named, so that its password is not written"
    mounts = [
        json.loads(line[8:]) for line in plan.overlay.splitlines() if line.startswith("      - {")
    ]
    assert [(mount["source"], mount["target"]) for mount in mounts] == [
        (str(ROOT), str(ROOT)),
        (str(ROOT), "/run/slipway/workspace"),
        ("/etc/ca.pem", "/run/slipway/ca.pem"),
    ]
    assert not any(mount["bind"]["create_host_path"] for mount in mounts)


def test_a_dollar_in_a_path_stays_a_dollar() -> None:
    settings = dataclasses.replace(SETTINGS, root=Path("/home/ada/$HOME"))
    assert '"/home/ada/$$HOME"' in plan_container(settings, FRESH).overlay


def test_aws_profiles_are_mounted_read_only_where_the_user_looks() -> None:
    observed = dataclasses.replace(FRESH, aws_directory=Path("/home/ada/.aws"))
    mount = plan_container(SETTINGS, observed).mounts[-1]
    assert (mount.target, mount.read_only) == ("/home/dev/.aws", True)


@pytest.mark.parametrize(
    ("gpu", "wanted", "line", "note"),
    [
        (Gpu.NONE, "auto", None, "CPU only: the engine offers no GPU"),
        (Gpu.RUNTIME, "auto", '"driver": "nvidia"', "nvidia runtime"),
        (Gpu.CDI, "auto", "nvidia.com/gpu=all", "CDI"),
        (Gpu.RUNTIME, "off", None, "CPU only: GPU=off"),
    ],
)
def test_a_gpu_is_used_if_offered_and_what_is_used_is_said(
    gpu: Gpu, wanted: str, line: str | None, note: str
) -> None:
    engine = dataclasses.replace(FRESH.engine, gpu=gpu)
    settings = dataclasses.replace(SETTINGS, container=ContainerSettings(gpu=wanted))
    plan = plan_container(settings, dataclasses.replace(FRESH, engine=engine))
    assert ("devices:" in plan.overlay) == (line is not None)
    assert line is None or line in plan.overlay
    assert any(note in said for said in plan.notes)


@pytest.mark.parametrize("name", RAY_NODES)
def test_a_ray_node_is_like_the_container_without_its_ports_and_gpus(name: str) -> None:
    engine = dataclasses.replace(FRESH.engine, gpu=Gpu.RUNTIME)
    near = dataclasses.replace(NETWORK, https_proxy=Proxy("http", "127.0.0.1", 3128))
    settings = dataclasses.replace(SETTINGS, network=near)
    plan = plan_container(settings, dataclasses.replace(FRESH, engine=engine, groups=(7,)))
    node = json.loads(overlay_line(plan, f"  {name}: ").replace("!override ", ""))
    assert node.keys().isdisjoint({"ports", "deploy", "labels", "build", "command"})
    for key in ("image", "user", "group_add", "working_dir", "environment", "shm_size"):
        assert node[key] == json.loads(overlay_line(plan, f"    {key}: ")), key
    targets = [volume["target"] for volume in node["volumes"]]
    assert targets == [str(ROOT), "/run/slipway/workspace", "/run/slipway/ca.pem"]
    assert node["entrypoint"][0] == "/usr/local/bin/slipway-start"
    assert 'exec "$$@"' in node["entrypoint"][3]  # beside the relays to the proxy
    assert name in node["environment"]["no_proxy"].split(",")


def test_a_stand_in_base_and_a_wide_port_are_said() -> None:
    settings = dataclasses.replace(
        SETTINGS,
        container=ContainerSettings(ports=(Port(80, 80, "0.0.0.0"),)),  # noqa: S104
    )
    plan = plan_container(settings, dataclasses.replace(FRESH, base_name=DEBIAN_BASE_IMAGE))
    assert any("stands in for it" in note for note in plan.notes)
    assert any("other machines" in note for note in plan.notes)


def image_of(root: str, observed: Observed = FRESH, **changes: Any) -> str:
    settings = dataclasses.replace(SETTINGS, root=Path(root), **changes)
    return plan_container(settings, observed).image


def test_clones_share_the_image_and_what_is_in_it_names_it() -> None:
    image = image_of("/home/ada/one")
    assert image == image_of("/srv/team/two"), "whatever the path"
    assert image_of("/workspace/one") == image_of("/workspace/two") != image, "no link in a mount"
    other_bundle = dataclasses.replace(FRESH, ca_bundle=Path("/etc/other.pem"))
    assert image_of("/home/ada/one", other_bundle) == image, "no layer holds certificates"
    assert image_of("/home/ada/one", container=ContainerSettings(shm_size="1gb")) == image
    changes: tuple[dict[str, Any], ...] = (
        {"files": {**FRESH.files, "environment.lock": "x==1"}},
        {"user": HostUser(99, 99, 99, 99)},
        {"base_name": DEBIAN_BASE_IMAGE},
    )
    for change in changes:
        assert image_of("/home/ada/one", dataclasses.replace(FRESH, **change)) != image


def test_two_clones_of_one_name_are_two_projects() -> None:
    names = {project_name(Path(f"/{parent}/My Project")) for parent in "ab"}
    assert len(names) == 2
    assert all(name.startswith("my-project-") for name in names)


def test_the_plan_for_programs_is_json() -> None:
    plan = plan_container(SETTINGS, FRESH)
    content = json.loads(json.dumps(plan.as_json()))
    assert content["schema_version"] == 1
    wanted = {"name": "dev", "uid": 1234, "gid": 1234, "reason": "", "groups": []}
    assert content["user"] == wanted
    assert [step["action"] for step in content["steps"]] == [
        "build the image", "create the container",
    ]  # fmt: skip


def test_docker_desktop_shows_the_agent_in_its_virtual_machine() -> None:
    desktop = dataclasses.replace(FRESH, engine=dataclasses.replace(FRESH.engine, desktop=True))
    plan = plan_container(SETTINGS, desktop)
    socket = "/run/host-services/ssh-auth.sock"
    assert json.loads(overlay_line(plan, "    environment: "))["SSH_AUTH_SOCK"] == socket
    assert f'"source": "{socket}"' in plan.overlay
    assert plan.groups == (0,), "the socket belongs to root's group"
    lent = Settings(ROOT, ContainerSettings(git_credentials=True))
    assert any("GIT_CREDENTIALS" in note for note in plan_container(lent, desktop).notes)
    usual = plan_container(SETTINGS, FRESH)
    assert socket not in usual.overlay
    names = json.loads(overlay_line(usual, "    environment: "))
    assert names["SSH_AUTH_SOCK"] == "/run/slipway/workspace/.slipway/ssh/agent.sock"


def test_an_agent_that_is_missing_is_told_where_a_remote_needs_one() -> None:
    remote = GitEntry("local", "remote.origin.url", "git@example.com:ada/x.git")
    missing = dataclasses.replace(FRESH, ssh=SshFacts(why_not="no SSH agent runs in this shell"))
    assert not [note for note in plan_container(SETTINGS, missing).notes if "agent" in note]
    needed = dataclasses.replace(missing, git=GitFacts(entries=(remote,)))
    (note,) = [note for note in plan_container(SETTINGS, needed).notes if "agent" in note]
    assert "origin" in note
    assert "`eval $(ssh-agent) && ssh-add`" in note
