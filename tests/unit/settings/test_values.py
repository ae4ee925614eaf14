"""What an option takes, what it refuses, and what a person reads then."""

from __future__ import annotations

import base64
import contextlib
import json
import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.log_types import table
from shared.parsers import InvalidValue, seconds, text_of, whole
from shared.settings import DeliverySettings, FilterSettings, WebhookSettings
from shared.settings.headers import header_object
from shared.settings.option import Option
from shared.settings.urls import webhook_url
from shared.words import BatchForm
from tests.unit.settings.cases import OPTIONS, error, errors, loaded, role_of, value

SECRET = base64.b64encode(b"hush" * 6).decode()
AS_THEY_ARE = {
    "WEBHOOK_URL": [
        "https://example.com", "HTTPS://Example.com/a/@b?c=d&e", "http://localhost:8080/", "http://receiver:65535/x_y/%C3%A9",
        "http://127.0.0.1:1", "https://[::1]:8443/hook", "https://xn--bcher-kva.example/", "https://example.com/" + "x" * 2028,
        # A private address is the operator's choice.
        *(f"http://{host}/hook" for host in ("10.1.2.3", "192.168.0.1", "172.16.0.1", "100.64.0.1", "0.0.0.0")),
        *(f"http://{host}/hook" for host in ("[fc00::1]", "[::ffff:10.0.0.1]")),
    ],
    "AUTH0_PROXY": ["http://me:you@proxy:3128"],
    "WEBHOOK_PROXY": ["http://me:you@proxy:3128"],
    "WEBHOOK_SECRET": [SECRET, f"whsec_{SECRET}", base64.b64encode(b"x" * 25).decode()],
    "AUTH0_AUDIENCE": ["other"],
}  # fmt: skip
TAKEN = [
    *((name, text, text) for name, texts in AS_THEY_ARE.items() for text in texts),
    ("BATCH_SIZE", "7", 7),
    ("POLL_INTERVAL", ".5", 0.5),
    ("BATCH_LINGER", "0", 0.0),
    ("WEBHOOK_RATE_LIMIT", "2.5", 2.5),
    ("LOG_TYPES", "s, f ,", {"s", "f"}),
    ("VERBOSITY", "DEBUG", "debug"),
    ("WEBHOOK_ORDERING", "None", "none"),
    ("SEND_AS_BATCH", "Lines", "lines"),
    ("WEBHOOK_ALLOW_PRIVATE", "FALSE", False),
    ("WEBHOOK_SUCCESS_CODES", "200,202, 204,", {200, 202, 204}),
    ("WEBHOOK_SUCCESS_CODES", " 2XX ,200", set(range(200, 300))),
    ("KAFKA_BOOTSTRAP_SERVERS", " a:1 ,b:2,a:1, ", ("a:1", "b:2")),
    ("KAFKA_BOOTSTRAP_SERVERS", "[::1]:9092,10.0.0.1:9092", ("[::1]:9092", "10.0.0.1:9092")),
    ("WEBHOOK_HEADERS", "{}", ()),
    (
        "WEBHOOK_HEADERS",
        '{"X-Api-Key": "hush \\u00e9 %s", "x-empty": "", "Cookie": "a=b; c=\\"d\\""}',
        (("X-Api-Key", "hush é %s"), ("x-empty", ""), ("Cookie", 'a=b; c="d"')),
    ),
]
_NO_HOSTS = "[fe80::1%25eth0] a.b. a..b -a.com 2130706433 0x7f.1 127.0.0.01 127.1"
_NOT_YOURS = "Content-Length Content-Type Transfer-Encoding Connection User-Agent Webhook-Id webhook-any"
_NO_HEADER_NAME = "has a name that cannot be a header's"
_CREDENTIALS = """
    169.254.169.254 169.254.0.1 [fe80::1] [fe80::a9fe:a9fe] [fd00:ec2::254] 100.100.100.200 [::ffff:169.254.169.254]
    [::ffff:a9fe:a9fe] [::ffff:100.100.100.200] [64:ff9b::169.254.169.254] [2002:a9fe:a9fe::1]
"""
_SIGNING = {
    "is 3 bytes long once decoded, at least 24 are needed": ["hush"],
    "is 23 bytes long": [base64.b64encode(b"x" * 23).decode()],
    "is 0 bytes long": ["whsec_"],
    "contains a space or a line break": ["hush hush hush", SECRET + "\n"],
    "is not base64": [SECRET + "=", SECRET[:-1], SECRET + "_-_-", "whsec_whsec_" + SECRET, "whsk_" + SECRET],
    "make one with: openssl rand -base64 32": ["hüsh" * 10],
}
#: Name → a part of what is said → texts.
REFUSED = {
    "WEBHOOK_URL": {
        "has no scheme; put https:// in front": ["example.com/hook", "localhost:8080", "//example.com"],
        "has the scheme 'ftp'; use https://": ["ftp://example.com"],
        "has the scheme 'file'": ["file:///etc/passwd"],
        "has no host": ["https://", "https:///hook", "https://:443/", "https://?x"],
        "user or password": ["https://me:you@example.com", "https://me@example.com", "https://@example.com"],
        "a fragment": ["https://example.com/#part", "https://example.com/#"],
        "has port 0": ["https://example.com:0/"],
        "its host or port cannot be read": [
            *(f"https://example.com:{port}/" for port in ("65536", "https", "-1")), "https://[::1/",
        ],
        "host": ["https://[::g]/"],
        "neither a name nor an address": [f"https://{host}/" for host in _NO_HOSTS.split()],
        "a space or line break": ["https://example.com/a b", " https://example.com/", "https://example.com/\r\nX: y"],
        "the character": ["https://example.com\\@evil.example"],
        "the character '{'": ["https://${HOST}/hook"],
        "xn-- in the host": ["https://bücher.example/"],
        "is 2049 characters long": ["https://example.com/" + "x" * 2029],
        "is a link-local or cloud-metadata address": [f"http://{host}/latest/meta-data" for host in _CREDENTIALS.split()],
    },
    "AUTH0_DOMAIN": {
        "is not a whole host name": ["acme"],
        "a host name alone": ["https://acme.eu.auth0.com/api/v2", "acme.eu.auth0.com?x", "me@acme.eu.auth0.com"],
        "a space": ["acme eu"],
        "has the scheme 'ftp'": ["ftp://acme.eu.auth0.com"],
        "has no host": ["/"],
        "would send the client secret without TLS": [
            "http://acme.eu.auth0.com", "http://tenant.internal:4010", "http://8.8.8.8", "http://[2606:4700::1111]",
        ],
    },
    "PII_FIELDS": {
        "'emails' is no field of personal data; did you mean email?": ["emails,phone"],
        "'zip' is no field of personal data; the fields are first_name": ["zip"],
        "must name a field at least": [" , "],
    },
    "PII_HASH_KEY": {"is shorter than 16 characters; `openssl rand -base64 32` makes": ["abc", "x" * 15]},
    "AUTH0_PROXY": {"scheme, host and port alone": ["http://proxy:3128/path"], "scheme 'socks5'": ["socks5://proxy:1080"]},
    "WEBHOOK_PROXY": {
        "has no scheme": ["proxy:3128"], "scheme 'socks5'": ["socks5://p:1"], "scheme, host and port alone": ["http://p:1/x"],
    },
    "KAFKA_BOOTSTRAP_SERVERS": {
        "'broker2' has no port (write broker2:9092": ["a:1,broker2"],
        "'[::1]' has no port": ["[::1]"],
        "'b' has no port (write b:9092, if that is the one), 'c' has no port": ["a:1,b,c"],
        "is not host:port": ["::1:9092", "[abc]:1", "a:", ":9092", "a:0", "a:65536", "a:b", "a_b/c:1"],
        "separate servers by commas": ["a:1 b:2"],
        "without a scheme": ["SASL_SSL://a:1"],
        "does not belong here": ["me:hush@a:1"],
        "names no server; for example KAFKA_BOOTSTRAP_SERVERS=kafka-1:9092,kafka-2:9092": [" , "],
    },
    "WEBHOOK_SUCCESS_CODES": {
        "'302' is no status from 200 to 299": ["302"],
        "'503', '404' is no status": ["200,503,404"],
        "is no status": ["3xx", "20", "200-204", "OK", "٢٠٠"],
        "such as 200,202,204, or 2xx for all": ["200 204"],
        "names no status; for example WEBHOOK_SUCCESS_CODES=200": [","],
    },
    "WEBHOOK_SECRET": _SIGNING,
    "WEBHOOK_SECRET_PREVIOUS": _SIGNING,
    "WEBHOOK_HEADERS": {
        "is not JSON": ["X-Key: hush", "{'X-Key': 'hush'}", '{"X-Key": "hush"', "[" * 100_000],
        "is not a JSON object": ['["X-Key", "hush"]', '[["X-Key", "hush"]]', '"hush"', "null"],
        "the value of the header X-Key is no text": [
            f'{{"X-Key": {json_value}}}' for json_value in ("1", "null", '["hush"]', '{"hush": "hush"}')
        ],
        "the value of the header X-Key contains a line break or another character": [
            f'{{"X-Key": "hush{escape}"}}' for escape in ("\\r\\nX-Evil: 1", "\\n", "\\u0000")
        ],
        "the value of the header X-Key contains a character that an HTTP header cannot carry": ['{"X-Key": "hush\\u20ac"}'],
        "the value of the header X-Key contains": ['{"X-Key": "hush\\ud83d"}'],
        f"header 2 {_NO_HEADER_NAME}": ['{"A": "b", "": "hush"}'],
        f"header 1 {_NO_HEADER_NAME}": [
            f'{{"{name}": "hush"}}' for name in ("X Key", "hush:", "X-Key\\r\\nX-Evil", "X-Kéy", "X-Key\\n")
        ],
        "sets the header x-key twice": ['{"X-Key": "hush", "x-key": "hush"}', '{"X-Key": "hush", "X-Key": "other"}'],
        "use AUTHORIZATION": ['{"Authorization": "hush"}'],
        "put user and password into WEBHOOK_PROXY": ['{"proxy-authorization": "hush"}'],
        "sets the header HOST, which is not yours to set": ['{"HOST": "hush"}'],
        "is not yours to set": [f'{{"{name}": "x"}}' for name in _NOT_YOURS.split()],
    },
    "AUTHORIZATION": {
        "a line break": ["Bearer a\r\nX-Evil: 1"],
        "an HTTP header cannot carry": ["Bearer 😀"],
        "cannot be seen": ["Bearer\xa0a"],
    },
    "AUTH0_CLIENT_ID": {"cannot be seen": ["a\tb"]},
    "LOG_LEVEL": {
        "0 debug, 1 info, 2 warning, 3 error, 4 critical; for example LOG_LEVEL=0": ["5", "in", "information"],
        "for events of this level and above set LOG_LEVEL=1; for this program's own log set VERBOSITY=info": ["info", " INFO"],
        "set LOG_LEVEL=3; for this program's own log set VERBOSITY=error": ["error", "Err"],
        "set LOG_LEVEL=4": ["critical"],
    },
    "VERBOSITY": {"one of debug, info, warning, error; for which Auth0 events are delivered, see LOG_LEVEL": ["3"]},
    "LOG_TYPES": {
        "'limit_w' is no log event type (did you mean limit_wc?)": ["s,limit_w"],
        "did you mean f?": ["Failed Login"],
        "`auth0-webhooks types` lists all types": ["qqqqq"],
    },
    "KAFKA_TOPIC": {
        "letters, digits, dots": ["auth0 logs", ".."],
        "1 to 238": ["t" * 239],
        "without .checkpoint, .dead or .control at the end": ["auth0.logs.dead", "auth0.logs.control"],
    },
    "KAFKA_GROUP": {"letters, digits, dots": ["a/b"], "without .poller at the end": ["auth0-webhooks.poller"]},
    "SQLITE_PATH": {"is a directory": ["/"]},
    "WEBHOOK_CLIENT_CERT": {"there is no such file": ["/no/such.pem"]},
    "WEBHOOK_CLIENT_KEY": {"cannot be read": ["/"]},
    "WEBHOOK_CA_FILE": {"there is no such file": ["/no/such.pem"]},
    "AUTH0_CA_FILE": {"cannot be read": ["/"]},
    "KAFKA_SSL_CAFILE": {"cannot be read": ["-----BEGIN CERTIFICATE-----" * 200]},
}  # fmt: skip
NUMBERS = [option for option in OPTIONS.values() if "number" in option.parser.says and option.name != "LOG_LEVEL"]
CHOICES = [option for option in OPTIONS.values() if option.parser.says.startswith("one of `")]


