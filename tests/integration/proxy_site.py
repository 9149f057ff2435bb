"""A site as companies have it: a proxy with accounts, and servers of a private authority."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import fcntl
import hashlib
import ipaddress
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scripts import process
from tests.integration.ssh_server import gateway
from tests.workspace import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PRIVATE_PACKAGE = "slipway-private-thing"
PROXY_PASSWORD, INDEX_PASSWORD = "planted-proxy-9f31", "planted-index-40c7"
SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_WAIT_S = 10


def free_port(address: str) -> int:
    with socket.socket() as free:
        free.bind((address, 0))
        return int(free.getsockname()[1])


class Authority:
    """An authority that nobody trusts by itself; one that has ``ended`` vouches no more."""

    def __init__(self, path: Path, *, ended: bool = False) -> None:
        self.path = path
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Slipway test authority")])
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        self._certificate = (
            self._begun(self._name, self._key.public_key(), ended=ended)
            .add_extension(constraint, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def bundle(self) -> Path:
        """What a company hands out: everybody's authorities, and its own."""
        path = self.path.with_name("bundle.pem")
        path.write_bytes(SYSTEM_BUNDLE.read_bytes() + self.path.read_bytes())
        return path

    def issue(self, address: str, directory: Path, *, ended: bool = False) -> tuple[Path, Path]:
        """Return a certificate for an IP address, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        issued = (
            self._begun(subject, key.public_key(), ended=ended)
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        cert_path, key_path = directory / "cert.pem", directory / "key.pem"
        cert_path.write_bytes(issued.public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return cert_path, key_path

    def _begun(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, ended: bool
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.timezone.utc)
        end = now - dt.timedelta(days=1) if ended else now + dt.timedelta(days=2)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=9))
            .not_valid_after(end)
        )


class Tinyproxy:
    """A real HTTP proxy on 127.0.0.1 that lets in one account only."""

    def __init__(self, directory: Path, account: str) -> None:
        self.port = free_port("127.0.0.1")
        self.place = f"127.0.0.1:{self.port}"
        self._log = directory / "tinyproxy.log"
        self._log.touch(mode=0o666)
        self._config = directory / "tinyproxy.conf"
        name, _, password = account.partition(":")
        self._config.write_text(
            f'Port {self.port}\nListen 127.0.0.1\nTimeout 60\nLogFile "{self._log}"\n'
            f"LogLevel Connect\nMaxClients 50\nBasicAuth {name} {password}\n"
        )

    def asked(self) -> list[str]:
        """Return what it was asked for, in order: the first lines of requests."""
        return re.findall(r"Request \(file descriptor \d+\): (.+)", self._log.read_text())

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        with _started(["tinyproxy", "-d", "-c", str(self._config)], ("127.0.0.1", self.port)):
            yield


class TlsServer:
    """A real nginx behind TLS: a page for everybody, and a package index for one account."""

    def __init__(
        self, directory: Path, address: str, certificate: tuple[Path, Path], account: str
    ) -> None:
        self.directory = directory
        self.address = address
        self.port = free_port(address)
        self.place = f"{address}:{self.port}"
        self.url = f"https://{self.place}"
        self._site = directory / "site"
        self._site.mkdir()
        (self._site / "hello").write_text("hello\n")
        name, _, password = account.partition(":")
        digest = base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()  # noqa: S324  of htpasswd
        (directory / "htpasswd").write_text(f"{name}:{{SHA}}{digest}\n")
        cert, key = certificate
        self._config = directory / "nginx.conf"
        self._config.write_text(f"""
            daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log;
            {"user root;" if os.getuid() == 0 else ""}
            events {{}}
            http {{
                access_log {directory}/access.log;
                default_type text/html;
                server {{
                    listen {self.place} ssl;
                    ssl_certificate {cert}; ssl_certificate_key {key};
                    root {self._site};
                    add_header Cache-Control no-cache;  # a newer package is seen at once
                    location /simple/ {{
                        auth_basic packages; auth_basic_user_file {directory}/htpasswd;
                        index index.html;
                    }}
                }}
            }}
        """)

    def log(self) -> str:
        return (self.directory / "access.log").read_text()

    def put_repository(self, repository: Path) -> str:
        """Serve a git repository as plain files; return its URL."""
        place = self._site / "repository.git"
        process.run(["git", "clone", "--quiet", "--bare", str(repository), str(place)])
        process.run(["git", "--git-dir", str(place), "update-server-info"])
        return f"{self.url}/repository.git"

    def put_wheels(self, wheels: Path) -> None:
        """Serve wheels as a package index, by PEP 503."""
        for wheel in wheels.glob("*.whl"):
            project = re.sub(r"[-_.]+", "-", wheel.name.partition("-")[0]).lower()
            page = self._site / "simple" / project
            page.mkdir(parents=True, exist_ok=True)
            shutil.copy2(wheel, page / wheel.name)
            with (page / "index.html").open("a") as index:
                index.write(f'<a href="{wheel.name}#sha256={digest_of(wheel)}">{wheel.name}</a>\n')
        (self._site / "simple" / "index.html").write_text("packages\n")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        with _started(["nginx", "-c", str(self._config)], (self.address, self.port)):
            yield


def digest_of(wheel: Path) -> str:
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def private_wheel(directory: Path, version: str = "1.0") -> Path:
    """Make a package that no public index has."""
    name = PRIVATE_PACKAGE.replace("-", "_")
    path = directory / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", "ANSWER = 42\n")
        wheel.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: {PRIVATE_PACKAGE}\nVersion: {version}\n",
        )
        wheel.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(
            f"{info}/RECORD",
            f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
        )
    return path


def installers(directory: Path) -> None:
    """Fetch the wheels of what installs the others, as environment.lock pins them."""
    lock = (REPOSITORY / "environment.lock").read_text()
    for name in ("uv", "setuptools"):
        (pinned,) = re.findall(rf"(?m)^{name}==[^\s;]+", lock)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        process.run([*command, "--only-binary", ":all:", "--dest", str(directory), pinned])


def lock_of(wheels: Path) -> str:
    """Return a lock of exactly these wheels."""
    entries = []
    for wheel in sorted(wheels.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        entries.append(f"{name.replace('_', '-')}=={version} --hash=sha256:{digest_of(wheel)}\n")
    return "".join(entries)


@dataclass(frozen=True)
class Company:
    """A proxy, a server behind it that a private authority vouches for, and where they are kept."""

    directory: Path
    authority: Authority
    proxy: Tinyproxy
    server: TlsServer

    @property
    def https_proxy(self) -> str:
        return f"http://ada:{PROXY_PASSWORD}@{self.proxy.place}"

    @property
    def index_url(self) -> str:
        return f"https://bob:{INDEX_PASSWORD}@{self.server.place}/simple/"

    def shell(self, **changes: str) -> dict[str, str]:
        """Return what a person has in their shell; the big image's packages are everybody's."""
        return {
            "HTTPS_PROXY": self.https_proxy,
            "HTTP_PROXY": self.https_proxy,
            "CA_BUNDLE": str(self.authority.bundle),
            **changes,
        }

    def through_the_proxy(self, place: str = "") -> int:
        """Return how many connections to a place, the server's if not named, the proxy made."""
        wanted = f"CONNECT {place or self.server.place} "
        return sum(line.startswith(wanted) for line in self.proxy.asked())

    def wheels(self) -> Path:
        """Serve a package index: three packages, one of which nobody else has."""
        directory = self.directory / "wheels"
        directory.mkdir()
        installers(directory)
        private_wheel(directory)
        self.server.put_wheels(directory)
        return directory


