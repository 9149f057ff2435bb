"""What became of reaching something: which layer failed, how programs say so, what to do next."""

from __future__ import annotations

import re
from dataclasses import dataclass

LAYERS = ("name", "TCP", "proxy", "TLS", "host key", "auth", "answer")
HINTS = {
    "name": "Is the name right, and does this machine resolve it? A VPN's names may need its DNS "
    "server in /etc/docker/daemon.json.",
    "TCP": "Nothing answers there, or a firewall drops it. Behind a proxy set HTTPS_PROXY in .env.",
    "proxy": "Set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT in the environment or .env, and "
    "NO_PROXY for what is near.",
    "TLS": "Behind a proxy that opens TLS, set CA_BUNDLE in .env to a file with its certificate.",
    "host key": "The server's key is not the one in ~/.ssh/known_hosts. If it was really changed: "
    "`ssh-keygen -R HOST`, then connect once outside.",
    "auth": "Look at the credentials: `ssh-add -l` for git over SSH, AWS keys in .env for S3.",
    "answer": "The server is there, but does not answer as it should.",
}
"""What to do next, by the layer that failed; see :func:`hint_for`."""
IPV6_ONLY = "IPv6 only"
IPV6_HINT = 'Switch IPv6 on in the engine: "ipv6" and "ip6tables" in /etc/docker/daemon.json.'
NOT_INSIDE = "is a directory that is not inside"
_CREDENTIALS = re.compile(r"//[^/@\s]*@")
_SIGNS = {
    "proxy": (r"\b407\b", "proxy authentication", "proxy connect aborted", "from proxy after"),
    "name": (
        "resolve host", "name or service not known", "name resolution", "no address associated",
        "nodename nor servname",
    ),
    "host key": ("host key verification failed", "host identification has changed"),
    "TLS": ("certificate", r"\bssl", r"\btls"),
    "auth": (
        "permission denied", "authentication failed", "could not read (username|password)",
        "access ?denied", "forbidden", "unauthori[sz]ed", r"\b40[13]\b", "no ?credentials",
        "locate credentials", "invalidaccesskey", "signature ?does ?not ?match", "expiredtoken",
        # S3's own words, of which s3fs drops the codes.
        "signature we calculated", "access key id you provided", "the provided token",
        "terminal prompts disabled",
    ),
    "TCP": (
        "refused", "timed? ?out", "no route", "unreachable", "could(n't| not) connect",
        "failed to connect", "endpoint url", "reset by peer", "cannot assign requested address",
    ),
}  # fmt: skip
"""How git, ssh, curl and botocore say that a layer failed; the most telling first."""


@dataclass(frozen=True)
class Reached:
    """What became of reaching something.

    Attributes:
        layer: The layer that failed, one of :data:`LAYERS`; empty where all is well.
        seen: What was seen; never a credential.
        elapsed_s: Seconds until it was known.
    """

    layer: str
    seen: str
    elapsed_s: float


def hint_for(found: Reached) -> str:
    """Return what to do next; empty where all is well."""
    if found.layer == "TCP" and IPV6_ONLY in found.seen:
        return IPV6_HINT
    if NOT_INSIDE in found.seen:
        return "Fetch and push outside, or give the remote an address that SSH or HTTPS reaches."
    if found.layer == "TLS" and "expired" in found.seen:
        return "Who runs it must renew it; or this machine's clock is wrong (`date`)."
    return HINTS[found.layer] if found.layer else ""


def layer_of(text: str) -> str:
    """Return the layer that a program's own message tells of; ``answer`` where it tells of none."""
    for layer, signs in _SIGNS.items():
        if re.search("|".join(signs), text, re.IGNORECASE):
            return layer
    return "answer"


def masked(text: str) -> str:
    """Return a text without the credentials of URLs in it."""
    return _CREDENTIALS.sub("//***@", text)