def _name(option: Option) -> str:
    return option.name


@pytest.mark.parametrize(("name", "text", "expected"), TAKEN)
def test_a_value_arrives_with_its_type(name: str, text: str, expected: object) -> None:
    assert value(loaded(**{name: text}), name) == expected


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [(name, text, said) for name, cases in REFUSED.items() for said, texts in cases.items() for text in texts],
)
def test_an_invalid_value_is_one_line_with_its_source_and_a_fix(name: str, text: str, said: str) -> None:
    line = error(**{"WEBHOOK_SECRET": SECRET, name: text})
    shown, _, rest = line.partition(" (environment): ")
    assert shown.startswith(f"{name}='")
    assert said in rest
    assert "; " in rest
    assert not [word for word in ("\n", "hush", "Input") if word in line]
    if OPTIONS[name].secret:
        assert shown == f"{name}='***'"
        assert text.strip() not in line


@pytest.mark.parametrize("host", _CREDENTIALS.split())
def test_a_host_that_hands_out_credentials_is_one_refusal_where_private_ones_are_refused_too(host: str) -> None:
    line = error(WEBHOOK_URL=f"http://{host}/", WEBHOOK_ALLOW_PRIVATE="false")
    assert "is a link-local or cloud-metadata address" in line


@pytest.mark.parametrize("option", NUMBERS, ids=_name)
def test_a_number_is_taken_within_the_bounds_that_the_documentation_says(option: Option) -> None:
    (word, low, high), says = (
        re.findall(r"(from|above) ([\d.]+),? (?:up )?to ([\d.]+)$", option.parser.says)[0],
        option.parser.says,
    )
    is_whole, least, most = says.startswith("whole"), float(low), float(high)
    for text in (high, text_of(least if word == "from" else least + 0.001)):
        assert option.parser.read(text) == float(text)
    below = least - 1 if is_whole else least - 0.0001 if word == "from" else least
    for text in (
        text_of(below),
        text_of(most + 1),
        "-1",
        "five",
        "5s",
        "nan",
        "inf",
        "1e400",
        "9" * 5000,
        *(["2.5"] if is_whole else []),
    ):
        with pytest.raises(InvalidValue, match=rf"^must be a {re.escape(says)}(, without a unit)?$"):
            option.parser.read(text)
    assert f"must be a {says}" in error(role_of(option.name), **{option.name: "none"})


