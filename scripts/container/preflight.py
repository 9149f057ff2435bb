"""Before a build: would the package index refuse it? A build tries for minutes before it says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

from scripts.crossing.reach import reach
from scripts.crossing.reached import Reached, hint_for, masked
from scripts.errors import ContainerError

if TYPE_CHECKING:
    from scripts.progress import Progress
    from scripts.settings import NetworkSettings

Preflight = Callable[["NetworkSettings", Optional[Path], "Progress"], Optional[Reached]]
"""Takes and raises what :func:`require_index` does."""
_REFUSALS = ("proxy", "TLS", "auth")
"""Layers that fail for every package. A name or a server out of reach may be a machine without a
network, whose build finds all that it needs in its cache."""
_TIMEOUT_S = 4.0


def require_index(
    network: NetworkSettings, ca_bundle: Path | None, progress: Progress
) -> Reached | None:
    """Ask from the host, with the proxy and the certificates that the build will use.

    Returns:
        What is out of reach, ``None`` where the index answers.

    Raises:
        ContainerError: The proxy or the index refuses, or its certificate is not trusted.
    """
    wanted = {"http": network.http_proxy, "https": network.https_proxy}
    proxies = {scheme: proxy for scheme, proxy in wanted.items() if proxy is not None}
    if any(proxy.scheme != "http" for proxy in proxies.values()):
        return None  # curl and pip know such proxies, reach does not
    urls = {scheme: proxy.url for scheme, proxy in proxies.items()}
    url = network.indexes.url or _default_index()
    if not url.startswith("http"):
        return None
    with progress.phase("asking the package index"):
        around = {"no": network.no_proxy} if network.no_proxy else {}
        found = reach(url, proxies={**urls, **around}, ca_bundle=ca_bundle, timeout_s=_TIMEOUT_S)
    if found.layer in _REFUSALS and not found.seen.endswith("answers 403"):
        raise ContainerError(
            f"The build would get no packages: {masked(found.seen)}.", hint=hint_for(found)
        )
    if found.layer not in ("name", "TCP"):
        return None
    progress.say(f"The package index is out of reach ({found.seen}): what is cached has to do.")
    return found


def _default_index() -> str:
    try:
        from pip._internal.models.index import PyPI  # noqa: PLC0415  nothing else says pip's default
    except ImportError:  # a host without pip: then there is no preflight
        return ""
    return str(PyPI.simple_url)
