"""What the proof asks from inside.

Sent to the container's Python on standard input, so it imports nothing of Slipway; it prints one
JSON object: check name -> {"works": bool, "seen": str}, with a "hint" where that is a warning only.
"""

from __future__ import annotations

import errno
import json
import os
import pwd
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable
from urllib.parse import SplitResult, urlsplit

_TIMEOUT_S = 10
_AGENT_TIMEOUT_S = 3
_LINK = Path("/var/lib/slipway/workspace")


class Lacking(Exception):
    """Not as a person wants it, though work goes on: what was seen, and what helps."""

    def __init__(self, seen: str, hint: str) -> None:
        super().__init__(seen)
        self.hint = hint


def _user(_: dict[str, Any]) -> str:
    return f"{pwd.getpwuid(os.getuid()).pw_name} ({os.getuid()}:{os.getgid()})"


def _workspace(asked: dict[str, Any]) -> str:
    workspace = Path(asked["workspace"])
    token = Path(asked["token_file"]).read_text(encoding="utf-8")
    if token != asked["token"]:
        raise ValueError(f"{workspace} is another directory than outside")
    with tempfile.NamedTemporaryFile(dir=workspace, prefix=".slipway-"):
        pass
    end = time.monotonic() + _TIMEOUT_S
    while not _LINK.exists() and time.monotonic() < end:  # made as the container starts
        time.sleep(0.05)
    if not _LINK.samefile(workspace):
        raise ValueError(f"{_LINK}, and so /workspace, does not lead to it")
    # Left for the host to look at: does it belong to the person there?
    Path(asked["answer_file"]).write_text(token, encoding="utf-8")
    return str(workspace)


def _python(_: dict[str, Any]) -> str:
    if sys.version_info[:2] != (3, 9):
        raise ValueError(f"it is {sys.version.split()[0]}")
    return f"{sys.version.split()[0]} in {sys.prefix}"


def _git(asked: dict[str, Any]) -> str:
    if not (Path(asked["workspace"]) / ".git").exists():
        raise Lacking("the workspace is no git repository", "`git init`, or clone Slipway anew.")

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", asked["workspace"], *arguments],
            capture_output=True, text=True, check=False, timeout=_TIMEOUT_S * 6,
        )  # fmt: skip
        if done.returncode != 0:
            raise ValueError((done.stderr.strip().splitlines() or ["git failed"])[-1])
        return done.stdout

    changed = len(git("status", "--porcelain", "--untracked-files=no").splitlines())
    branch = git("branch", "--show-current").strip() or "no branch"
    return f"{branch}, {changed} changed" if changed else f"{branch}, clean"


def _identity(asked: dict[str, Any]) -> str:
    pattern = r"^(user\.(name|email|signingkey)|gpg\.format)$"
    try:
        told = _output(["git", "-C", asked["workspace"], "config", "-z", "--get-regexp", pattern])
    except ValueError:  # none of them is set
        told = ""
    known = dict(entry.split("\n", 1) for entry in told.split("\0") if "\n" in entry)
    if not known.get("user.name") or not known.get("user.email"):
        raise Lacking(
            "git does not know who you are",
            "`git config --global user.name` and `user.email`, outside, then `./inv up`.",
        )
    who = f"{known['user.name']} <{known['user.email']}>"
    if asked["unsigned"]:
        raise Lacking(f"{who}; does not sign: {asked['unsigned']}", asked["signing_fix"])
    if not asked["signs_by"]:
        return who
    if asked["signs_by"] == "SSH":
        return f"{who}, {_ssh_signature(known, who)}"
    key = known.get("user.signingkey", "")
    try:
        _output(["slipway-gpg", "--batch", "--list-secret-keys", key])
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise Lacking(
            f"{who}; cannot sign: {error}", "`./inv up`, and `gpg -K` outside."
        ) from error
    return f"{who}, signs with the OpenPGP key {key}"


def _ssh_signature(known: dict[str, str], who: str) -> str:
    if known.get("gpg.format") != "ssh":
        version = _output(["git", "version"]).split()[-1]
        raise Lacking(
            f"{who}; does not sign: git is {version} inside, and SSH keys take 2.35",
            "Set BASE_IMAGE to an image of Debian 12, as the usual one is.",
        )
    wanted = known.get("user.signingkey", "").replace("key::", "", 1)
    try:
        held = _output(["ssh-add", "-L"])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        held = ""
    if " ".join(wanted.split()[:2]) not in held:
        raise Lacking(f"{who}; cannot sign: the SSH agent does not hold the key", "`ssh-add KEY`.")
    return "signs with an SSH key"


def _ssh_agent(asked: dict[str, Any]) -> str:
    try:
        keys = _output(["ssh-add", "-l"]).splitlines()
    except subprocess.TimeoutExpired as error:
        seen = f"it does not answer within {_AGENT_TIMEOUT_S} s"
        raise Lacking(seen, asked["agent_fix"]) from error
    except ValueError as error:
        raise Lacking(str(error), asked["agent_fix"]) from error
    return "1 key" if len(keys) == 1 else f"{len(keys)} keys"