@pytest.mark.parametrize("option", CHOICES, ids=_name)
def test_a_choice_is_taken_in_small_and_capital_letters(option: Option) -> None:
    names = re.findall(r"`(.*?)`", option.parser.says)
    for name in names:
        assert {text_of(option.parser.read(text)) for text in (name, name.upper(), f" {name.lower()} ")} == {name}
    assert f"must be one of {', '.join(names)};" in error(**{option.name: "TLS"})


def test_a_long_value_is_shortened() -> None:
    assert "(5000 characters)" in error(WINDOW="9" * 5000)
    assert len(error(WINDOW="9" * 5000)) < 300


@pytest.mark.parametrize("name", OPTIONS)
def test_every_default_and_every_example_could_have_been_written_down(name: str) -> None:
    option = OPTIONS[name]
    if text_of(option.default):
        assert option.parser.read(text_of(option.default)) == option.default
    if not option.example.startswith("/"):
        assert option.parser.read(option.example) is not None
    assert option.sentence


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:hush@example.com", "https://me:***@example.com"),
        ("https://hush@example.com", "https://***@example.com"),
        ("https://me:hu@sh@example.com", "https://me:***@example.com"),
        *((f"https://me:hu{character}sh@example.com", "https://***") for character in "/?#\n"),
        ("me:hush@example.com", "***"),
        ("https:/me:hush@example.com", "***"),
        ("ftp://example.com/?key=hush", "ftp://example.com/?***"),
        ("ftp://example.com/@me?to=x@y", "ftp://example.com/@me?***"),
    ],
)
def test_a_password_is_masked_in_an_invalid_url_too(url: str, shown: str) -> None:
    assert error(WEBHOOK_URL=url).startswith(f"WEBHOOK_URL={shown!r} (environment)")


