"""The demo's project: a git repository whose data has three versions, on two branches and a tag.

Its S3 remote is added only after the versions are committed, as happens to every project that
moves: ``dvc push --all-commits`` then reads each commit's own configuration and skips, with exit
code 0, what the older ones need.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from scripts import process

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MIB = 1 << 20
LARGE_BYTES = 12 * MIB
"""Enough for a multipart upload, which starts at 8 MiB or below in every client."""
ENVIRONMENT = {
    "DVC_NO_ANALYTICS": "1",
    "GIT_AUTHOR_NAME": "Slipway demo",
    "GIT_AUTHOR_EMAIL": "demo@example.com",
    "GIT_COMMITTER_NAME": "Slipway demo",
    "GIT_COMMITTER_EMAIL": "demo@example.com",
}
VERSIONS = ("v1", "main", "experiment")
"""A tag and two branches, in the order in which they are made."""
_OWN = {".git", ".dvc", ".slipway"}


def git(root: Path, *arguments: str) -> str:
    """Run git on the demo's own repository, untouched by a person's hooks and signing."""
    own = (
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "commit.gpgSign=false",
        "-c",
        "tag.gpgSign=false",
    )
    return process.run(["git", *own, *arguments], cwd=root, env=ENVIRONMENT).stdout


def dvc(root: Path, *arguments: str) -> str:
    """Run DVC on the demo's own project."""
    return process.run(["dvc", *arguments], cwd=root, env=ENVIRONMENT).stdout


def commit(root: Path, message: str) -> None:
    """Commit everything that git does not ignore."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)


def build_history(root: Path) -> dict[str, Mapping[str, str]]:
    """Write and commit every version; return the SHA-256 of each one's files, by version.

    The versions share most files, add some, change some and drop some; the experiment has other
    weights.
    """
    originals = {}
    samples = {f"{number:03d}": "first" for number in range(240)}
    originals["v1"] = _commit_version(root, samples, "first", "First data")
    git(root, "tag", "v1")

    samples.update({f"{number:03d}": "second" for number in range(30)})
    samples.update({f"{number:03d}": "second" for number in range(240, 300)})
    for number in range(200, 210):
        del samples[f"{number:03d}"]
    originals["main"] = _commit_version(root, samples, "first", "More and corrected data")

    git(root, "checkout", "--quiet", "-b", "experiment")
    samples.update({f"{number:03d}": "third" for number in range(100, 140)})
    originals["experiment"] = _commit_version(root, samples, "third", "Other weights")
    git(root, "checkout", "--quiet", "main")
    dvc(root, "checkout")
    return originals


def digests(root: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below ``root`` by its path; not git's, DVC's and our own."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.relative_to(root).parts[0] not in _OWN
    }


def _commit_version(
    root: Path, samples: Mapping[str, str], weights: str, message: str
) -> Mapping[str, str]:
    folder = root / "samples"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.stem not in samples:
            path.unlink()
    for name, content in samples.items():
        _write(folder / f"{name}.bin", _bytes(f"{name} {content}", 500 + 13 * int(name)))
    _write(root / "weights.bin", _bytes(f"weights {weights}", LARGE_BYTES))
    dvc(root, "add", "samples", "weights.bin")
    commit(root, message)
    return digests(root)


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)  # it may be a link into DVC's cache, which must not be written to
    path.write_bytes(content)


def _bytes(seed: str, size_bytes: int) -> bytes:
    return hashlib.shake_128(seed.encode()).digest(size_bytes)
