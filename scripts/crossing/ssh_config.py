"""~/.ssh/config: what it says of the hosts of git's remotes, asked of ssh, for ssh inside.

What names a program or a private key stays outside. Of a key, the public half crosses: by it,
ssh inside picks the right one of those that the agent holds.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scripts import process
from scripts.crossing.agent import lines_of
from scripts.crossing.git import public_half
from scripts.errors import CommandFailed, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scripts.crossing.git import GitFacts

    Options = Mapping[str, Sequence[str]]

SSH_CONFIG = ".slipway/ssh/config"
"""Included by the image's ssh_config; see the Dockerfile."""
_NAME = re.compile(r"[A-Za-z0-9_][\w.:-]*")
_ALWAYS = {"hostname": "HostName", "user": "User", "port": "Port"}
_AS_THEY_ARE = {
    name.lower(): name
    for name in (
        "AddressFamily",
        "CheckHostIP",
        "Compression",
        "ConnectionAttempts",
        "ConnectTimeout",
        "HostKeyAlias",
        "ProxyJump",
        "ServerAliveCountMax",
        "ServerAliveInterval",
        "StrictHostKeyChecking",
        "TCPKeepAlive",
        "VerifyHostKeyDNS",
    )
}
_ALGORITHMS = {
    "ciphers": "Ciphers",
    "hostkeyalgorithms": "HostKeyAlgorithms",
    "kexalgorithms": "KexAlgorithms",
    "macs": "MACs",
    # The older name, which ssh before 8.5 knows alone and newer ones know too.
    "pubkeyacceptedalgorithms": "PubkeyAcceptedKeyTypes",
    "pubkeyacceptedkeytypes": "PubkeyAcceptedKeyTypes",
}
_TIMEOUT_S = 3
_MOST_JUMPS = 4


@dataclass(frozen=True)
class SshHost:
    """A host as ~/.ssh/config has it.

    ``options`` are those that mean the same inside, ``keys`` the public halves of the keys that it
    names, ``only_keys`` whether no other may be offered, ``known_hosts`` what a file of its own
    knows, ``why_not`` why it cannot be reached.
    """

    name: str
    options: tuple[tuple[str, str], ...] = ()
    keys: tuple[str, ...] = ()
    only_keys: bool = False
    known_hosts: str = ""
    why_not: str = ""


def is_ssh(url: str) -> bool:
    """Tell whether git reaches a URL through SSH; pure."""
    if "://" in url:
        return urlsplit(url).scheme in ("ssh", "git+ssh", "ssh+git")
    return bool(re.match(r"[^/\\:]{2,}:", url))


def ssh_remotes(facts: GitFacts) -> tuple[str, ...]:
    """Return the names of the remotes that are reached through SSH; pure."""
    found = (
        entry.key[len("remote.") :].rpartition(".")[0]
        for entry in facts.entries
        if re.fullmatch(r"remote\..*\.(push)?url", entry.key) and is_ssh(entry.value or "")
    )
    return tuple(dict.fromkeys(found))


def ssh_hosts(facts: GitFacts) -> tuple[str, ...]:
    """Return the hosts that remotes and submodules name, or are rewritten to by insteadOf; pure."""
    urls = list(facts.submodule_urls)
    for entry in facts.entries:
        if re.fullmatch(r"(remote|submodule)\..*\.(push)?url", entry.key):
            urls.append(entry.value or "")
        rewritten = re.fullmatch(r"url\.(.*)\.(push)?insteadof", entry.key)
        if rewritten:
            urls.append(rewritten[1])
    found = (_host(url) for url in urls if is_ssh(url))
    return tuple(dict.fromkeys(name for name in found if _NAME.fullmatch(name)))


def observe_ssh_hosts(names: Sequence[str]) -> tuple[SshHost, ...]:
    """Ask ssh what ~/.ssh/config says of hosts, and of those that are jumped through on the way.

    Runs nothing without that file, or without a host.
    """
    config = Path.home() / ".ssh" / "config"
    if not names or not config.is_file():
        return ()
    found: dict[str, SshHost] = {}
    with ThreadPoolExecutor(max_workers=8) as pool:
        usual = pool.submit(_options, "none", "host")
        for _ in range(_MOST_JUMPS):
            asked = [name for name in names if name not in found]
            answers = list(pool.map(partial(_options, str(config)), asked))
            for name, options in zip(asked, answers):
                found[name] = read_host(name, options, usual.result())
            names = [jump for host in found.values() for jump in _jumps(host)]
    return tuple(found.values())


def read_host(name: str, options: Options, usual: Options) -> SshHost:
    """Choose what crosses of what ``ssh -G`` says; ``usual`` is what it says without a file.

    Of algorithms only those cross that were added: an older ssh inside refuses names that it does
    not know.
    """
    if not options or not usual:
        return SshHost(name, why_not="ssh cannot read ~/.ssh/config")
    chosen = [(title, options[key][0]) for key, title in _ALWAYS.items() if options.get(key)]
    own = {key: values for key, values in options.items() if values != usual.get(key)}
    chosen += [(title, own[key][0]) for key, title in _AS_THEY_ARE.items() if key in own]
    for key, title in _ALGORITHMS.items():
        known = usual.get(key, [""])[0].split(",")
        added = [one for one in own.get(key, [""])[0].split(",") if one not in known]
        if added and added != [""]:
            chosen.append((title, "+" + ",".join(added)))
    keys = filter(None, (public_half(file) for file in own.get("identityfile", [])))
    command = own.get("proxycommand", ["none"])[0]
    why = "" if command == "none" else "its ProxyCommand stays outside (a ProxyJump crosses)"
    only = own.get("identitiesonly") == ["yes"]
    files = " ".join(own.get("userknownhostsfile", [])).split()
    known_hosts = "".join(lines_of(Path(file).expanduser()) for file in files)
    return SshHost(name, tuple(chosen), tuple(keys), only, known_hosts, why)


def render_ssh_config(hosts: Iterable[SshHost], workspace: str) -> dict[str, str]:
    """Return the text of ssh's configuration inside and of the public keys in it, by path; pure."""
    lines = ["# Written by `./inv up` from this machine's ~/.ssh/config."]
    files: dict[str, str] = {}
    for host in hosts:
        lines.append(f"Host {host.name}")
        lines += [f"\t{name} {value}" for name, value in host.options]
        for key in host.keys:
            place = files.setdefault(key, f".slipway/ssh/key-{len(files) + 1}.pub")
            lines.append(f'\tIdentityFile "{workspace}/{place}"')
        if host.only_keys and host.keys:  # without its key, none would be left to offer
            lines.append("\tIdentitiesOnly yes")
    config = {SSH_CONFIG: "\n".join(lines) + "\n"}
    return {**config, **{place: f"{key}\n" for key, place in files.items()}}


def _host(url: str) -> str:
    place = urlsplit(url).netloc if "://" in url else url.partition(":")[0]
    named = place.rpartition("@")[2]
    return named if named.startswith("[") else named.partition(":")[0]


def _jumps(host: SshHost) -> list[str]:
    value = dict(host.options).get("ProxyJump", "none")
    found = [_host(f"ssh://{hop}") for hop in value.split(",") if value != "none"]
    return [name for name in found if _NAME.fullmatch(name)]


def _options(config: str, name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        printed = process.run(["ssh", "-F", config, "-G", name], timeout_s=_TIMEOUT_S).stdout
    except (ToolMissing, CommandFailed):
        return {}
    for line in printed.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)
    return found
