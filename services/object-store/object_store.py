#!/opt/swift/bin/python
"""A small OpenStack Swift that speaks S3: write its configuration, run its servers, check them.

::

    object-store serve    run until SIGTERM; exit with 1 as soon as one server dies
    object-store check    list the buckets with a signed request; exit with 1 if that fails

One replica on one directory, no background daemons: what is written stays, but space of deleted
objects' tombstones is not reclaimed. It is meant for trying things out on a loopback address,
which is why its credentials have defaults: OBJECT_STORE_ACCESS_KEY (``ACCOUNT:USER``) and
OBJECT_STORE_SECRET_KEY.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import errno
import hashlib
import hmac
import http.client
import os
import pwd
import re
import signal
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any, Dict, NamedTuple, NoReturn

DATA = Path("/srv/object-store")
"""The volume: ``disk`` holds the objects, ``etc`` what is written here."""
S3_PORT = 8080
REGION = "us-east-1"
SERVERS = {"object": 6200, "container": 6201, "account": 6202}
"""The three servers behind the proxy and their ports, all on the container's own loopback."""
PATIENCE_S = 60
"""How long one server waits for another. Swift's own 0.5 to 10 s make a busy laptop put an object's
listing entry off to a daemon that does not run here, and so lose it from the listing."""
STOP_S = 5

Options = Dict[str, Any]
"""The options of one section of a configuration file."""


class Credentials(NamedTuple):
    """The one S3 user."""

    access_key: str
    secret_key: str


def main() -> int:
    """Do what the first argument says and return the exit code."""
    parser = argparse.ArgumentParser(prog="object-store", description="Swift with its S3 API.")
    parser.add_argument("command", choices=("serve", "check"))
    command = parser.parse_args().command
    credentials = read_credentials()
    if command == "check":
        return check(credentials)
    require_xattrs(DATA)
    write_configuration(DATA / "etc", DATA / "disk", credentials)
    write_rings(DATA / "etc")
    return supervise(DATA / "etc")


def fail(message: str) -> NoReturn:
    """End with a message for a person."""
    sys.exit(f"object-store: {message}")


def read_credentials() -> Credentials:
    """Read the credentials from the environment, refusing what Swift's files cannot hold."""
    access_key = os.environ.get("OBJECT_STORE_ACCESS_KEY") or "slipway:demo"
    secret_key = os.environ.get("OBJECT_STORE_SECRET_KEY") or "slipway-demo"
    if not re.fullmatch(r"[A-Za-z0-9-]+:[A-Za-z0-9-]+", access_key):
        fail("OBJECT_STORE_ACCESS_KEY must be ACCOUNT:USER, of letters, digits and hyphens.")
    if not re.fullmatch(r"[A-Za-z0-9/+=_.-]+", secret_key):
        fail("OBJECT_STORE_SECRET_KEY may hold letters, digits and / + = _ . - only.")
    return Credentials(access_key, secret_key)


def require_xattrs(data: Path) -> None:
    """Try an extended attribute before anything is stored: Swift keeps its metadata in them."""
    probe = data / ".xattr-probe"
    try:
        probe.touch()
        os.setxattr(probe, "user.slipway", b"1")
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            fail(f"{data} is on a filesystem without user xattrs; use ext4, xfs or btrfs.")
        fail(f"cannot write to {data}, which must belong to uid {os.getuid()}: {error.strerror}.")
    finally:
        probe.unlink(missing_ok=True)


def write_configuration(etc: Path, disk: Path, credentials: Credentials) -> None:
    """Write what the servers read. It follows the environment, so it is written at every start."""
    etc.mkdir(mode=0o700, parents=True, exist_ok=True)
    (disk / "d1").mkdir(parents=True, exist_ok=True)
    common = {
        "swift_dir": etc,
        "user": pwd.getpwuid(os.getuid()).pw_name,
        "workers": 0,  # one process, no fork: small, and its exit is seen
        "log_level": "WARNING",
    }
    # Names of objects on disk depend on these two: they must never change.
    write_ini(etc / "swift.conf", {
        "swift-hash": {"swift_hash_path_prefix": "slipway", "swift_hash_path_suffix": "demo"},
        "storage-policy:0": {"name": "one-copy", "default": "yes"},
    })  # fmt: skip
    for server, port in SERVERS.items():
        write_ini(etc / f"{server}-server.conf", {
            "DEFAULT": {
                **common,
                "devices": disk,
                "mount_check": "false",
                "disable_fallocate": "true",
                "bind_ip": "127.0.0.1",
                "bind_port": port,
                "conn_timeout": PATIENCE_S,
                "node_timeout": PATIENCE_S,
                "container_update_timeout": PATIENCE_S,
            },
            "pipeline:main": {"pipeline": f"{server}-server"},
            f"app:{server}-server": {"use": f"egg:swift#{server}"},
        })  # fmt: skip
    write_ini(etc / "proxy-server.conf", proxy_configuration(common, credentials))


