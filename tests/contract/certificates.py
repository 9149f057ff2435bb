"""Certificates for the servers of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts import process

if TYPE_CHECKING:
    from pathlib import Path


def certificate(directory: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that vouches for itself for two days, with its key."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    process.run([
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1",
        "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
        "-keyout", str(key), "-out", str(cert),
    ])  # fmt: skip
    return cert, key