@pytest.mark.parametrize(
    ("given_", "base_url"),
    [
        ("acme.eu.auth0.com", "https://acme.eu.auth0.com"),
        ("Acme.EU.auth0.com/", "https://acme.eu.auth0.com"),
        ("https://acme.eu.auth0.com/", "https://acme.eu.auth0.com"),
        *((url, url) for url in ["http://127.0.0.1:4010", "http://tenant:4010", "http://[::1]:4010", "http://10.1.2.3"]),
    ],
)
def test_a_domain_is_a_host_or_the_url_of_a_simulator(given_: str, base_url: str) -> None:
    auth0 = loaded(AUTH0_DOMAIN=given_).auth0
    assert auth0.domain == (base_url if "://" in given_ else base_url.removeprefix("https://"))
    assert (auth0.base_url, auth0.audience) == (base_url, f"{base_url}/api/v2/")


@given(st.text(max_size=40) | st.text("https:/@.?#[]%0x1: ", max_size=40).map("https://".__add__))
def test_any_text_is_taken_as_a_url_or_refused(text: str) -> None:
    assert webhook_url.hidden
    for part in webhook_url.hidden(text):
        assert 0 <= part.start < part.stop <= len(text)
    with contextlib.suppress(InvalidValue):
        assert webhook_url.read(text) == text


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=9) | st.none(), max_size=4).map(json.dumps) | st.text())
def test_of_any_text_only_what_can_be_sent_is_a_header(text: str) -> None:
    with contextlib.suppress(InvalidValue):
        headers = header_object.read(text)
        assert isinstance(headers, tuple)
        for name, content in headers:
            line = f"{name}: {content}"
            assert name.isascii()
            assert line.isprintable()
            assert line.encode("latin-1").decode("latin-1") == line


