"""Network: the certificates that the host trusts, and which of its ports are free."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.crossing.ports import is_ours
from scripts.crossing.reach import certificates
from scripts.errors import ContainerError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scripts.settings.values import Port

CA_KEYS = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO")
"""Where a person or an administrator names a bundle, the most general first."""
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS
)
CA_TARGET = "/run/slipway/ca.pem"
_TRUST_KEYS = (*CA_KEYS, "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def find_ca_bundle(chosen: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the bundle of certificates that this host trusts, if it has one.

    Behind a TLS-intercepting proxy it holds the private CA that the container must trust too.

    Args:
        chosen: ``CA_BUNDLE`` from the settings; it goes before everything else.
        environ: Where the usual variables are looked up.

    Raises:
        SettingsError: ``CA_BUNDLE`` names a file that is not there, holds no certificate, or only
            some that have expired.
    """
    if chosen is not None:
        if not _holds_certificates(chosen):
            raise SettingsError(
                f"CA_BUNDLE is {chosen}, which is not a readable PEM file of certificates.",
                hint="Give the path of a file with -----BEGIN CERTIFICATE----- in it.",
            )
        found = certificates({"SSL_CERT_FILE": str(chosen)})
        if found.layer:
            raise SettingsError(
                f"CA_BUNDLE is of no use: {found.seen}.",
                hint="Ask for new certificates, or name another file.",
            )
        return chosen
    named = [Path(environ[key]) for key in CA_KEYS if environ.get(key)]
    for path in (*named, *map(Path, SYSTEM_BUNDLES)):
        if _holds_certificates(path):
            return path.resolve()
    return None


def unread_bundles(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables that name a bundle which cannot be used, as ``NAME=PATH``."""
    named = ((key, environ[key]) for key in CA_KEYS if environ.get(key))
    return tuple(f"{key}={path}" for key, path in named if not _holds_certificates(Path(path)))


def _holds_certificates(path: Path) -> bool:
    try:
        return "-----BEGIN CERTIFICATE-----" in path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def trust_environment() -> dict[str, str]:
    """Return the variables that make Python, requests, git, curl, pip and node trust the bundle."""
    return dict.fromkeys(_TRUST_KEYS, CA_TARGET)


def taken_ports(places: Iterable[Port]) -> frozenset[Port]:
    """Return those of the places on which something listens, this workspace's container too."""
    return frozenset(port for port in places if _is_taken(port))


def require_free(ports: Sequence[Port], *, held: Sequence[Port], key: str) -> None:
    """Check that ports can be published.

    Args:
        ports: What is to be published.
        held: What this workspace's own container holds already.
        key: The setting that names the ports.

    Raises:
        ContainerError: Another program listens on one of them.
    """
    for port in ports:
        if not is_ours(port, held) and _is_taken(port):
            other = port.host_port + (10000 if port.host_port < 50000 else -10000)
            value = str(other) if key != "PORTS" else f"{other}:{port.container_port}"
            raise ContainerError(
                f"Port {port.host_port} on {port.host_address} is taken by another program.",
                hint=f"End that program, or set {key}={value} in .env.",
            )


def _is_taken(port: Port) -> bool:
    """Tell whether something on the host already listens where ``port`` would be published."""
    family = socket.AF_INET6 if ":" in port.host_address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((port.host_address, port.host_port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
