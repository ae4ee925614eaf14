"""What a call carries, where it may go, and which answers count."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.settings import Role
from shared.settings.http import header_object
from shared.settings.parsers import Refused
from tests.unit.settings.cases import loaded, problem, problems

FILE = __file__
SECRET = base64.b64encode(b"hush" * 6).decode()


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("200", {200}),
        ("200,202, 204,", {200, 202, 204}),
        ("202", {202}),
        ("2xx", set(range(200, 300))),
        (" 2XX ,200", set(range(200, 300))),
    ],
)
def test_the_answers_that_count_are_listed_or_a_whole_hundred(text: str, codes: set[int]) -> None:
    assert loaded(WEBHOOK_SUCCESS_CODES=text).webhook.success_codes == codes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("302", "'302' is no status from 200 to 299"),
        ("200,503,404", "'503', '404' is no status"),
        ("3xx", "'3xx' is no status"),
        ("20", "'20' is no status"),
        ("200-204", "'200-204' is no status"),
        ("200 204", "such as 200,202,204, or 2xx for all"),
        ("OK", "'ok' is no status"),
        ("٢٠٠", "is no status"),
        (",", "names no status; for example WEBHOOK_SUCCESS_CODES=200"),
    ],
)
def test_an_answer_that_cannot_mean_delivered_is_refused(text: str, said: str) -> None:
    assert said in problem(WEBHOOK_SUCCESS_CODES=text)


@pytest.mark.parametrize("text", [SECRET, f"whsec_{SECRET}", base64.b64encode(b"x" * 25).decode()])
def test_a_signing_secret_is_kept_as_it_is(text: str) -> None:
    webhook = loaded(WEBHOOK_SECRET=text, WEBHOOK_SECRET_PREVIOUS=SECRET).webhook
    assert (webhook.secret, webhook.secret_previous) == (text, SECRET)


@pytest.mark.parametrize("name", ["WEBHOOK_SECRET", "WEBHOOK_SECRET_PREVIOUS"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hush", "is 3 bytes long once decoded, at least 24 are needed"),
        (base64.b64encode(b"x" * 23).decode(), "is 23 bytes long"),
        ("whsec_", "is 0 bytes long"),
        ("hush hush hush", "contains a space or a line break"),
        (SECRET + "\n", "contains a space or a line break"),
        (SECRET + "=", "is not base64"),
        (SECRET[:-1], "is not base64"),
        (SECRET + "_-_-", "is not base64"),
        ("whsec_whsec_" + SECRET, "is not base64"),
        ("whsk_" + SECRET, "is not base64"),
        ("hüsh" * 10, "make one with: openssl rand -base64 32"),
    ],
)
def test_any_other_signing_secret_is_refused_and_not_shown(name: str, text: str, said: str) -> None:
    line = problems(**{"WEBHOOK_SECRET": SECRET, name: text})[0]
    assert line.startswith(f"{name}='***' (environment): ")
    assert said in line
    assert text.strip() not in line


def test_headers_are_pairs_in_their_order() -> None:
    text = '{"X-Api-Key": "hush \\u00e9 %s", "x-empty": "", "Cookie": "a=b; c=\\"d\\""}'
    assert loaded(WEBHOOK_HEADERS=text).webhook.headers == (
        ("X-Api-Key", "hush é %s"),
        ("x-empty", ""),
        ("Cookie", 'a=b; c="d"'),
    )
    assert loaded(WEBHOOK_HEADERS="{}").webhook.headers == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("X-Key: hush", "is not JSON"),
        ("{'X-Key': 'hush'}", "is not JSON"),
        ('{"X-Key": "hush"', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('["X-Key", "hush"]', "is not a JSON object"),
        ('[["X-Key", "hush"]]', "is not a JSON object"),
        ('"hush"', "is not a JSON object"),
        ("null", "is not a JSON object"),
        ('{"X-Key": 1}', "the value of the header X-Key is no text"),
        ('{"X-Key": null}', "the value of the header X-Key is no text"),
        ('{"X-Key": ["hush"]}', "the value of the header X-Key is no text"),
        ('{"X-Key": {"hush": "hush"}}', "the value of the header X-Key is no text"),
        ('{"X-Key": "hush\\r\\nX-Evil: 1"}', "the value of the header X-Key contains a line break"),
        ('{"X-Key": "hush\\n"}', "the value of the header X-Key contains a line break"),
        ('{"X-Key": "hush\\u0000"}', "the value of the header X-Key contains a line break or another character"),
        ('{"X-Key": "hush\\u20ac"}', "the value of the header X-Key contains a character that an HTTP header cannot carry"),
        ('{"X-Key": "hush\\ud83d"}', "the value of the header X-Key contains"),
        ('{"A": "b", "": "hush"}', "header 2 has a name that cannot be a header's"),
        ('{"X Key": "hush"}', "header 1 has a name"),
        ('{"hush:": "x"}', "header 1 has a name"),
        ('{"X-Key\\r\\nX-Evil": "hush"}', "header 1 has a name"),
        ('{"X-Kéy": "hush"}', "header 1 has a name"),
        ('{"X-Key\\n": "hush"}', "header 1 has a name"),
        ('{"X-Key": "hush", "x-key": "hush"}', "sets the header x-key twice"),
        ('{"X-Key": "hush", "X-Key": "other"}', "sets the header x-key twice"),
        ('{"Authorization": "hush"}', "use AUTHORIZATION"),
        ('{"proxy-authorization": "hush"}', "put user and password into WEBHOOK_PROXY"),
        ('{"HOST": "hush"}', "sets the header HOST, which is not yours to set"),
        ('{"Content-Length": "1"}', "is not yours to set"),
        ('{"Content-Type": "text/plain"}', "is not yours to set"),
        ('{"Transfer-Encoding": "chunked"}', "is not yours to set"),
        ('{"Connection": "close"}', "is not yours to set"),
        ('{"User-Agent": "x"}', "is not yours to set"),
        ('{"Webhook-Id": "x"}', "is not yours to set"),
        ('{"webhook-anything": "x"}', "is not yours to set"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused_and_its_value_not_shown(text: str, said: str) -> None:
    line = problem(WEBHOOK_HEADERS=text)
    assert line.startswith("WEBHOOK_HEADERS='***' (environment): ")
    assert said in line
    assert "; " in line
    assert "hush" not in line
    assert "\n" not in line


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=9) | st.none(), max_size=4).map(json.dumps) | st.text())
def test_whatever_stands_there_only_what_can_be_sent_is_a_header(text: str) -> None:
    with contextlib.suppress(Refused):
        headers = header_object().read(text)
        assert isinstance(headers, tuple)
        for name, value in headers:
            line = f"{name}: {value}"
            assert name.isascii()
            assert line.isprintable()
            assert line.encode("latin-1").decode("latin-1") == line


def test_headers_and_secrets_are_nowhere_to_be_seen() -> None:
    text = '{"X-Api-Key": "hush\\u00e9-hush", "X-Stage": "prod"}'
    settings = loaded(WEBHOOK_HEADERS=text, WEBHOOK_SECRET=SECRET, WEBHOOK_PROXY="http://me:hush@proxy:1")
    assert {text, "hushé-hush", SECRET, "hush"} <= set(settings.secrets())
    assert "prod" not in settings.secrets(), "it is no secret, and may stand in many a line of the log"
    assert "hush" not in repr(settings.rows()) + repr(settings) + repr(settings.webhook)
    assert SECRET not in repr(settings.rows()) + repr(settings) + repr(settings.webhook)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "[fe80::1]",
        "[fe80::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[::ffff:100.100.100.200]",
        "[64:ff9b::169.254.169.254]",
        "[2002:a9fe:a9fe::1]",
    ],
)
@pytest.mark.parametrize("allow_private", ["true", "false"])
def test_a_place_that_hands_out_credentials_is_never_a_webhook(host: str, allow_private: str) -> None:
    line = problem(WEBHOOK_URL=f"http://{host}/latest/meta-data", WEBHOOK_ALLOW_PRIVATE=allow_private)
    assert line.startswith("WEBHOOK_URL=")
    assert "is a link-local or cloud-metadata address" in line


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "100.64.0.1", "0.0.0.0", "[::1]", "[fc00::1]", "[::ffff:10.0.0.1]"],
)
def test_a_private_address_is_the_operators_choice(host: str) -> None:
    url = f"http://{host}/hook"
    assert loaded(WEBHOOK_URL=url).webhook.url == url
    assert problem(WEBHOOK_URL=url, WEBHOOK_ALLOW_PRIVATE="false").startswith(
        f"WEBHOOK_URL={url!r} (environment) and WEBHOOK_ALLOW_PRIVATE='false' (environment): the address is not a public one; "
    )


@pytest.mark.parametrize("host", ["8.8.8.8", "[2606:4700::1111]", "localhost", "receiver.internal"])
def test_a_public_address_is_taken_and_a_name_is_judged_when_it_is_resolved(host: str) -> None:
    assert not loaded(WEBHOOK_URL=f"https://{host}/", WEBHOOK_ALLOW_PRIVATE="false").webhook.allow_private


def test_a_proxy_to_the_webhook_is_read_like_the_one_to_auth0() -> None:
    assert loaded(WEBHOOK_PROXY="http://me:you@proxy:3128").webhook.proxy == "http://me:you@proxy:3128"


@pytest.mark.parametrize(
    ("environ", "first", "second"),
    [
        ({"WEBHOOK_SECRET_PREVIOUS": SECRET}, "WEBHOOK_SECRET_PREVIOUS='***'", "WEBHOOK_SECRET (not set)"),
        ({"WEBHOOK_CLIENT_KEY": FILE}, "WEBHOOK_CLIENT_KEY=", "WEBHOOK_CLIENT_CERT (not set)"),
        (
            {"WEBHOOK_URL": "http://example.com/", "WEBHOOK_CLIENT_CERT": FILE},
            "WEBHOOK_CLIENT_CERT=",
            "WEBHOOK_URL='http://example.com/'",
        ),
        (
            {"WEBHOOK_CONNECT_TIMEOUT": "3", "WEBHOOK_TIMEOUT": "2"},
            "WEBHOOK_CONNECT_TIMEOUT='3' (environment)",
            "WEBHOOK_TIMEOUT='2' (environment)",
        ),
        ({"WEBHOOK_CONNECT_TIMEOUT": "31"}, "WEBHOOK_CONNECT_TIMEOUT='31' (environment)", "WEBHOOK_TIMEOUT='30' (default)"),
    ],
)
def test_what_does_not_go_together_is_refused_and_both_settings_named(environ: dict[str, str], first: str, second: str) -> None:
    line = problem(Role.CONSUME, **environ)
    assert line.startswith(first)
    assert f" and {second}" in line
    assert "; " in line


def test_what_goes_together_is_taken() -> None:
    assert loaded(WEBHOOK_CLIENT_CERT=FILE).webhook.client_key is None, "a file may hold the certificate and its key"
    assert loaded(WEBHOOK_CLIENT_CERT=FILE, WEBHOOK_CLIENT_KEY=FILE, WEBHOOK_URL="HTTPS://example.com/").webhook.client_key
    assert loaded(WEBHOOK_TIMEOUT="2").webhook.connect_timeout == 5, "the total bounds it, and nobody asked for more"
    assert loaded(WEBHOOK_TIMEOUT="2", WEBHOOK_CONNECT_TIMEOUT="2").webhook.connect_timeout == 2
