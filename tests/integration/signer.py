"""A person who signs with an OpenPGP key made for the occasion."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tests.integration.ssh_server import MAIL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.ssh_server import Person


class Signer:
    """A person with an OpenPGP key of their own."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.state = person.workspace.root / ".slipway"
        self.home = self.person.home / "gnupg"
        self.home.mkdir(mode=0o700)
        self.person.variables["GNUPGHOME"] = str(self.home)
        self.person.give()
        making = ["--passphrase", "", "--quick-generate-key", f"Ada <{MAIL}>", "ed25519", "sign"]
        self.run("gpg", "--batch", "--quiet", *making, "never")
        listed = self.run("gpg", "--batch", "--with-colons", "--list-secret-keys")
        self.key = next(line.split(":")[9] for line in listed.splitlines() if line[:3] == "fpr")
        person.configure("user.signingkey", self.key)
        person.configure("commit.gpgsign", "true")

    def run(self, *command: str) -> str:
        done = self.person.workspace.run(list(command), env=self.person.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def inside(self, script: str) -> str:
        done = self.person.exec("sh", "-euc", script)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def require_signed(self, *commits: str) -> None:
        """Assert that commits are signed with this key, as git sees it on both sides."""
        for commit in commits:
            self.run("git", "verify-commit", commit)
            told = self.run("git", "log", "-1", "--format=%G?|%GF", commit)
            assert told == f"G|{self.key}"
            assert self.inside(f"git log -1 --format='%G?|%GF' {commit}") == told

    @contextlib.contextmanager
    def ending(self) -> Iterator[Signer]:
        """End the agent that gpg started, at the end."""
        try:
            yield self
        finally:
            self.run("gpgconf", "--kill", "all")
