"""The proof: ask from inside whether everything works, and compare it with what was planned."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scripts.container.cache import repair_checkout
from scripts.container.checks import check_checkout, check_links
from scripts.container.model import Check, ContainerFacts, ContainerPlan, Gpu, Proof, Verdict
from scripts.crossing.reached import IPV6_HINT, IPV6_ONLY
from scripts.errors import CommandFailed, ContainerError
from scripts.report import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.container.engine import Engine
    from scripts.progress import Progress
    from scripts.settings import Settings

_PROBE = Path(__file__).with_name("probe.py")
_TIMEOUT_S = 120
_HINTS = {
    "user": "`./inv build` makes the image for the user that you are now.",
    "workspace": "Look at the mounts in `./inv plan`; on macOS and Windows, let Docker Desktop "
    "share this directory.",
    "Python": "`./inv build` makes the image anew.",
    "identity": "Run `git config --list --show-origin` in `./inv shell`.",
    "SSH agent": "Run `ssh-add -l`, outside and in `./inv shell`, and compare.",
    "git": "Run `git status` in the workspace, outside and in `./inv shell`, and compare.",
    "DVC": "Run `dvc doctor` in `./inv shell`.",
    "network": "Behind a proxy set HTTPS_PROXY; behind one that opens TLS, CA_BUNDLE (.env).",
    "cache": "Look at DVC_CACHE_DIR in .env and at who may write there.",
    "GPU": "Look at `nvidia-smi` outside, or set GPU=off in .env.",
}


def prove(
    plan: ContainerPlan,
    container: ContainerFacts,
    engine: Engine,
) -> Proof:
    """Ask the running container; never trust what starting it said.

    Args:
        plan: What was planned: the user, the workspace, the mounts.
        container: The container to ask.
        engine: The engine that it runs on.

    Raises:
        ContainerError: The container does not answer at all; with its last log lines.
    """
    started = time.monotonic()
    token = secrets.token_hex(16)
    state = plan.root / ".slipway"
    token_file, answer_file = state / "proof", state / "proof-answer"
    asked = {
        "checks": [
            "user",
            "workspace",
            "Python",
            "git",
            "identity",
            *(["SSH agent"] if plan.agent_needed else []),
            "DVC",
            "network",
            "cache",
            *(["GPU"] if plan.gpu is not Gpu.NONE else []),
        ],
        "workspace": plan.workspace,
        "token": token,
        "token_file": f"{plan.workspace}/.slipway/{token_file.name}",
        "answer_file": f"{plan.workspace}/.slipway/{answer_file.name}",
        "cache_dir": plan.cache_directory,
        "index_url": plan.index_url,
        "signs_by": plan.signing.by if plan.signing.wanted else "",
        "unsigned": plan.signing.why_not if plan.signing.wanted else "",
        "signing_fix": f"{plan.signing.fix}, then `./inv up`.",
        "agent_fix": f"{plan.agent_fix}.",
    }
    answer_file.unlink(missing_ok=True)
    write_text(token_file, token)
    try:
        answers = _ask(asked, container, engine)
        owner = answer_file.stat().st_uid if answer_file.exists() else None
    finally:
        token_file.unlink(missing_ok=True)
        answer_file.unlink(missing_ok=True)
    checks = tuple(_judge(name, answers[name], plan, owner) for name in asked["checks"])
    return Proof(checks, elapsed_s=time.monotonic() - started)


def prove_all(
    settings: Settings,
    plan: ContainerPlan,
    container: ContainerFacts,
    engine: Engine,
    progress: Progress,
    *,
    checkout: bool,
    fix: bool = False,
) -> Proof:
    """Prove the container and the links to the DVC cache.

    Args:
        settings: Where the plan comes from.
        plan: What was planned.
        container: The container to ask.
        engine: The engine that it runs on.
        progress: Told how many bytes had to be read.
        checkout: Whether to look at each tracked file too, which may mean reading it.
        fix: Whether to mend tracked files first, where that can lose nothing.

    Raises:
        ContainerError: The container does not answer at all.
        CacheError: The cache cannot be used, so that nothing can be mended.
    """
    repaired = repair_checkout(settings, container, progress) if fix else None
    with ThreadPoolExecutor(max_workers=1) as pool:
        links = pool.submit(check_links, settings, container)
        proof = prove(plan, container, engine)
        rows = links.result()
    if checkout:
        rows = (*rows, *check_checkout(settings, container, progress))
    return replace(proof, checks=(*proof.checks, *rows), repaired=repaired)


def require_works(proof: Proof) -> None:
    """End with an error if a check of the proof failed.

    Raises:
        ContainerError: Names the checks that failed; their hints stand in the table.
    """
    if proof.failed:
        names = ", ".join(check.name for check in proof.failed)
        raise ContainerError(
            f"The container runs, but not everything works inside: {names}.",
            hint="The table says what to do for each; `./inv doctor` asks again.",
        )


def _ask(asked: Mapping[str, Any], container: ContainerFacts, engine: Engine) -> dict[str, Any]:
    probe = _PROBE.read_text(encoding="utf-8")
    command = ["python", "-", json.dumps(asked)]
    try:
        done = engine.execute(container.container_id, command, stdin=probe, timeout_s=_TIMEOUT_S)
        answers: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (CommandFailed, ValueError, IndexError) as error:
        printed = engine.logs(container.container_id, lines=10)
        said = error.message if isinstance(error, CommandFailed) else done.stderr.strip()
        raise ContainerError(
            f"The container runs, but does not answer. {said}\n{printed}".rstrip(),
            hint="`./inv logs` shows what it printed; `./inv down` and `./inv up` start anew.",
        ) from error
    return answers


def _judge(
    name: str,
    answer: Mapping[str, Any],
    plan: ContainerPlan,
    owner: int | None,
) -> Check:
    seen = str(answer["seen"])
    if not answer["works"]:
        if "hint" in answer:
            return Check(name, Verdict.WARNING, seen, str(answer["hint"]))
        if name == "network" and not _host_reaches(str(answer.get("asked", ""))):
            return Check(name, Verdict.WARNING, f"{seen}; this machine has no way there either")
        hint = IPV6_HINT if IPV6_ONLY in seen else _HINTS[name]
        return Check(name, Verdict.FAILED, seen, hint)
    if name == "user":
        wanted = f"{plan.identity.username} ({plan.identity.uid}:{plan.identity.gid})"
        if seen != wanted:
            return Check(name, Verdict.FAILED, f"{seen} instead of {wanted}", _HINTS[name])
    if name == "workspace":
        expected = _expected_owner(plan)
        if owner is not None and expected is not None and owner != expected:
            return Check(
                name, Verdict.FAILED,
                f"files made inside belong to uid {owner} outside, not to {expected}",
                _HINTS["user"],
            )  # fmt: skip
    return Check(name, Verdict.WORKS, seen)


def _expected_owner(plan: ContainerPlan) -> int | None:
    if os.name != "posix":
        return None
    # A rootless engine shows its root as the person who runs it.
    return plan.identity.uid or os.getuid()


def _host_reaches(index_url: str) -> bool:
    url = urlsplit(index_url)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        socket.create_connection((url.hostname or "", port), timeout=5).close()
    except OSError:
        return False
    return True