@contextlib.contextmanager
def company() -> Iterator[Company]:
    """Run all of it, on this machine."""
    directory = Path(tempfile.mkdtemp(prefix="slipway-proxy-"))
    directory.chmod(0o755)
    authority = Authority(directory / "authority.pem")
    proxy = Tinyproxy(directory, f"ada:{PROXY_PASSWORD}")
    address = gateway()
    certificate = authority.issue(address, directory)
    server = TlsServer(directory, address, certificate, f"bob:{INDEX_PASSWORD}")
    with proxy.running(), server.running():
        yield Company(directory, authority, proxy, server)
    shutil.rmtree(directory)


@contextlib.contextmanager
def resolver(address: str, records: Mapping[str, str]) -> Iterator[None]:
    """Run a DNS server that knows ``records``, and nothing else."""
    known = [f"--address=/{name}/{target}" for name, target in records.items()]
    command = [
        "dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--bind-interfaces",
        f"--listen-address={address}", "--except-interface=lo", "--pid-file=", *known,
    ]  # fmt: skip
    # Another process's tests may hold that address's only port 53.
    with (Path(tempfile.gettempdir()) / "slipway-resolver.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        with _started(command, (address, 53)):
            yield


@contextlib.contextmanager
def behind_tls(
    directory: Path, place: str, certificate: tuple[Path, Path], server: str
) -> Iterator[None]:
    """Run a real nginx that ends TLS at ``place`` and passes all on to ``server``."""
    cert, key = certificate
    address, _, port = place.rpartition(":")
    config = directory / "front.conf"
    config.write_text(f"""
        daemon off; pid {directory}/front.pid; error_log {directory}/front.log;
        {"user root;" if os.getuid() == 0 else ""}
        events {{}}
        http {{
            access_log off; client_max_body_size 0;
            server {{
                listen {place} ssl;
                ssl_certificate {cert}; ssl_certificate_key {key};
                location / {{ proxy_pass http://{server}; proxy_set_header Host $http_host; }}
            }}
        }}
    """)
    with _started(["nginx", "-c", str(config)], (address, int(port))):
        yield


@contextlib.contextmanager
def _started(command: list[str], address: tuple[str, int]) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as started:
        try:
            end = time.monotonic() + _WAIT_S
            while True:
                try:
                    socket.create_connection(address, timeout=1).close()
                except OSError:
                    alive = started.poll() is None and time.monotonic() < end
                    assert alive, f"{command[0]} does not answer"
                    time.sleep(0.05)
                else:
                    break
            yield
        finally:
            started.terminate()
