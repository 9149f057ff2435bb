from __future__ import annotations

from pathlib import Path

import pytest

from scripts.crossing.git import GitEntry, GitFacts, parse_entries
from scripts.crossing.git_config import GitConfig, plan_git_config
from scripts.crossing.gpg import GpgFacts, out_of_reach, signing_fingerprint
from scripts.crossing.ssh_config import (
    SshHost,
    read_host,
    render_ssh_config,
    ssh_hosts,
    ssh_remotes,
)

HOME = Path("/home/ada")
WORKSPACE = "/home/ada/project"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI ada@host"
FINGERPRINT = "F6FAA1E63942ACC02465B855B28972FA84218857"
PERSON = (("user.name", "Ada"), ("user.email", "ada@example.com"))


def facts(*pairs: tuple[str, str | None], scope: str = "global", **more: object) -> GitFacts:
    entries = tuple(GitEntry(scope, key, value) for key, value in (*PERSON, *pairs))
    return GitFacts(entries=entries, **more)  # type: ignore[arg-type]


def planned(found: GitFacts, gpg: GpgFacts | None = None) -> GitConfig:
    visible = [Path(WORKSPACE)]
    return plan_git_config(found, workspace=WORKSPACE, home=HOME, visible=visible, gpg=gpg)


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


def test_signing_with_openpgp_crosses_through_the_agent() -> None:
    signing = (("commit.gpgsign", "true"), ("gpg.program", "gpg2"), ("tag.gpgsign", "true"))
    plan = planned(facts(*signing), GpgFacts(Path("/run/S.gpg-agent.extra"), FINGERPRINT))
    assert not plan.notes
    for line in ('program = "slipway-gpg"', f'signingkey = "{FINGERPRINT}"', 'gpgsign = "true"'):
        assert line in lines(plan.text)
    assert "gpg2" not in plan.text


def test_a_chosen_subkey_stays_the_chosen_one() -> None:
    key = ("user.signingkey", "0123ABCD!")
    plan = planned(facts(key), GpgFacts(Path("/run/S.gpg-agent.extra"), FINGERPRINT))
    assert 'signingkey = "0123ABCD!"' in lines(plan.text)


@pytest.mark.parametrize(
    ("form", "gpg"),
    [
        ((), GpgFacts(why_not="no agent answers", fix="start one")),
        ((), out_of_reach(GpgFacts(Path("/run/S.gpg-agent.extra"), FINGERPRINT))),
        ((("gpg.format", "ssh"), ("user.signingkey", "~/.ssh/id")), GpgFacts()),
        ((("gpg.format", "x509"),), GpgFacts()),
    ],
)
def test_signing_that_cannot_work_inside_is_said_and_does_not_stop_commits(
    form: tuple[tuple[str, str], ...], gpg: GpgFacts
) -> None:
    plan = planned(facts(("commit.gpgsign", "true"), *form), gpg)
    assert "gpg" not in plan.text + plan.recent
    (note,) = [note for note in plan.notes if "nothing is signed inside" in note]
    assert "then `./inv up`" in note


@pytest.mark.parametrize(
    ("secret", "found"),
    [
        ("sec:u:255:22:AA:1::::::scSC:::+:::0:", FINGERPRINT),
        ("sec:u:255:22:AA:1::::::scSC:::D276000124010304:::0:", FINGERPRINT),
        ("sec:u:255:22:AA:1::::::scSC:::#:::0:", ""),
        ("sec:e:255:22:AA:1::::::scSC:::+:::0:", ""),
        ("sec:u:255:22:AA:1::::::cSC:::+:::0:", ""),
    ],
)
def test_a_key_signs_only_if_it_is_here_and_still_good(secret: str, found: str) -> None:
    assert signing_fingerprint(f"{secret}\nfpr:::::::::{FINGERPRINT}:\n") == found


def test_a_listing_of_an_old_gpg_names_no_key_to_sign_with() -> None:
    assert signing_fingerprint("sec::255:22:AA:1:::::\nuid:::::::::Ada:\n") == ""


def test_a_subkey_signs_for_a_primary_key_that_is_kept_elsewhere() -> None:
    listed = (
        f"sec:u:255:22:AA:1::::::cSC:::#:::0:\nfpr:::::::::{FINGERPRINT}:\n"
        "ssb:u:255:22:BB:1::::::s:::+:::0:\nfpr:::::::::OTHER:\n"
    )
    assert signing_fingerprint(listed) == FINGERPRINT


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


def test_the_hosts_of_remotes_submodules_and_rewritten_addresses_are_asked_for() -> None:
    found = facts(
        ("remote.a.url", "git@Work:x.git"),
        ("remote.b.url", "ssh://git@forge:2222/x"),
        ("remote.c.url", "https://example.com/x"),
        ("remote.d.url", "-oProxyCommand=planted:x"),
        ("url.ssh://git@inner/.insteadof", "https://inner/"),
        submodule_urls=("../sibling.git", "sub:x.git"),
    )
    assert ssh_hosts(found) == ("sub", "Work", "forge", "inner")


USUAL = {"hostname": ["host"], "port": ["22"], "user": ["ada"], "ciphers": ["a,b"],
         "identityfile": ["~/.ssh/id_rsa"], "proxycommand": ["none"]}  # fmt: skip


def test_of_a_hosts_options_only_the_harmless_ones_cross() -> None:
    own = {"hostname": ["git.example.com"], "ciphers": ["a,b,old"], "hostkeyalias": ["x"],
           "localforward": ["1 y:2"], "proxycommand": ["nc planted"]}  # fmt: skip
    host = read_host("work", {**USUAL, **own}, USUAL)
    assert host.options == (
        ("HostName", "git.example.com"),
        ("User", "ada"),
        ("Port", "22"),
        ("HostKeyAlias", "x"),
        ("Ciphers", "+old"),
    )
    assert "ProxyCommand stays outside" in host.why_not
    assert "planted" not in str(host)


def test_a_host_that_ssh_says_nothing_of_is_named() -> None:
    assert read_host("work", {}, USUAL).why_not == "ssh cannot read ~/.ssh/config"


def test_the_public_half_picks_the_key_and_no_other_is_offered() -> None:
    hosts = (
        SshHost("work", (("HostName", "x"),), keys=(KEY,), only_keys=True),
        SshHost("home", keys=(KEY,)),
        SshHost("lost", only_keys=True),
    )
    files = render_ssh_config(hosts, WORKSPACE)
    assert files[".slipway/ssh/key-1.pub"] == f"{KEY}\n"
    named = f'\tIdentityFile "{WORKSPACE}/.slipway/ssh/key-1.pub"'
    assert files[".slipway/ssh/config"].splitlines()[1:] == [
        "Host work", "\tHostName x", named, "\tIdentitiesOnly yes", "Host home", named, "Host lost",
    ]  # fmt: skip


def test_the_list_of_git_is_read_with_its_levels() -> None:
    assert parse_entries("global\0user.name\nAda\nB\0local\0core.bare\0") == (
        GitEntry("global", "user.name", "Ada\nB"),
        GitEntry("local", "core.bare", None),
    )
