"""Who needs no key: programs on this machine, where nobody else can get here."""

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Request
from pydantic import SecretStr

from openfaith_pipeline.service.access import is_local, trusts_this_machine
from openfaith_pipeline.settings import Settings


def call(
    headers: list[tuple[str, str]], *, client: str = "127.0.0.1", version: str = "1.1", trusts: bool = True
) -> Request:
    state = SimpleNamespace(state=SimpleNamespace(trusts_this_machine=trusts))
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": version,
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "client": (client, 5000),
        "app": state,
    }
    return Request(scope)


@pytest.mark.parametrize("host", ["localhost:3020", "127.0.0.1", "[::1]:3020"])
def test_a_program_here_calls_by_a_local_name(host: str) -> None:
    assert is_local(call([("host", host)]))


@pytest.mark.parametrize(
    "header",
    [
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "x-client-ip",
        "x-original-url",
        "true-client-ip",
        "fastly-client-ip",
        "cf-connecting-ip",
        "cf-ray",
        "cdn-loop",
        "x-amzn-trace-id",
        "x-envoy-external-address",
        "x-request-id",
        "client-ip",
        "x-azure-clientip",
        "x-appengine-user-ip",
        "x-nginx-proxy",
        "x-varnish",
        "proxy-connection",
        "max-forwards",
    ],
)
def test_a_sign_of_a_proxy_ends_it(header: str) -> None:
    assert not is_local(call([("host", "localhost"), (header, "x")]))


def test_the_protocol_of_a_bare_proxy_ends_it() -> None:
    assert not is_local(call([("host", "localhost")], version="1.0"))


@pytest.mark.parametrize("hosts", [[], [""], ["evil.example"], ["[zz]"], ["localhost", "localhost"], ["10.0.0.1"]])
def test_an_odd_host_ends_it(hosts: list[str]) -> None:
    assert not is_local(call([("host", host) for host in hosts]))


def test_another_machine_or_a_page_of_another_site_is_not_local() -> None:
    assert not is_local(call([("host", "localhost")], client="10.0.0.9"))
    assert not is_local(call([("host", "localhost"), ("origin", "https://evil.example")]))
    assert not is_local(call([("host", "localhost"), ("origin", "null")]))


def test_nobody_is_local_where_strangers_are_expected() -> None:
    assert not is_local(call([("host", "localhost")], trusts=False))


@pytest.mark.parametrize(
    ("change", "host", "trusts"),
    [
        ({}, "127.0.0.1", True),
        ({}, "::1", True),
        ({}, "localhost", True),
        ({}, "0.0.0.0", False),  # noqa: S104 - the case under test
        ({}, "::", False),
        ({}, "192.168.1.7", False),
        ({"public_url": "https://sync.example.org"}, "127.0.0.1", False),
        ({"public_url": "http://127.0.0.1:3020"}, "127.0.0.1", True),
        ({"api_keys": (SecretStr("app:key"),)}, "127.0.0.1", False),
    ],
)
def test_this_machine_is_trusted_only_where_nobody_else_can_call(
    change: dict[str, Any], host: str, trusts: bool
) -> None:
    assert trusts_this_machine(Settings().model_copy(update=change), host) is trusts