def proxy_configuration(common: Options, credentials: Credentials) -> dict[str, Options]:
    """Return the proxy's sections: S3 in front, one user, no memcached."""
    account, user = credentials.access_key.split(":")
    filters = {
        "catch_errors": {},
        "gatekeeper": {},
        "proxy-logging": {"use": "egg:swift#proxy_logging"},
        "listing_formats": {},
        "bulk": {},
        "s3api": {
            "location": REGION,
            "s3_acl": "no",
            "allow_no_owner": "true",
            "check_bucket_owner": "false",
        },
        "tempauth": {f"user_{account}_{user}": f"{credentials.secret_key} .admin"},
        "slo": {},  # multipart uploads
        "dlo": {},
        "versioned_writes": {"allow_object_versioning": "true"},
        "symlink": {},
    }
    pipeline = [*filters, "proxy-logging", "proxy-server"]
    return {
        "DEFAULT": {**common, "bind_ip": "0.0.0.0", "bind_port": S3_PORT},  # noqa: S104  a container's
        "pipeline:main": {"pipeline": " ".join(pipeline)},
        "app:proxy-server": {
            "use": "egg:swift#proxy",
            "account_autocreate": "true",
            "allow_account_management": "true",
            "conn_timeout": PATIENCE_S,
            "node_timeout": PATIENCE_S,
            "recoverable_node_timeout": PATIENCE_S,
        },
        **{
            f"filter:{name}": {"use": f"egg:swift#{name}", **options}
            for name, options in filters.items()
        },
    }


def write_ini(path: Path, sections: dict[str, Options]) -> None:
    """Write one configuration file that only its owner reads: the proxy's holds the secret key."""
    lines = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        lines.extend(f"{key} = {value}" for key, value in options.items())
        lines.append("")
    temporary = path.with_suffix(".new")
    temporary.touch(mode=0o600)
    temporary.write_text("\n".join(lines), encoding="utf-8")
    temporary.replace(path)


def write_rings(etc: Path) -> None:
    """Write which device holds which partition, once: moving it would orphan the objects."""
    missing = [name for name in SERVERS if not (etc / f"{name}.ring.gz").exists()]
    if not missing:
        return
    from swift.common.ring import RingBuilder  # noqa: PLC0415  `check` runs often and needs none

    for name in missing:
        builder = RingBuilder(1, 1, 1)  # 2 partitions, 1 replica, 1 hour between moves
        builder.add_dev({
            "id": 0, "region": 1, "zone": 1, "weight": 1.0, "device": "d1", "meta": "",
            "ip": "127.0.0.1", "port": SERVERS[name],
            "replication_ip": "127.0.0.1", "replication_port": SERVERS[name],
        })  # fmt: skip
        builder.rebalance(seed="slipway")
        temporary = etc / f"{name}.ring.new"
        builder.get_ring().save(str(temporary))
        temporary.replace(etc / f"{name}.ring.gz")


def supervise(etc: Path) -> int:
    """Run the servers until SIGTERM or SIGINT, or until one ends by itself."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    servers = {
        name: subprocess.Popen([f"swift-{name}-server", etc / f"{name}-server.conf", "--verbose"])
        for name in (*SERVERS, "proxy")
    }
    ended: list[str] = []
    while not ended and not stopping.wait(0.2):
        ended = [name for name, server in servers.items() if server.poll() is not None]
    for server in servers.values():
        server.terminate()
    deadline = time.monotonic() + STOP_S
    for server in servers.values():
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(max(0.0, deadline - time.monotonic()))
        server.kill()  # nothing happens to one that has ended
    if ended:
        fail(f"the {ended[0]} server ended with exit code {servers[ended[0]].returncode}.")
    return 0


def check(credentials: Credentials) -> int:
    """List the buckets: signed (AWS signature 2, the short one), so all of the pipeline answers."""
    date = formatdate(usegmt=True)
    to_sign = f"GET\n\n\n{date}\n/".encode()
    digest = hmac.new(credentials.secret_key.encode(), to_sign, hashlib.sha1).digest()
    signature = base64.b64encode(digest).decode()
    connection = http.client.HTTPConnection("127.0.0.1", S3_PORT, timeout=4)  # no proxy in between
    try:
        headers = {"Date": date, "Authorization": f"AWS {credentials.access_key}:{signature}"}
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
    except OSError as error:
        fail(f"nothing answers on port {S3_PORT}: {error}")
    finally:
        connection.close()
    if b"ListAllMyBucketsResult" not in body:
        fail(f"no bucket list on port {S3_PORT}: {answer.status} {answer.reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
