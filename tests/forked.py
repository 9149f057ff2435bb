"""Commands of Python, forked from a process that has loaded what they need: each starts at once."""

from __future__ import annotations

import atexit
import io
import multiprocessing
import os
import runpy
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from unittest.mock import patch

from scripts.errors import CommandFailed
from scripts.process import Completed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload([
    "tests.faults.migrating", "tests.models_once", "scripts.migration.buckets",
    "invoke.main", "docker", "dotenv", "rich.console", "rich.progress", "rich.table",
    # What DVC and its libraries import only as it is needed, which nearly each command does:
    "dvc.cachemgr", "dvc.cli.parser", "dvc.data_cloud", "dvc.lock", "dvc.repo.artifacts",
    "dvc.repo.brancher", "dvc.repo.datasets", "dvc.repo.index", "dvc.repo.metrics",
    "dvc.repo.open_repo", "dvc.repo.params", "dvc.repo.plots", "dvc.repo.stage",
    "dvc.repo.worktree", "dvc.rwlock", "dvc.utils.strictyaml", "dvc_data.index.checkout",
    "dvc_data.index.fetch", "dvc_data.index.push", "dvc_render", "dvc_s3", "configobj",
    "dulwich.worktree", "networkx", "obstore.store", "platformdirs", "rich.status",
    "ruamel.yaml", "s3fs", "scmrepo.git",
    # Not dvc_data.hashfile.db.local, which asks for the umask as it is loaded.
])  # fmt: skip
_ENDS_WITHIN_S = 600  # `./inv` builds images
_OURS = {"scripts", "tasks", "tests"}


def run_module(
    name: str,
    arguments: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> Completed:
    """Run `python -m NAME` to its end as :func:`scripts.process.run` would; it reads nothing.

    Raises:
        TimeoutError: It took longer than :data:`_ENDS_WITHIN_S`, and was killed.
        CommandFailed: It failed and ``check`` is set.
    """
    argv = (name, *arguments)
    with TemporaryDirectory() as directory:
        printed = Path(directory, "out"), Path(directory, "err")
        process = SERVER.Process(
            target=_become, args=(argv, cwd, {**os.environ, **(env or {})}, *printed)
        )
        process.start()
        process.join(_ENDS_WITHIN_S)
        code = process.exitcode
        if code is None:
            process.kill()
            raise TimeoutError(argv)
        process.close()
        out, err = (file.read_text(encoding="utf-8", errors="replace") for file in printed)
    if check and code != 0:
        raise CommandFailed(argv, code, err)
    return Completed(argv, code, out, err)


def _become(
    argv: Sequence[str], cwd: Path, environ: Mapping[str, str], out: Path, err: Path
) -> None:
    """Be what `python -m ARGV...` would be, in the process that was forked for it."""
    multiprocessing.set_start_method(None, force=True)  # for its own children, the usual one
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environ)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    for name in [name for name in sys.modules if name.partition(".")[0] in _OURS]:
        del sys.modules[name]  # a clone has its own
    sys.path[:] = [str(cwd), *(path for path in sys.path if "/lib/python" in path)]
    sys.argv = list(argv)
    if argv[0] == "dvc":  # its own reader of the files of commits can wait for ever
        patch("pygit2.BlobIO", lambda blob, **_: io.BytesIO(blob.data)).start()
    try:
        runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # multiprocessing ends a process without
