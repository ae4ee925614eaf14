"""Addresses that mean one thing only."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.settings.address import server_list, webhook_url
from shared.settings.parsers import Refused
from tests.unit.settings.cases import loaded, problem


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "HTTPS://Example.com/a/@b?c=d&e",
        "http://localhost:8080/",
        "http://receiver:65535/x_y/%C3%A9",
        "http://127.0.0.1:1",
        "https://[::1]:8443/hook",
        "https://xn--bcher-kva.example/",
        "https://example.com/" + "x" * 2028,
    ],
)
def test_a_usual_url_is_taken_as_it_is(url: str) -> None:
    assert loaded(WEBHOOK_URL=url).webhook.url == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("example.com/hook", "has no scheme; put https:// in front"),
        ("localhost:8080", "has no scheme"),
        ("//example.com", "has no scheme"),
        ("ftp://example.com", "has the scheme 'ftp'; use https://"),
        ("file:///etc/passwd", "has the scheme 'file'"),
        ("https://", "has no host"),
        ("https:///hook", "has no host"),
        ("https://:443/", "has no host"),
        ("https://?x", "has no host"),
        ("https://me:you@example.com", "user or password"),
        ("https://me@example.com", "user or password"),
        ("https://@example.com", "user or password"),
        ("https://example.com/#part", "a fragment"),
        ("https://example.com/#", "a fragment"),
        ("https://example.com:0/", "has port 0"),
        ("https://example.com:65536/", "its host or port cannot be read"),
        ("https://example.com:https/", "its host or port cannot be read"),
        ("https://example.com:-1/", "its host or port cannot be read"),
        ("https://[::1/", "its host or port cannot be read"),
        ("https://[fe80::1%25eth0]/", "neither a name nor an address"),
        ("https://[::g]/", "host"),
        ("https://example.com./", "neither a name nor an address"),
        ("https://exa..mple.com/", "neither a name nor an address"),
        ("https://-a.com/", "neither a name nor an address"),
        ("https://2130706433/", "neither a name nor an address"),
        ("https://0x7f.1/", "neither a name nor an address"),
        ("https://127.0.0.01/", "neither a name nor an address"),
        ("https://127.1/", "neither a name nor an address"),
        ("https://example.com/a b", "a space or line break"),
        (" https://example.com/", "a space or line break"),
        ("https://example.com/\r\nX: y", "a space or line break"),
        ("https://example.com\\@evil.example", "the character"),
        ("https://${HOST}/hook", "the character '{'"),
        ("https://bücher.example/", "xn-- in the host"),
        ("https://example.com/" + "x" * 2029, "is 2049 characters long"),
    ],
)
def test_any_other_url_is_refused(url: str, said: str) -> None:
    line = problem(WEBHOOK_URL=url)
    assert line.startswith("WEBHOOK_URL='")
    assert said in line
    assert "; " in line.split("(environment): ")[1]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:hush@example.com", "https://me:***@example.com"),
        ("https://hush@example.com", "https://***@example.com"),
        ("https://me:hu@sh@example.com", "https://me:***@example.com"),
        ("https://me:hu/sh@example.com", "https://***"),
        ("https://me:hu?sh@example.com", "https://***"),
        ("https://me:hu#sh@example.com", "https://***"),
        ("https://me:hu\nsh@example.com", "https://***"),
        ("me:hush@example.com", "***"),
        ("https:/me:hush@example.com", "***"),
        ("ftp://example.com/?key=hush", "ftp://example.com/?***"),
        ("ftp://example.com/@me?to=x@y", "ftp://example.com/@me?***"),
    ],
)
def test_a_password_is_masked_in_a_refused_url_too(url: str, shown: str) -> None:
    assert problem(WEBHOOK_URL=url).startswith(f"WEBHOOK_URL={shown!r} (environment)")


@given(st.text(max_size=40) | st.text("https:/@.?#[]%0x1: ", max_size=40).map("https://".__add__))
def test_whatever_stands_there_is_read_or_refused(text: str) -> None:
    kind = webhook_url()
    for part in kind.hidden(text):
        assert 0 <= part.start < part.stop <= len(text)
    with contextlib.suppress(Refused):
        assert kind.read(text) == text


@pytest.mark.parametrize(
    ("given_", "domain", "base_url"),
    [
        ("acme.eu.auth0.com", "acme.eu.auth0.com", "https://acme.eu.auth0.com"),
        ("Acme.EU.auth0.com/", "acme.eu.auth0.com", "https://acme.eu.auth0.com"),
        ("https://acme.eu.auth0.com/", "https://acme.eu.auth0.com", "https://acme.eu.auth0.com"),
        ("http://127.0.0.1:4010", "http://127.0.0.1:4010", "http://127.0.0.1:4010"),
        ("http://tenant:4010", "http://tenant:4010", "http://tenant:4010"),
        ("http://[::1]:4010", "http://[::1]:4010", "http://[::1]:4010"),
        ("http://10.1.2.3", "http://10.1.2.3", "http://10.1.2.3"),
    ],
)
def test_a_domain_is_a_host_or_a_simulators_url(given_: str, domain: str, base_url: str) -> None:
    auth0 = loaded(AUTH0_DOMAIN=given_).auth0
    assert (auth0.domain, auth0.base_url, auth0.audience) == (domain, base_url, f"{base_url}/api/v2/")
    assert loaded(AUTH0_DOMAIN=given_, AUTH0_AUDIENCE="other").auth0.audience == "other"


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        ("acme", "is not a whole host name"),
        ("https://acme.eu.auth0.com/api/v2", "a host name alone"),
        ("acme.eu.auth0.com?x", "a host name alone"),
        ("me@acme.eu.auth0.com", "a host name alone"),
        ("acme eu", "a space"),
        ("ftp://acme.eu.auth0.com", "has the scheme 'ftp'"),
        ("/", "has no host"),
        ("http://acme.eu.auth0.com", "would send the client secret without TLS"),
        ("http://tenant.internal:4010", "would send the client secret without TLS"),
        ("http://8.8.8.8", "would send the client secret without TLS"),
        ("http://[2606:4700::1111]", "would send the client secret without TLS"),
    ],
)
def test_any_other_domain_is_refused(domain: str, said: str) -> None:
    assert said in problem(AUTH0_DOMAIN=domain)


def test_a_proxy_is_scheme_host_and_port() -> None:
    assert loaded(AUTH0_PROXY="http://me:you@proxy:3128").auth0.proxy == "http://me:you@proxy:3128"
    assert "scheme, host and port alone" in problem(AUTH0_PROXY="http://proxy:3128/path")
    assert "has the scheme 'socks5'" in problem(AUTH0_PROXY="socks5://proxy:1080")


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("kafka:9092", ("kafka:9092",)),
        (" a:1 ,b:2, ", ("a:1", "b:2")),
        ("a:1,b:2,a:1", ("a:1", "b:2")),
        ("[::1]:9092,10.0.0.1:9092", ("[::1]:9092", "10.0.0.1:9092")),
    ],
)
def test_servers_are_listed_with_commas(text: str, servers: tuple[str, ...]) -> None:
    assert server_list().read(text) == servers


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:1,broker2", "'broker2' has no port (write broker2:9092"),
        ("[::1]", "'[::1]' has no port"),
        ("::1:9092", "is not host:port"),
        ("[abc]:1", "is not host:port"),
        ("a:", "is not host:port"),
        (":9092", "is not host:port"),
        ("a:0", "is not host:port"),
        ("a:65536", "is not host:port"),
        ("a:b", "is not host:port"),
        ("a_b/c:1", "is not host:port"),
        ("a:1 b:2", "separate servers by commas"),
        ("SASL_SSL://a:1", "without a scheme"),
        ("me:hush@a:1", "does not belong here"),
        (" , ", "names no server"),
    ],
)
def test_a_server_that_is_not_host_and_port_is_named(text: str, said: str) -> None:
    line = problem(KAFKA_BOOTSTRAP_SERVERS=text)
    assert said in line
    assert "hush" not in line
    assert "for example KAFKA_BOOTSTRAP_SERVERS=kafka-1:9092,kafka-2:9092" in line


def test_every_wrong_server_is_named() -> None:
    assert {"'b'", "'c'"} <= set(problem(KAFKA_BOOTSTRAP_SERVERS="a:1,b,c").split())