@given(st.floats(min_value=0, exclude_min=True, max_value=86400))
def test_seconds_survive_being_written_down(number: float) -> None:
    assert seconds().read(text_of(number)) == number


@given(
    types=st.frozensets(st.sampled_from(sorted(table()))),
    codes=st.frozensets(st.integers(200, 299), min_size=1),
    headers=st.dictionaries(st.from_regex(r"X-[a-z]{1,5}", fullmatch=True), st.text("aZ0 \"\\'{}%é,:", max_size=9)),
)
def test_values_survive_being_written_down(types: frozenset[str], codes: frozenset[int], headers: dict[str, str]) -> None:
    assert FilterSettings(types=types).types == types
    pairs = tuple(headers.items())
    webhook = WebhookSettings(url="http://localhost/", success_codes=codes, headers=pairs, allow_private=False)
    assert (webhook.success_codes, webhook.headers, webhook.allow_private) == (codes, pairs, False)
    assert DeliverySettings(send_as_batch=BatchForm.ARRAY).batched


@given(st.text() | st.from_regex(r"[+-]?[0-9._e]{0,12}", fullmatch=True))
@example("0\x1f")  # white space for strip(), not for float() and int()
def test_of_any_text_no_number_is_out_of_bounds(text: str) -> None:
    with contextlib.suppress(InvalidValue):
        assert whole(0, 55).read(text) in range(56)
    with contextlib.suppress(InvalidValue):
        number = seconds(zero=True, most=55).read(text)
        assert isinstance(number, float)
        assert math.isfinite(number)
        assert 0 <= number <= 55


@pytest.mark.parametrize("text", ["1_0", "٣", "0x10", "1,5", "1 0", "", "+", "1e", "infinity", "--1", "1e9999"])
def test_python_reads_more_numbers_than_people_write(text: str) -> None:
    for parser in (whole(0, 100), seconds()):
        with pytest.raises(InvalidValue):
            parser.read(text)


@pytest.mark.parametrize("host", ["8.8.8.8", "[2606:4700::1111]", "localhost", "receiver.internal"])
def test_where_no_private_address_is_allowed_a_name_is_judged_when_it_is_resolved(host: str) -> None:
    assert not errors(WEBHOOK_URL=f"https://{host}/", WEBHOOK_ALLOW_PRIVATE="false")
