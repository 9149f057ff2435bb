"""What is written for git inside is read back by a real git as it was on the host."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from scripts import process
from scripts.crossing.credentials import http_remotes
from scripts.crossing.git import observe_git, parse_entries
from scripts.crossing.git_config import plan_git_config, render
from scripts.crossing.gpg import GpgFacts, observe_gpg
from scripts.crossing.ssh_config import SSH_CONFIG, observe_ssh_hosts, render_ssh_config

if TYPE_CHECKING:
    from pathlib import Path

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("XDG_CONFIG_HOME", "GIT_DIR", "GIT_CONFIG_GLOBAL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def repository(root: Path) -> Path:
    process.run(["git", "init", "--quiet", str(root)])
    return root


@pytest.mark.parametrize(
    "value",
    ['a "b" c', "back\\slash\\n", "line\nbreak\ttab", "# no comment ; none", " edges ", "", "Löve"],
)
def test_values_survive(value: str, tmp_path: Path) -> None:
    entries = [("alias.x", value), ('url.a"b\\c.insteadof', value), ("core.bare", None)]
    (tmp_path / "file").write_text(render(entries), encoding="utf-8")
    command = ["git", "config", "--file", str(tmp_path / "file"), "--list", "-z", "--show-scope"]
    assert [(entry.key, entry.value) for entry in parse_entries(process.run(command).stdout)] == (
        entries
    )


def test_all_levels_and_includes_are_resolved(home: Path) -> None:
    root = repository(home / "project")
    (home / "work").write_text("[user]\n\temail = ada@work.example\n")
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Ada\n\temail = ada@home.example\n"
        f'[includeIf "gitdir:{root}/"]\n\tpath = work\n'
    )
    process.run(["git", "config", "alias.own", "status"], cwd=root)
    facts = observe_git(root, os.environ)
    text = plan_git_config(facts, workspace=str(root), home=home, visible=[root]).text
    (home / "file").write_text(text)
    read = process.run(["git", "config", "--file", str(home / "file"), "--list"]).stdout
    assert read.splitlines()[-1] == "user.email=ada@work.example"
    assert "user.name=Ada" in read
    assert "alias.own" not in read


def test_a_repository_is_found_wherever_it_is_kept(home: Path) -> None:
    main = repository(home / "main")
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    process.run(["git", *who, "commit", "--quiet", "--allow-empty", "-m", "x"], cwd=main)
    process.run(["git", "worktree", "add", "--quiet", str(home / "tree")], cwd=main)
    process.run(["git", "clone", "--quiet", "--shared", str(main), str(home / "shared")])
    (main / "part").mkdir()
    found = {name: observe_git(home / name, {}) for name in ("main", "tree", "shared", "main/part")}
    assert found["main"].outside() == (main / ".git",)
    assert found["tree"].outside() == (main / ".git", main / ".git" / "worktrees" / "tree")
    assert found["shared"].borrowed == (main / ".git" / "objects",)
    assert found["main/part"].outside() == ()
    assert found["main/part"].above == main
    assert observe_git(home, {}).above is None


def test_only_another_repositorys_git_dir_is_told(home: Path) -> None:
    root = repository(home / "project")
    assert observe_git(root, {"GIT_DIR": ".git"}).foreign_git_dir == ""
    assert observe_git(root, {"GIT_DIR": "/elsewhere"}).foreign_git_dir == "/elsewhere"


@pytest.mark.parametrize("kept", [True, False])
def test_the_workspaces_own_remotes_are_read_whatever_git_dir_says(
    kept: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = repository(home / "other")
    process.run(["git", "-C", str(other), "remote", "add", "far", "https://far.example/x.git"])
    root = home / "project"
    root.mkdir()
    if kept:
        repository(root)
        process.run(["git", "-C", str(root), "remote", "add", "origin", "https://own.example/x"])
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert http_remotes(observe_git(root, os.environ)) == (
        ("https://own.example/x",) if kept else ()
    )


@pytest.mark.parametrize("value", ["{}/id", "{}/id.pub", KEY, f"key::{KEY}"])
def test_the_signing_keys_public_half_is_found(value: str, home: Path) -> None:
    (home / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nplanted\n")
    (home / "id.pub").write_text(f"{KEY} ada@host\n")
    root = repository(home / "project")
    (home / ".gitconfig").write_text(
        f"[gpg]\n\tformat = ssh\n[user]\n\tsigningkey = {value.format(home)}\n"
    )
    assert observe_git(root, {}).signing_key == KEY


def test_ssh_reads_inside_what_it_says_outside(home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / "id.pub").write_text(f"{KEY} ada@host\n")
    (home / ".ssh" / "config").write_text(
        "Host work\n\tHostName git.example.com\n\tPort 2222\n\tUser git\n\tProxyJump ada@jump:22\n"
        f"\tIdentityFile {home}/id\n\tIdentitiesOnly yes\n\tStrictHostKeyChecking accept-new\n"
        "\tHostKeyAlgorithms +ssh-rsa\n\tPubkeyAcceptedKeyTypes +ssh-rsa\n\tLocalForward 1 x:2\n"
        "Host jump\n\tHostName jump.example.com\n"
        f"Host *\n\tServerAliveInterval 30\nUserKnownHostsFile {home}/known\n"
    )
    (home / "known").write_text("git.example.com ssh-ed25519 AAAA")
    hosts = observe_ssh_hosts(("work",))
    assert [host.name for host in hosts] == ["work", "jump"]
    assert all(not host.why_not for host in hosts)
    assert hosts[0].known_hosts == "git.example.com ssh-ed25519 AAAA\n"
    files = render_ssh_config(hosts, str(home))
    (home / "file").write_text(files[SSH_CONFIG])
    read = process.run(["ssh", "-F", str(home / "file"), "-G", "work"]).stdout.splitlines()
    for line in (
        "hostname git.example.com",
        "port 2222",
        "user git",
        "proxyjump ada@jump:22",
        "stricthostkeychecking accept-new",
        "identitiesonly yes",
        "serveraliveinterval 30",
        f"identityfile {home}/.slipway/ssh/key-1.pub",
    ):
        assert line in read
    assert any("ssh-rsa" in line for line in read if line.startswith("hostkeyalgorithms"))
    assert not [line for line in read if line.startswith("localforward")]
    jump = process.run(["ssh", "-F", str(home / "file"), "-G", "jump"]).stdout
    assert "hostname jump.example.com" in jump


def test_without_the_persons_file_ssh_is_not_asked(home: Path) -> None:
    assert not (home / ".ssh").exists()
    assert observe_ssh_hosts(("work",)) == ()


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        (None, 0, "is not installed"),
        ("no program", 0o644, "cannot be run: Permission denied"),
        ("#!/bin/sh\nexit 2\n", 0o755, "gpg has no key Ada <ada@example.com> to sign with"),
    ],
)
def test_a_gpg_of_no_use_is_named(text: str | None, mode: int, why: str, home: Path) -> None:
    program = home / "some-gpg"
    if text is not None:
        program.write_text(text)
        program.chmod(mode)
    person = "[user]\n\tname = Ada\n\temail = ada@example.com\n"
    root = repository(home / "project")
    (home / ".gitconfig").write_text(f"{person}[gpg]\n\tprogram = {program}\n")
    assert observe_gpg(observe_git(root, {})) == GpgFacts(), "nothing signs"
    with (home / ".gitconfig").open("a") as settings:
        settings.write("[commit]\n\tgpgsign = true\n")
    found = observe_gpg(observe_git(root, {}))
    assert why in found.why_not
    assert found.fix
    assert found.agent is None
