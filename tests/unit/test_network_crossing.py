"""Proxies, package indexes and routes: what is planned for them, as tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scripts.crossing.network_plan import plan_network
from scripts.crossing.proxies import (
    ProxyPlan,
    export_proxies,
    plan_proxies,
    relay_commands,
    with_relays,
)
from scripts.crossing.relay import authorized
from scripts.crossing.routes import Routes, near_resolver, smaller_mtu, why_build_on_host
from scripts.errors import SettingsError
from scripts.settings import NetworkSettings, read_settings
from scripts.settings.indexes import read_indexes, without_account
from scripts.settings.values import Proxy, read_proxy

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "planted-pass word"
FAR = Proxy("http", "proxy.example.com", 3128)
FAR_ACCOUNT = Proxy("http", "proxy.example.com", 3128, "ada", PASSWORD)
NEAR = Proxy("http", "127.0.0.1", 3128)


def planned(
    proxy: Proxy | None,
    *,
    sockets_cross: bool = True,
    no_proxy: str = "",
    http: Proxy | None = None,
) -> ProxyPlan:
    network = NetworkSettings(http_proxy=http, https_proxy=proxy, no_proxy=no_proxy)
    return plan_proxies(network, services=["object-store"], sockets_cross=sockets_cross)


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("", None),
        ("proxy.example.com:3128", FAR),
        ("http://proxy.example.com:3128/", FAR),
        ("http://ada:planted-pass%20word@proxy.example.com:3128", FAR_ACCOUNT),
        ("https://proxy.example.com", Proxy("https", "proxy.example.com", 443)),
        ("socks5h://[::1]", Proxy("socks5h", "::1", 1080)),
    ],
)
def test_a_proxy_is_read_as_curl_reads_it(text: str, proxy: Proxy | None) -> None:
    assert read_proxy(text) == proxy


@pytest.mark.parametrize("text", ["http://[::1", "ftp://ada:planted@p", "http://", "p:port"])
def test_a_malformed_proxy_is_refused_without_its_value(text: str, tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"HTTPS_PROXY .from the environment. is not valid"
    ) as e:
        read_settings(tmp_path, {"HTTPS_PROXY": text})
    assert "planted" not in str(e.value) + str(e.value.hint)


def test_a_proxy_is_never_shown_with_its_password() -> None:
    assert "planted" not in repr(FAR_ACCOUNT) + repr(planned(FAR_ACCOUNT, sockets_cross=False))


def test_small_letters_go_first_and_one_for_all_last(tmp_path: Path) -> None:
    environ = {"https_proxy": "a:1", "HTTPS_PROXY": "b:1", "ALL_PROXY": "c:1", "no_proxy": "x,y"}
    network = read_settings(tmp_path, environ).network
    assert network.https_proxy == Proxy("http", "a", 1)
    assert network.http_proxy == Proxy("http", "c", 1)
    assert network.proxy_names == (
        "ALL_PROXY", "HTTPS_PROXY", "NO_PROXY", "all_proxy", "https_proxy", "no_proxy",
    )  # fmt: skip
    environ = {"HTTP_PROXY": "own:1"}
    export_proxies(network, environ)
    assert environ["http_proxy"] == "http://c:1", "apt reads small letters only"
    assert environ["https_proxy"] == environ["HTTPS_PROXY"] == "http://a:1"
    assert environ["HTTP_PROXY"] == "own:1"
    assert environ["no_proxy"] == "x,y"


def test_a_far_proxy_without_an_account_is_used_as_it_is() -> None:
    plan = planned(FAR, no_proxy="intern.example.com,localhost")
    assert plan.environment["https_proxy"] == "http://proxy.example.com:3128"
    assert plan.environment["HTTPS_PROXY"] == plan.environment["https_proxy"]
    around = "intern.example.com,localhost,127.0.0.1,host.docker.internal,object-store"
    assert plan.environment["no_proxy"] == plan.environment["NO_PROXY"] == around
    assert not plan.relayed
    assert not plan.by_value
    assert planned(None, no_proxy="x").environment == {}, "without a proxy there is nothing around"


@pytest.mark.parametrize("proxy", [NEAR, FAR_ACCOUNT, Proxy("https", "::1", 443, "ada", PASSWORD)])
def test_a_near_proxy_or_one_with_an_account_is_reached_through_relays(proxy: Proxy) -> None:
    plan = planned(proxy, http=proxy)
    (relayed,) = plan.relayed
    assert relayed.proxy == proxy
    for key in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        assert plan.environment[key] == "http://127.0.0.1:31280"
    (command,) = relay_commands(plan.relayed)
    listening = "unix:/run/slipway/workspace/.slipway/proxy/http.sock"
    assert f"tcp:127.0.0.1:31280 {listening} --proxy" in command
    assert "planted" not in json.dumps([plan.environment, command, plan.notes])


def test_two_proxies_have_two_relays() -> None:
    plan = planned(FAR_ACCOUNT, http=NEAR)
    assert [one.port for one in plan.relayed] == [31280, 31281]
    assert [one.socket for one in plan.relayed] == [
        ".slipway/proxy/http.sock",
        ".slipway/proxy/https.sock",
    ]


@pytest.mark.parametrize(
    ("proxy", "sockets_cross", "environment", "by_value"),
    [
        (NEAR, False, "http://host.docker.internal:3128", None),
        (FAR_ACCOUNT, False, None, "http://ada:planted-pass%20word@proxy.example.com:3128"),
        (Proxy("socks5", "localhost", 1080), True, "socks5h://127.0.0.1:31280", None),
        (Proxy("socks5", "s.test", 1, "ada", "p"), True, None, "socks5://ada:p@s.test:1"),
    ],
)
def test_where_no_relay_can_be(
    proxy: Proxy, sockets_cross: bool, environment: str | None, by_value: str | None
) -> None:
    plan = planned(proxy, sockets_cross=sockets_cross)
    assert plan.environment.get("https_proxy") == environment
    assert plan.by_value.get("https_proxy") == by_value
    assert bool(plan.notes) == bool(by_value), "a person is told that an editor has none"


def test_a_command_runs_as_it_is_where_there_is_no_relay() -> None:
    assert with_relays(["sleep", "9"], ()) == ["sleep", "9"]
    assert with_relays(["sleep", "9"], planned(NEAR).relayed)[3:] == ["sh", "sleep", "9"]


def test_an_account_is_added_once_and_a_plain_request_is_the_only_one() -> None:
    tunnel = b"CONNECT i.test:443 HTTP/1.1\r\nHost: i.test\r\nProxy-Authorization: Basic x\r\n\r\n"
    assert authorized(tunnel, "Basic YQ==") == (
        b"CONNECT i.test:443 HTTP/1.1\r\nHost: i.test\r\nProxy-Authorization: Basic YQ==\r\n\r\n"
    )
    plain = b"GET http://i.test/ HTTP/1.1\r\nHost: i.test\r\nConnection: keep-alive\r\n\r\n"
    assert authorized(plain, "Basic YQ==") == (
        b"GET http://i.test/ HTTP/1.1\r\nHost: i.test\r\n"
        b"Proxy-Authorization: Basic YQ==\r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("proxy", "routes", "why"),
    [
        (None, Routes(), ""),
        (FAR, Routes(), ""),
        (NEAR, Routes(), "the proxy 127.0.0.1:3128"),
        (None, Routes(near_resolver="127.0.0.1"), "the DNS server 127.0.0.1"),
        (None, Routes(ipv6_only=True), "IPv6 only"),
        (None, Routes(mtu=1400), "larger than 1400 bytes"),
        (None, Routes(mtu=1400, bridge_mtu=1400), ""),
        (None, Routes(mtu=9000), ""),
    ],
)
def test_why_a_build_needs_the_hosts_own_network(
    proxy: Proxy | None, routes: Routes, why: str
) -> None:
    found = why_build_on_host(NetworkSettings(https_proxy=proxy), routes)
    assert why in found
    assert bool(why) == bool(found)


def test_the_containers_network_takes_no_larger_packets_than_the_way_out() -> None:
    assert smaller_mtu(Routes(mtu=1400)) == 1400
    assert smaller_mtu(Routes(mtu=9000)) is None


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("nameserver 10.0.0.1\nnameserver 127.0.0.1\n", ""),
        ("search example.com\nnameserver 127.0.0.1 # dnsmasq\nnameserver ::1\n", "127.0.0.1"),
        ("nameserver 127.0.0.53\n", ""),
        ("", ""),
        ("nameserver nonsense\n", ""),
    ],
)
def test_a_resolver_is_near_if_all_are(text: str, near: str) -> None:
    assert near_resolver(text) == near


@pytest.mark.parametrize(
    ("changes", "on_host", "mtu", "note"),
    [
        ({}, True, 1400, "built on this machine's own network"),
        ({"in_vm": True}, False, None, ""),
        ({"rootless": True}, False, None, "rootless engine's builds cannot reach"),
    ],
)
def test_the_plan_by_where_the_engine_runs(
    changes: dict[str, bool], on_host: bool, mtu: int | None, note: str
) -> None:
    network = NetworkSettings(https_proxy=NEAR, proxy_names=("HTTPS_PROXY",))
    where = {"in_vm": False, "rootless": False, **changes}
    plan = plan_network(network, Routes(mtu=1400), services=(), engine_version="26.1.5", **where)
    assert (plan.build_on_host, plan.mtu) == (on_host, mtu)
    assert note in " ".join(plan.notes)
    in_vm = "http://host.docker.internal:3128" if where["in_vm"] else None
    assert plan.build_proxies == {"HTTPS_PROXY": in_vm}


@pytest.mark.parametrize(
    ("version", "servers", "told"),
    [("24.0.5", (), True), ("26.1.5", (), False), ("24.0.5", ("10.0.0.1",), False)],
)
def test_an_old_engine_cannot_ask_a_near_resolver(
    version: str, servers: tuple[str, ...], told: bool
) -> None:
    plan = plan_network(
        NetworkSettings(dns_servers=servers), Routes(near_resolver="127.0.0.1"), services=(),
        in_vm=False, rootless=False, engine_version=version,
    )  # fmt: skip
    assert any("DNS_SERVERS" in note for note in plan.notes) == told
    assert plan.dns_servers == servers


def test_dns_servers_are_addresses(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {"DNS_SERVERS": "10.0.0.1, ::1"}).network.dns_servers == (
        "10.0.0.1",
        "::1",
    )
    with pytest.raises(SettingsError, match=r"DNS_SERVERS.*'ns.example.com' is not an IP address"):
        read_settings(tmp_path, {"DNS_SERVERS": "ns.example.com"})


def test_ipv6_only_is_said() -> None:
    plan = plan_network(
        NetworkSettings(), Routes(ipv6_only=True), services=(), in_vm=False, rootless=False,
        engine_version="26",
    )  # fmt: skip
    assert any("IPv6 only, but the engine's" in note for note in plan.notes)
    assert plan.build_on_host


# --- package indexes ----------------------------------------------------------------------------


def test_an_index_of_a_variable_is_found_by_compose_itself(tmp_path: Path) -> None:
    values = {"PIP_INDEX_URL": "https://a:planted@i.test/simple", "UV_INDEX": "x=https://x.test y"}
    indexes = read_indexes(values, {}, tmp_path)
    assert indexes.variables == {"index": "PIP_INDEX_URL", "extra_index": "UV_INDEX"}
    assert indexes.extra == ("https://x.test", "y")
    assert not indexes.by_file
    assert not indexes.for_build()
    assert indexes.for_commands()["UV_DEFAULT_INDEX"] == values["PIP_INDEX_URL"]
    assert "planted" not in repr(indexes)
    assert without_account(indexes.url) == "https://i.test/simple"


def test_pips_own_file_counts_where_no_variable_is_set(tmp_path: Path) -> None:
    conf = tmp_path / ".config" / "pip" / "pip.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(
        "[global]\nindex-url = https://i.test/simple\n"
        "extra-index-url =\n  file:///opt/wheels\n  https://more.test/simple\n"
    )
    (tmp_path / ".netrc").write_text("machine i.test login ada password pl@nted\n")
    (tmp_path / ".netrc").chmod(0o600)
    indexes = read_indexes({}, {"NETRC": str(tmp_path / ".netrc")}, tmp_path)
    assert indexes.url == "https://ada:pl%40nted@i.test/simple"
    assert indexes.extra == ("https://more.test/simple",), "a directory is not there inside"
    assert indexes.found_in == str(conf)
    assert indexes.for_build() == {
        "SLIPWAY_INDEX_URL": indexes.url,
        "SLIPWAY_EXTRA_INDEX_URL": "https://more.test/simple",
    }
    assert read_indexes({}, {"PIP_CONFIG_FILE": "/dev/null"}, tmp_path).url == ""


def test_a_password_of_netrc_makes_an_index_of_a_variable_a_secret_of_its_own(
    tmp_path: Path,
) -> None:
    (tmp_path / ".netrc").write_text("machine i.test login ada password planted\n")
    indexes = read_indexes({"UV_DEFAULT_INDEX": "https://i.test/simple"}, {}, tmp_path)
    assert indexes.variables == {"index": "SLIPWAY_INDEX_URL"}
    assert indexes.by_file


def test_no_index_means_nothing_is_passed(tmp_path: Path) -> None:
    conf = tmp_path / "pip.conf"
    conf.write_text("[global]\nextra-index-url = file:///opt/simple\nfind-links = /opt/wheels\n")
    indexes = read_indexes({}, {"PIP_CONFIG_FILE": str(conf), "NETRC": "/no"}, tmp_path)
    assert (indexes.url, indexes.extra, dict(indexes.variables)) == ("", (), {})
    assert not indexes.for_commands()
