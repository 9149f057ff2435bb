"""git http-backend behind a real web server that asks for an account, as a forge does."""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import process
from tests.integration.ssh_server import gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.git_site import Site
    from tests.integration.proxy_site import Authority


PLANTED = "planted-credential-7d2e"
"""The password of the account that `web_remote` serves to."""


@contextlib.contextmanager
def web_remote(site: Site, authority: Authority) -> Iterator[str]:
    """Serve the bare repository behind TLS, to ada, as the remote ``web``; yield the server's URL.

    What crosses of it crosses with the next `up`.
    """
    certificate = authority.issue(gateway(), authority.path.parent)
    site.person.variables["CA_BUNDLE"] = str(authority.bundle)
    with git_server(site.bare.parent, gateway(), f"ada:{PLANTED}", certificate) as url:
        site.person.git("remote", "add", "web", f"{url}/bare.git")
        yield url


@contextlib.contextmanager
def git_server(
    repositories: Path, address: str, account: str, certificate: tuple[Path, Path]
) -> Iterator[str]:
    """Serve ``repositories`` to ``account`` (``NAME:PASSWORD``) alone; yield the server's URL."""
    name, _, password = account.partition(":")
    with tempfile.TemporaryDirectory(prefix="slipway-http-") as made:
        directory = Path(made)
        (directory / "accounts").write_text(f"{name}:{{PLAIN}}{password}\n")
        with socket.socket() as free:
            free.bind((address, 0))
            port = int(free.getsockname()[1])
        (directory / "nginx.conf").write_text(
            _configuration(directory, repositories, f"{address}:{port}", certificate)
        )
        gateway = ["/usr/sbin/fcgiwrap", "-s", f"unix:{directory}/gateway"]
        server = ["/usr/sbin/nginx", "-c", f"{directory}/nginx.conf", "-e", "stderr"]
        with _started(gateway) as first, _started(server) as last:
            try:
                _wait(address, port)
                yield f"https://{address}:{port}"
            finally:
                last.terminate()
                first.terminate()


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    nothing = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing)


def _configuration(
    directory: Path, repositories: Path, place: str, certificate: tuple[Path, Path]
) -> str:
    backend = Path(process.run(["git", "--exec-path"]).stdout.strip()) / "git-http-backend"
    assert backend.is_file(), f"{backend} is not installed"
    user = f"user {pwd.getpwuid(os.getuid()).pw_name};" if os.getuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {directory}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    parameters = {
        "SCRIPT_FILENAME": backend,
        "GIT_PROJECT_ROOT": repositories,
        "GIT_HTTP_EXPORT_ALL": '""',
        "PATH_INFO": "$uri",
        "QUERY_STRING": "$query_string",
        "REQUEST_METHOD": "$request_method",
        "CONTENT_TYPE": "$content_type",
        "CONTENT_LENGTH": "$content_length",
        "REMOTE_USER": "$remote_user",
        "REMOTE_ADDR": "$remote_addr",
    }
    passed = "".join(f"fastcgi_param {name} {value};\n" for name, value in parameters.items())
    return f"""
daemon off; pid {directory}/pid; {user}
events {{}}
http {{
access_log off; client_max_body_size 0; {temporary}
server {{
    listen {place} ssl;
    ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};
    location / {{
        auth_basic "git"; auth_basic_user_file {directory}/accounts;
        fastcgi_pass unix:{directory}/gateway;
        {passed}
    }}
}}
}}
"""


def _wait(address: str, port: int) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            assert time.monotonic() < end, "the web server does not answer"
            time.sleep(0.05)
        else:
            return
