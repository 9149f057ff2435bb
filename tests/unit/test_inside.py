from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.container import inside
from scripts.container.model import ContainerFacts
from scripts.errors import SettingsError
from scripts.settings import Settings

CONTAINER = ContainerFacts("c0ffee", "p-dev-1", running=True, health="", image_id="i", labels={})


def test_values_cross_by_name_so_that_no_command_line_shows_them() -> None:
    command = inside.command_inside(
        CONTAINER, ["dvc", "pull"], workdir="/w", names=["AWS_SECRET_ACCESS_KEY"], terminal=False
    )
    assert command == [
        "docker", "exec", "--interactive", "--env", "AWS_SECRET_ACCESS_KEY",
        "--workdir", "/w", "c0ffee", "dvc", "pull",
    ]  # fmt: skip


def test_secrets_of_the_settings_and_the_environment_are_passed(tmp_path: Path) -> None:
    settings = Settings(tmp_path, passed={"AWS_SECRET_ACCESS_KEY": "planted", "HF_TOKEN": "old"})
    environ = {"HF_TOKEN": "new", "HTTPS_PROXY": "http://a:planted@p.test", "UNKNOWN": "stays"}
    environ["DVC_NO_ANALYTICS"] = "1"
    command, values = inside._prepared(settings, CONTAINER, ["env"], environ)
    assert values["DVC_NO_ANALYTICS"] == "1", "what a person forbids outside is forbidden inside"
    assert values["AWS_SECRET_ACCESS_KEY"] == "planted"
    assert values["HF_TOKEN"] == "new"
    assert not {"UNKNOWN", "HTTPS_PROXY"} & set(values), "the container has its own proxies"
    assert "planted" not in " ".join(command)


def test_the_directory_is_the_same_as_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path.resolve() / "project"
    (root / "sub").mkdir(parents=True)
    monkeypatch.chdir(root / "sub")
    assert inside._same_place(Path.cwd(), root) == f"{root}/sub"
    assert inside._same_place(tmp_path, root) == str(root)


def test_the_command_is_what_stands_behind_two_dashes() -> None:
    argv = ["inv", "exec", "--", "sh", "-c", "echo 'a  b' -- c"]
    assert inside.split_command(argv) == ["sh", "-c", "echo 'a  b' -- c"]
    with pytest.raises(SettingsError, match="no command"):
        inside.split_command(["inv", "exec"])


def test_a_command_of_the_project_gets_what_stands_behind_two_dashes() -> None:
    root = Path("/home/ada/slipway")
    program = ["python", "/home/ada/slipway/demo/bin/train"]
    assert inside.project_command(root, "train", ["inv", "train"]) == program
    argv = ["inv", "train", "--", "-m", "loss=glob(*)", "--", "x"]
    assert inside.project_command(root, "train", argv) == [
        *program,
        "-m",
        "loss=glob(*)",
        "--",
        "x",
    ]


def test_a_command_inside_knows_its_image(tmp_path: Path) -> None:
    assert inside.values_inside(Settings(tmp_path), CONTAINER, {})["SLIPWAY_IMAGE_ID"] == "i"


def test_a_report_outside_the_workspace_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLIPWAY_CONTAINER", raising=False)
    root = tmp_path.resolve() / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    inside.require_visible("", root)
    inside.require_visible("report.json", root)
    with pytest.raises(SettingsError, match="outside the workspace"):
        inside.require_visible("../report.json", root)


def test_the_address_to_attach_to_names_the_container_and_the_folder() -> None:
    uri = inside.attach_uri(Settings(Path("/home/ada/my project")), CONTAINER)
    scheme, _, rest = uri.partition("attached-container+")
    name, _, path = rest.partition("/")
    assert scheme == "vscode-remote://"
    assert json.loads(bytes.fromhex(name)) == {"containerName": "/p-dev-1"}
    assert path == "home/ada/my%20project"
