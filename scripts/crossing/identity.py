"""Identity: which user works inside, so that files keep belonging to the person outside."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

USERNAME = "dev"
_DESKTOP_ID = 1000


@dataclass(frozen=True)
class HostUser:
    """Who runs Slipway, and who owns the workspace. ``uid`` is ``None`` on Windows."""

    uid: int | None
    gid: int | None
    workspace_uid: int | None
    workspace_gid: int | None


@dataclass(frozen=True)
class Identity:
    """The user inside. ``reason`` explains a choice that may surprise; else it is empty."""

    username: str
    uid: int
    gid: int
    reason: str = ""


def observe_host_user(workspace: Path) -> HostUser:
    """Ask the host who runs this process and who owns ``workspace``."""
    if sys.platform == "win32":
        return HostUser(None, None, None, None)
    owner = workspace.stat()
    return HostUser(os.getuid(), os.getgid(), owner.st_uid, owner.st_gid)


def served_owner(workspace: Path) -> tuple[int, int] | None:
    """Return the uid and gid of the user inside where root works for the workspace's owner.

    What this process makes for that user has to be given to them; else it is theirs already.
    """
    if sys.platform == "win32" or os.getuid() != 0:
        return None
    owner = workspace.stat()
    return (owner.st_uid, owner.st_gid) if owner.st_uid else None


def groups_of(user: HostUser, directories: Iterable[Path]) -> tuple[int, ...]:
    """Return the gids of directories that the user inside may use through a group of the person's.

    Root in another user's workspace works inside as that user, with that user's groups.
    """
    if user.uid is None or user.gid is None:
        return ()
    import pwd  # noqa: PLC0415  not on Windows

    member_of = set(os.getgroups())
    if user.uid == 0 and user.workspace_uid:
        try:
            account = pwd.getpwuid(user.workspace_uid)
            member_of = set(os.getgrouplist(account.pw_name, account.pw_gid))
        except KeyError:  # an owner without an account has no groups
            member_of = set()
    found = {path.stat().st_gid for path in directories if path.is_dir()}
    return tuple(sorted(found & member_of))


def choose_identity(host: HostUser, *, rootless: bool) -> Identity:
    """Choose the user inside; pure.

    Args:
        host: Who runs Slipway.
        rootless: Whether the engine runs without root: there, uid 0 inside *is* the host's user,
            and any other uid is one that owns nothing on the host.
    """
    if host.uid is None or host.gid is None:
        return Identity(
            USERNAME, _DESKTOP_ID, _DESKTOP_ID,
            "Windows has no uid; Docker Desktop maps files to the person by itself",
        )  # fmt: skip
    if rootless:
        return Identity(
            "root", 0, 0, "the engine is rootless: root inside is you outside, with your rights"
        )
    if host.uid == 0 and host.workspace_uid:
        return Identity(
            USERNAME, host.workspace_uid, host.workspace_gid or 0,
            "you are root, but the workspace belongs to "
            f"uid {host.workspace_uid}: its files stay theirs",
        )  # fmt: skip
    if host.uid == 0:
        return Identity(
            "root", 0, 0,
            "you and the workspace are root's: another user could not write to it; "
            "root inside holds no capabilities over the host",
        )  # fmt: skip
    return Identity(USERNAME, host.uid, host.gid)
