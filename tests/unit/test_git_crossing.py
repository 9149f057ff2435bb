from __future__ import annotations

from pathlib import Path

import pytest

from scripts.crossing.git import GitEntry, GitFacts, parse_entries
from scripts.crossing.git_config import GitConfig, plan_git_config, ssh_remotes

HOME = Path("/home/ada")
WORKSPACE = "/home/ada/project"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI ada@host"
PERSON = (("user.name", "Ada"), ("user.email", "ada@example.com"))


def facts(*pairs: tuple[str, str | None], scope: str = "global", **more: object) -> GitFacts:
    entries = tuple(GitEntry(scope, key, value) for key, value in (*PERSON, *pairs))
    return GitFacts(entries=entries, **more)  # type: ignore[arg-type]


def planned(found: GitFacts) -> GitConfig:
    return plan_git_config(found, workspace=WORKSPACE, home=HOME, visible=[Path(WORKSPACE)])


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()[1:]]


def test_git_trusts_exactly_the_workspace_and_its_submodules() -> None:
    text = planned(facts(submodules=("libs/one",))).text
    assert [line for line in lines(text) if "directory" in line] == [
        f'directory = "{WORKSPACE}"',
        f'directory = "{WORKSPACE}/libs/one"',
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("alias.lg", "log --graph"),
        ("core.autocrlf", "input"),
        ("core.filemode", "false"),
        ("pull.rebase", "true"),
        ("core.editor", "nano"),
        ("core.hookspath", ".githooks"),
        ("url.git@example.com:.insteadof", "https://example.com/"),
    ],
)
def test_what_means_the_same_inside_crosses(key: str, value: str) -> None:
    plan = planned(facts((key, value)))
    assert f'{key.rpartition(".")[2]} = "{value}"' in lines(plan.text)
    assert not plan.notes


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("credential.helper", "store"),
        ("credential.https://example.com.username", "ada"),
        ("http.extraheader", "Authorization: Basic planted"),
        ("http.proxy", "http://ada:planted@proxy"),
        ("sendemail.smtppass", "planted"),
        ("url.https://ada:planted@example.com/.insteadof", "https://example.com/"),
        ("url.https://planted@example.com/.insteadof", "https://example.com/"),
        ("alias.up", "push https://ada:planted@example.com/x"),
        ("include.path", "/home/ada/planted"),
        ("core.fsmonitor", "/home/ada/planted"),
        ("gpg.planted.token", "planted"),
    ],
)
def test_nothing_secret_crosses(key: str, value: str) -> None:
    plan = planned(facts((key, value)))
    for text in (plan.text, plan.recent, *plan.notes):
        assert "planted" not in text
        assert "credential" not in text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("core.excludesfile", "~/.gitignore"),
        ("core.hookspath", "/opt/hooks"),
        ("core.pager", "delta --dark"),
        ("core.editor", "code --wait"),
        ("merge.tool", "meld"),
        ("gpg.ssh.program", "/opt/1Password/op-ssh-sign"),
    ],
)
def test_what_is_not_there_inside_is_left_out_and_named(key: str, value: str) -> None:
    plan = planned(facts((key, value)))
    assert value not in plan.text
    assert any(key in note for note in plan.notes)


def test_a_path_that_is_inside_too_crosses_in_full() -> None:
    plan = planned(facts(("core.excludesfile", "~/project/.ignored")))
    assert f'excludesfile = "{WORKSPACE}/.ignored"' in lines(plan.text)


def test_the_repositorys_own_settings_are_not_written_twice() -> None:
    assert "beta" not in planned(facts(("alias.b", "beta"), scope="local")).text


def test_signing_crosses_with_the_public_key_alone() -> None:
    signing = (("gpg.format", "ssh"), ("user.signingkey", "~/.ssh/id"), ("commit.gpgsign", "true"))
    plan = planned(facts(*signing, signing_key=KEY))
    assert f'signingkey = "key::{KEY}"' in lines(plan.recent)
    assert 'gpgsign = "true"' in lines(plan.recent)
    assert "gpg" not in plan.text, "an older git would refuse each commit"
    assert any("git 2.35" in note for note in plan.notes)


@pytest.mark.parametrize("form", [(), (("gpg.format", "ssh"), ("user.signingkey", "~/.ssh/id"))])
def test_signing_that_cannot_work_inside_is_said_and_does_not_stop_commits(
    form: tuple[tuple[str, str], ...],
) -> None:
    plan = planned(facts(("commit.gpgsign", "true"), *form))
    assert "gpgsign" not in plan.text + plan.recent
    assert any("signed inside" in note for note in plan.notes)


def test_what_is_missing_is_said() -> None:
    unknown = plan_git_config(GitFacts(), workspace=WORKSPACE, home=HOME, visible=[])
    assert any("user.name" in note for note in unknown.notes)
    assert any("GIT_DIR is /x" in note for note in planned(facts(foreign_git_dir="/x")).notes)
    assert any("part of" in note for note in planned(facts(above=Path("/home/ada"))).notes)


def test_remotes_of_ssh_are_told_from_others() -> None:
    found = facts(
        ("remote.a.url", "git@example.com:x.git"),
        ("remote.b.url", "https://example.com/x"),
        ("remote.c.d.url", "ssh://git@example.com/x"),
        ("remote.e.url", "C:/x"),
        ("remote.f.url", "/srv/x.git"),
        scope="local",
    )
    assert ssh_remotes(found) == ("a", "c.d")


def test_the_list_of_git_is_read_with_its_levels() -> None:
    assert parse_entries("global\0user.name\nAda\nB\0local\0core.bare\0") == (
        GitEntry("global", "user.name", "Ada\nB"),
        GitEntry("local", "core.bare", None),
    )
