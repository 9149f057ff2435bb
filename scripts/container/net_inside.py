"""What `./inv net` asks inside: names, the package index, git's and DVC's remotes, each in time.

Run as ``python -m scripts.container.net_inside REQUEST``; speaks the protocol of
:mod:`scripts.links.worker`.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import urlsplit

from scripts import process
from scripts.crossing.reach import certificates, proxy_for, reach, resolve
from scripts.crossing.reached import NOT_INSIDE, Reached, layer_of, masked
from scripts.errors import CommandFailed
from scripts.links.worker import serve

if TYPE_CHECKING:
    from scripts.progress import Progress

ROW_S = 10.0
"""The most that a row waits."""
_ONE_BY_ONE = threading.Lock()
"""DVC imports its parts when they are first needed, which goes wrong in two threads at once."""
_SSH = "ssh -o BatchMode=yes -o ConnectTimeout=8"


def net(_: Progress, *, index_url: str, root: str) -> dict[str, Any]:
    """Return one row for each thing that work needs the network for, by its name."""
    index_url = os.environ.get("PIP_INDEX_URL") or index_url or _default_index()
    asks: dict[str, Callable[[], Reached]] = {
        "name resolution": lambda: _resolve(urlsplit(index_url).hostname or ""),
        "package index": lambda: reach(index_url),
        "proxy": lambda: _proxy(index_url),
        "certificates": certificates,
    }
    for name, url in _git_remotes(root).items():
        asks[f"git remote {name}"] = _asking(_git, url, root)
    for name in _dvc_remotes(root):
        asks[f"DVC remote {name}"] = _asking(_dvc, name, root)
    started = time.monotonic()
    waiting = {name: _begin(ask) for name, ask in asks.items()}
    rows = {}
    for name, row in waiting.items():
        try:
            rows[name] = row.result(timeout=max(0.0, started + ROW_S - time.monotonic()))
        except NotInTime:
            rows[name] = Reached("TCP", f"no answer in {ROW_S:g} s", ROW_S)
    return {"rows": {name: asdict(row) for name, row in rows.items()}, "listening": _listening()}


def _begin(ask: Callable[[], Reached]) -> Future[Reached]:
    """Ask in a thread that this process does not wait for at its end, as it would for a pool's."""
    answer: Future[Reached] = Future()

    def settle() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # noqa: BLE001  raised where the answer is taken
            answer.set_exception(error)

    threading.Thread(target=settle, daemon=True).start()
    return answer


def _default_index() -> str:
    from pip._internal.models.index import PyPI  # noqa: PLC0415  nothing else says pip's default

    return str(PyPI.simple_url)


def _asking(ask: Callable[[str, str], Reached], what: str, root: str) -> Callable[[], Reached]:
    return lambda: ask(what, root)


def _resolve(host: str) -> Reached:
    started = time.monotonic()
    try:
        addresses = resolve(host)
    except OSError as error:
        said = f"{host}: {error.strerror or error}"
        if proxy_for(f"https://{host}"):  # the proxy resolves it
            return Reached("", f"{said}; left to the proxy", time.monotonic() - started)
        return Reached("name", said, time.monotonic() - started)
    kinds = "IPv6 only" if all(":" in address for address in addresses) else addresses[0]
    return Reached("", f"{host}: {kinds}", time.monotonic() - started)


def _proxy(index_url: str) -> Reached:
    proxy = proxy_for(index_url)
    if not proxy:
        return Reached("", "none is set", 0.0)
    found = reach(index_url)
    if found.layer in ("proxy", "TCP", "name"):
        return found
    return Reached("", masked(proxy), found.elapsed_s)


def _git_remotes(root: str) -> dict[str, str]:
    done = process.run(["git", "remote", "--verbose"], cwd=Path(root), check=False)
    found = re.findall(r"(?m)^(\S+)\t(.+) \(fetch\)$", done.stdout)
    return dict(found) if done.returncode == 0 else {}


