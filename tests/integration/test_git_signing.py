"""Commits that are signed inside by keys that never leave the host, and verified on the host."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest

from scripts import process
from tests.integration.conftest import MAINLY_THE_FIRST
from tests.integration.signer import Signer
from tests.integration.ssh_server import MAIL, Person, agent
from tests.workspace import said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.workspace import Workspace

pytestmark = pytest.mark.needs("docker", "ssh", "gpg")

COMMIT = "git commit --quiet --allow-empty -m"


@pytest.fixture(scope="module")
def signer(workspace: Workspace) -> Iterator[Signer]:
    with Signer(Person(workspace)).ending() as made:
        made.person.up()
        yield made


@pytest.fixture(scope="module")
def adas_signer(adas_workspace: Workspace) -> Iterator[Signer]:
    with Signer(Person(adas_workspace)).ending() as made:
        made.person.up()
        yield made


@pytest.fixture(params=MAINLY_THE_FIRST)
def each_signer(request: pytest.FixtureRequest) -> Iterator[Signer]:
    """The first of the doors, and with --all each in turn."""
    who, door = request.param
    made: Signer = request.getfixturevalue("signer" if who == "root" else "adas_signer")
    with made.person.going_through(door):
        yield made


def test_no_private_key_is_inside_and_none_can_be_had(signer: Signer) -> None:
    (file,) = (signer.home / "private-keys-v1.d").glob("*.key")
    # GnuPG 2.2 writes the numbers as they are, newer ones in hexadecimal: both are looked for.
    content = file.read_bytes()
    hexadecimal = re.search(rb"\(d #([0-9A-F]+)#\)", content)
    plain = re.search(rb"\(1:d(\d+):", content)
    if plain:
        start = plain.end()
        secret = content[start : start + int(plain[1])]
    else:
        assert hexadecimal, "no private key in the key file"
        secret = bytes.fromhex(hexadecimal[1].decode())
    assert len(secret) >= 32
    for path in signer.state.rglob("*"):
        found = path.read_bytes() if path.is_file() else b""
        assert secret not in found
        assert secret.hex().encode() not in found.lower()
    raw = "".join(f"\\x{byte:02x}" for byte in secret[-24:])
    looking = f"LC_ALL=C grep -rlasP '{raw}|(?i:{secret.hex()[-48:]})'"
    assert process.run(["sh", "-c", f"{looking} '{file}'"]).stdout, "it finds nothing anywhere"
    places = "/etc /home /root /run /tmp /var /workspace/"
    assert signer.inside(f"{looking} {places} || true") == ""
    named = "-name 'private-keys*' -o -name 'secring*'"
    assert signer.inside(f"find {places} {named} 2>/dev/null || true") == ""
    exporting = f"slipway-gpg --batch --export-secret-keys {signer.key}"
    done = signer.person.inv("exec", "--", "sh", "-c", exporting)
    assert done.stdout == ""
    assert "Forbidden" in done.stderr


def test_an_agent_that_was_ended_is_found_again(signer: Signer) -> None:
    """By the next command inside where it is back, and by `up`, which starts it as gpg does."""
    relay = signer.state / "gpg" / "S.gpg-agent"
    launch = ("gpgconf", "--launch", "gpg-agent")
    ways: tuple[Callable[[], str], ...] = (lambda: signer.run(*launch), signer.person.up)
    for again in ways:
        signer.run("gpgconf", "--kill", "gpg-agent")
        end = time.monotonic() + 10
        while relay.exists():
            assert time.monotonic() < end
            time.sleep(0.1)
        again()
        signer.inside(f"{COMMIT} Again")
        assert signer.run("git", "log", "-1", "--format=%G?") == "G"


def test_without_its_key_commits_are_made_unsigned_and_it_is_said(signer: Signer) -> None:
    empty = signer.person.home / "empty"
    empty.mkdir(mode=0o700)
    usual = signer.person.variables["GNUPGHOME"]
    try:
        signer.person.variables["GNUPGHOME"] = str(empty)
        assert f"gpg has no key {signer.key} to sign with" in said(signer.person.inv("plan"))
        signer.person.up()
        row = signer.person.row("identity")
        assert row["verdict"] == "warning"
        assert "does not sign" in row["seen"]
        assert "`gpg --list-secret-keys`" in row["hint"]
        signer.inside(f"{COMMIT} Unsigned")
        assert signer.run("git", "log", "-1", "--format=%G?") == "N"
    finally:
        signer.run("gpgconf", "--kill", "all")
        signer.person.variables["GNUPGHOME"] = usual
        signer.person.up()


def test_a_gpg_that_hangs_holds_nothing_up(signer: Signer) -> None:
    program = signer.person.home / "slow-gpg"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    signer.person.configure("gpg.program", str(program))
    try:
        planned = said(signer.person.inv("plan"))
        assert "gpg does not answer within 3 s" in planned
    finally:
        signer.person.configure("gpg.program", "gpg")


def newer_git(directory: Path) -> str:
    """Put the host's git, with the libraries that it needs, into ``directory``; return a command.

    The image's own may be older than what signs with SSH keys.
    """
    directory.mkdir(parents=True)
    program = shutil.which("git") or "/usr/bin/git"
    shutil.copy2(Path(program).resolve(), directory / "git")
    loader = ""
    for name, place in re.findall(r"(\S+)(?: =>)? (/\S+) \(", process.run(["ldd", program]).stdout):
        shutil.copy2(Path(place).resolve(), directory / Path(name).name)
    for found in re.findall(
        r"^\s*(/\S*ld-\S+)", process.run(["ldd", program]).stdout, re.MULTILINE
    ):
        shutil.copy2(Path(found).resolve(), directory / "loader")
        loader = f"{directory}/loader"
    assert loader, "ldd names no loader"
    return f"{loader} --library-path {directory} {directory}/git"


def test_an_ssh_key_signs_inside_where_git_is_recent(each_signer: Signer) -> None:
    """The image's git may be too old to sign: then the host's plays its part, inside."""
    signer, person, state = each_signer, each_signer.person, each_signer.state
    usual = {"gpg.format": "openpgp", "user.signingkey": signer.key}
    try:
        person.configure("gpg.format", "ssh")
        person.configure("user.signingkey", str(person.key))
        (person.home / "signers").write_text(f"{MAIL} {person.public_key}\n")
        person.give()
        with agent(person.socket, person.key, uid=person.workspace.uid):
            person.up()
            signer.inside(f"{COMMIT} 'Signed if git can'")
            row = signer.person.row("identity")
            version = signer.inside("git version").split()[2]
            if tuple(map(int, version.split(".")[:2])) >= (2, 35):
                assert row["seen"].endswith("signs with an SSH key")
                git = "git"
            else:
                assert f"git is {version} inside, and SSH keys take 2.35" in row["seen"]
                git = newer_git(state / "newer-git")
                (state / "newer-git" / "config").write_text(
                    f"[include]\n\tpath = {state}/gitconfig\n\tpath = {state}/gitconfig-2.35\n"
                )
                git = f"env GIT_CONFIG_SYSTEM={state}/newer-git/config {git}"
            signer.inside(f"{git} version; {git} commit --quiet --allow-empty -m 'With SSH'")
        signers = ["-c", f"gpg.ssh.allowedSignersFile={person.home}/signers"]
        assert signer.run("git", *signers, "log", "-1", "--format=%G?|%GS") == f"G|{MAIL}"
        signer.run("git", *signers, "verify-commit", "HEAD")
    finally:
        shutil.rmtree(state / "newer-git", ignore_errors=True)
        for key, value in usual.items():
            person.configure(key, value)
        person.up()