def _output(command: list[str]) -> str:
    """Return what a program prints; what it says where it fails is the error."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_AGENT_TIMEOUT_S
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise ValueError((said or [f"{command[0]} failed"])[-1])
    return done.stdout


def _dvc(asked: dict[str, Any]) -> str:
    from dvc import __version__  # noqa: PLC0415  a second that only this check pays
    from dvc.repo import Repo  # noqa: PLC0415

    if not (Path(asked["workspace"]) / ".dvc").is_dir():
        return f"{__version__}; no project yet (`./inv dvc-init`)"
    with Repo(asked["workspace"]) as repo:
        return f"{__version__}, cache in {repo.cache.local.path}"


def _index_url(asked: dict[str, Any]) -> str:
    if asked["index_url"]:
        return str(asked["index_url"])
    from pip._internal.models.index import PyPI  # noqa: PLC0415  nothing else says pip's default

    return str(PyPI.simple_url)


def _network(asked: dict[str, Any]) -> str:
    url = urlsplit(_index_url(asked))
    host = url.hostname or ""
    proxy = os.environ.get(f"{url.scheme}_proxy") or os.environ.get(f"{url.scheme.upper()}_PROXY")
    if proxy:
        _await_relay(urlsplit(proxy))
        _ask_through_proxy(url.geturl())
        return "package index answers, through the proxy"
    with _connected(host, url.port or (443 if url.scheme == "https" else 80)) as plain:
        if url.scheme != "https":
            return "package index answers"
        with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secure:
            return f"package index answers, {secure.version()}"


def _connected(host: str, port: int) -> socket.socket:
    try:
        return socket.create_connection((host, port), timeout=_TIMEOUT_S)
    except OSError as error:
        if error.errno not in (errno.ENETUNREACH, errno.EADDRNOTAVAIL):
            raise
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        if any(family != socket.AF_INET6 for family, *_ in found):
            raise
        # These words choose the hint, see scripts/crossing/reached.py.
        raise OSError(f"{host} has IPv6 only, which does not get out from inside") from error


def _await_relay(proxy: SplitResult) -> None:
    """Wait for the relay to the proxy, which begins with the container, as this question does."""
    end = time.monotonic() + _TIMEOUT_S
    while proxy.hostname == "127.0.0.1":
        try:
            socket.create_connection((proxy.hostname, proxy.port or 80), timeout=1).close()
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def _ask_through_proxy(url: str) -> None:
    import urllib.error  # noqa: PLC0415  only where there is a proxy
    import urllib.request  # noqa: PLC0415

    try:
        urllib.request.urlopen(url, timeout=_TIMEOUT_S).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        # Whatever the index itself says, it was reached; these are the proxy's own words.
        if error.code in (407, 502, 503, 504):
            raise


def _cache(asked: dict[str, Any]) -> str:
    cache = Path(asked["cache_dir"])
    if not cache.is_dir():
        return f"{cache} (made by the first `dvc add`)"
    with tempfile.NamedTemporaryFile(dir=cache, prefix=".slipway-"):
        pass
    return str(cache)


def _gpu(_: dict[str, Any]) -> str:
    listed = subprocess.run(
        ["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=_TIMEOUT_S * 3
    )
    if listed.returncode != 0:
        raise ValueError((listed.stdout + listed.stderr).strip() or "nvidia-smi failed")
    return listed.stdout.strip().splitlines()[0]


CHECKS: dict[str, Callable[[dict[str, Any]], str]] = {
    "user": _user,
    "workspace": _workspace,
    "Python": _python,
    "git": _git,
    "identity": _identity,
    "SSH agent": _ssh_agent,
    "DVC": _dvc,
    "network": _network,
    "cache": _cache,
    "GPU": _gpu,
}


def _answer(name: str, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"works": True, "seen": CHECKS[name](asked)}
    except Lacking as error:
        return {"works": False, "seen": str(error), "hint": error.hint}
    except Exception as error:  # noqa: BLE001  whatever goes wrong is the answer that was asked for
        where = {"asked": _index_url(asked)} if name == "network" else {}
        return {"works": False, "seen": str(error) or type(error).__name__, **where}


def main() -> None:
    """Answer the questions in ``argv[1]``, all at once."""
    asked = json.loads(sys.argv[1])
    threading.stack_size(16 * 1024 * 1024)  # DVC's imports nest deeply
    with ThreadPoolExecutor(max_workers=len(CHECKS)) as pool:
        answers = {name: pool.submit(_answer, name, asked) for name in asked["checks"]}
    print(json.dumps({name: answer.result() for name, answer in answers.items()}))  # noqa: T201


if __name__ == "__main__":
    main()