def _git(url: str, root: str) -> Reached:
    started = time.monotonic()
    directory = Path(root, url.removeprefix("file://"))
    if (url.startswith(("/", "file://", ".")) or ":" not in url) and not directory.exists():
        return Reached("answer", f"{url} {NOT_INSIDE}", time.monotonic() - started)
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", _SSH)}
    quiet["GIT_ASKPASS"] = "true"
    try:
        done = process.run(
            ["git", "ls-remote", "--heads", url], cwd=Path(root), env=quiet, check=False,
            timeout_s=ROW_S - 1,
        )  # fmt: skip
    except CommandFailed:
        return Reached("TCP", f"{masked(url)}: no answer", time.monotonic() - started)
    elapsed_s = time.monotonic() - started
    if done.returncode == 0:
        heads = len(done.stdout.splitlines())
        return Reached("", f"{masked(url)}: {heads} branches", elapsed_s)
    lines = [line for line in done.stderr.splitlines() if line.strip()] or ["git failed"]
    told = next((line for line in lines if layer_of(line) != "answer"), lines[0])
    return Reached(layer_of(done.stderr), masked(told.strip()), elapsed_s)


def _dvc_remotes(root: str) -> list[str]:
    if not (Path(root) / ".dvc").is_dir():
        return []
    from dvc.config import Config  # noqa: PLC0415

    return sorted(Config(dvc_dir=str(Path(root) / ".dvc"))["remote"])


def _dvc(name: str, root: str) -> Reached:
    """List the top of a DVC remote, with the credentials that DVC uses."""
    started = time.monotonic()
    # Of botocore's own five, the last would come after the row has ended.
    os.environ.setdefault("AWS_MAX_ATTEMPTS", "2")
    endpoint = ""
    try:
        with _ONE_BY_ONE:
            filesystem, path, endpoint = _dvc_filesystem(name, root)
        try:
            entries = len(filesystem.ls(path, detail=False))
        except FileNotFoundError:
            entries = 0
            _require_place(filesystem, path)
    except Exception as error:  # noqa: BLE001  whatever a remote's own library raises is the answer
        said = masked(str(error) or type(error).__name__)
        failed = layer_of(f"{type(error).__name__} {said}")
        refusal = _proxy_refusal(endpoint)
        found = refusal or Reached(failed, said, 0.0)
        return replace(found, elapsed_s=time.monotonic() - started)
    return Reached("", f"{path}: {entries} entries", time.monotonic() - started)


def _dvc_filesystem(name: str, root: str) -> tuple[Any, str, str]:
    """Return what reaches a DVC remote, its library imported but not connected, its top, its URL.

    The URL is empty where no web server is asked.
    """
    from dvc.fs import get_cloud_fs  # noqa: PLC0415  a second, which only a project with remotes pays
    from dvc.repo import Repo  # noqa: PLC0415

    with Repo(root) as repo:
        kind, config, path = get_cloud_fs(repo.config, name=name)
    for module in kind.REQUIRES.values():
        importlib.import_module(module)
    usual = "https://s3.amazonaws.com" if kind.protocol == "s3" else ""
    return kind(**config), str(path), str(config.get("endpointurl") or usual)


def _proxy_refusal(url: str) -> Reached | None:
    """Ask for a failed remote's server once more: its library may not know a proxy's words."""
    found = reach(url, timeout_s=2) if url and proxy_for(url) else None
    return found if found is not None and found.layer == "proxy" else None


def _require_place(filesystem: Any, path: str) -> None:  # noqa: ANN401  dvc ships no types
    """Look for the bucket: an empty remote is no trouble, a directory that is not there is."""
    top = path if filesystem.protocol == "local" else path.split("/", maxsplit=1)[0]
    filesystem.ls(top, detail=False)


def _listening() -> list[int]:
    """Return the TCP ports that something inside listens on."""
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if Path(table).exists():
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                _, local, _, state = line.split()[:4]
                if state == "0A":  # TCP_LISTEN, see include/net/tcp_states.h
                    ports.add(int(local.rpartition(":")[2], 16))
    return sorted(ports)


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1:], {"net": net}))
