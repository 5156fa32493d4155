"""Proxies and certificates as the environment names them: followed, or refused by name and without a value."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline.network import certificates
from openfaith_pipeline.network.certificates import tls_context
from openfaith_pipeline.network.clients import client_options, post_json
from openfaith_pipeline.network.proxies import proxy_for, proxy_of
from openfaith_pipeline.planning_center import PersonalAccessToken, PlanningCenterClient
from openfaith_pipeline.planning_center.products import Product
from openfaith_pipeline.planning_center.token_endpoint import OAuthApplication, TokenEndpoint
from openfaith_pipeline_tests.certificates import make_certificate

API = "https://api.example.org"
NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def _proxy(url: str = API) -> str | None:
    return proxy_of(url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "socks5://pl4nted:1080"),
        ("ALL_PROXY", "socks5h://pl4nted:1080"),
        ("HTTPS_PROXY", "http://alice:pl4nted#1@127.0.0.1:9"),
        ("HTTPS_PROXY", "http://alice:1#pl4nted@127.0.0.1:9"),
        ("https_proxy", "http://alice:pl4/nted@127.0.0.1:9"),
        ("HTTPS_PROXY", "http://[pl4nted:9"),
        ("HTTPS_PROXY", "http://pl4nted:99999"),
        ("HTTPS_PROXY", "http://"),
        ("HTTPS_PROXY", "http://pl4 nted"),
        ("SSL_CERT_FILE", "/pl4nted/ca.pem"),
        ("SSL_CERT_DIR", "/pl4nted"),
        ("SSLKEYLOGFILE", "/pl4nted/keys"),
    ],
)
def test_a_setting_that_cannot_be_followed_is_refused_by_name_for_every_client(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates._usual_context.cache_clear()
    monkeypatch.setenv(name, value)
    clients: list[Any] = [
        lambda: client_options(httpx.URL(API)),
        lambda: TokenEndpoint(OAuthApplication(API, "id", SecretStr("x"))),
        lambda: post_json(f"{API}/hook", {}, timeout=1),
        lambda: asyncio.run(_ask(API)),
    ]
    for client in clients:
        with pytest.raises(ConfigurationError, match=name) as refused:
            client()
        assert "pl4" not in str(refused.value)
        assert refused.value.__cause__ is None


def test_a_file_without_certificates_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE does not name certificates in PEM"):
        tls_context()


def test_a_proxy_is_followed_with_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "other.example:3128")
    assert _proxy() == "http://other.example:3128"
    monkeypatch.setenv("HTTPS_PROXY", "http://alice:s3cretpw%231@proxy.example:9")
    assert _proxy() == "http://alice:s3cretpw%231@proxy.example:9"
    assert _proxy("http://api.example.org") == "http://other.example:3128"
    proxy = proxy_for(httpx.URL(API))
    assert proxy is not None
    assert proxy.user == ("alice", "s3cretpw#1")
    assert "s3cret" not in repr(proxy)
    options = client_options(httpx.URL(API))
    assert (options["trust_env"], str(options["proxy"].url)) == (False, "http://proxy.example:9")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://127.8.8.8", "http://[::1]:9", "http://localhost"])
def test_nothing_stands_between_us_and_our_own_machine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "socks5://proxy.example:1080")
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent/ca.pem")
    assert client_options(httpx.URL(url))["proxy"] is None


@pytest.mark.parametrize(
    ("value", "exempt", "others"),
    [
        ("fd07:b51a:cc66:f0::/64", ["http://[fd07:b51a:cc66:f0::5]"], ["http://[fd08::1]", API]),
        ("[fd07::1]", ["http://[fd07::1]:8080"], ["http://[fd07::2]", API]),
        ("[fd07::1]:8080", ["http://[fd07::1]:8080"], ["http://[fd07::1]"]),
        ("10.0.0.0/8, 192.0.2.7", ["http://10.1.2.3", "http://192.0.2.7"], ["http://192.0.2.8"]),
        ("example.org", [API, "https://example.org"], ["https://notexample.org"]),
        (".example.org", [API], ["https://example.net"]),
        ("*.example.org api.example.net:8443", [API, "https://api.example.net:8443"], ["https://api.example.net"]),
        ("https://api.example.org/", [API], ["https://example.net"]),
        ("*", [API, "http://10.1.2.3"], []),
    ],
)
def test_no_proxy_takes_names_addresses_and_networks(
    value: str, exempt: list[str], others: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", value)
    assert [url for url in exempt if _proxy(url)] == []
    assert [url for url in others if not _proxy(url)] == []


@pytest.mark.parametrize("value", ["fd07::/640", "[pl4nted]", "10.0.0.0/33", "pl4nted?x", "host:pl4nted"])
def test_no_proxy_that_cannot_be_read_is_refused_where_it_counts(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", value)
    assert _proxy() is None
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    with pytest.raises(ConfigurationError, match="NO_PROXY") as refused:
        _proxy()
    assert value not in str(refused.value)


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[str]:
    """An https server of this machine whose certificate nobody has signed."""
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.new_event_loop()

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0, ssl=context))
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_certificate_that_is_not_trusted_is_reported_at_once(impostor: str) -> None:
    asking: list[Any] = [
        lambda: asyncio.run(_ask(impostor)),
        lambda: TokenEndpoint(OAuthApplication(impostor, "id", SecretStr("x"))).refresh(SecretStr("y")),
    ]
    for ask in asking:
        with pytest.raises(
            ConfigurationError, match=r"127\.0\.0\.1 shows is not trusted .*set SSL_CERT_FILE"
        ) as refused:
            ask()
        assert refused.value.__cause__ is None
        assert refused.value.__context__ is None


async def _ask(url: str) -> None:
    async with PlanningCenterClient(url, PersonalAccessToken("id", SecretStr("secret"))) as client:
        await client.get("/people/v2", {}, product=Product.PEOPLE)
