"""Environment, `.env`, and files that hold secrets; names that are nearly ours."""

from __future__ import annotations

import re
import string
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.settings import Role, Settings, examine, load
from shared.settings.loading import our_names
from shared.settings.names import LATER
from shared.suggestions import nearest, within_distance
from shared.text import visible
from tests.unit.settings.cases import ENOUGH, OPTIONS, error, errors

OURS = our_names() | LATER
FOREIGN = """
    PATH HOME HOST PORT TZ LANG LC_ALL TERM COLUMNS PWD USER SHELL WINDOWID WINDIR DISPLAY EDITOR PAGER CI HOSTNAME
    HTTP_PROXY HTTPS_PROXY NO_PROXY SSL_CERT_FILE REQUESTS_CA_BUNDLE PYTHONPATH VIRTUAL_ENV DEBUG
    KAFKA_HOST KAFKA_PORT KAFKA_HOME KAFKA_OPTS KAFKA_HEAP_OPTS KAFKA_URL KAFKA_BROKERS KAFKA_SERVICE_HOST KAFKA_SERVICE_PORT
    KAFKA_PORT_9092_TCP KAFKA_PORT_9092_TCP_ADDR KAFKA_NODE_ID KAFKA_LISTENERS KAFKA_PROCESS_ROLES KAFKA_LOG_DIRS
    WEBHOOK_SERVICE_HOST WEBHOOK_SERVICE_PORT WEBHOOK_PORT AUTH0_SERVICE_HOST AUTH0_SECRET AUTH0_BASE_URL AUTH0_ISSUER_BASE_URL
    LOG_FILE LOG_DIR LOG_PATH LOG_OUTPUT SQLITE_TMPDIR DATABASE_URL REDIS_URL SLACK_WEBHOOK_URL COMPOSE_PROJECT_NAME
"""
#: Those of them that are named in the warning.
UNKNOWN = """
    KAFKA_HOST KAFKA_HOME KAFKA_OPTS KAFKA_HEAP_OPTS KAFKA_URL KAFKA_BROKERS KAFKA_NODE_ID KAFKA_LISTENERS KAFKA_PROCESS_ROLES
    KAFKA_LOG_DIRS AUTH0_SECRET AUTH0_BASE_URL AUTH0_ISSUER_BASE_URL
"""
ROOT = Path(__file__).parents[3]
MEANT = """
    WEBHOK_URL=WEBHOOK_URL WEBHOOK_URI=WEBHOOK_URL webhook_url=WEBHOOK_URL AUTH0_DOMIAN=AUTH0_DOMAIN AUTH_DOMAIN=AUTH0_DOMAIN
    KAFKA_BOOTSTRAP_SERVER=KAFKA_BOOTSTRAP_SERVERS KAFKA_SSL_CA_FILE=KAFKA_SSL_CAFILE AUTHORISATION=AUTHORIZATION
    AUTHORIZATION_FIEL=AUTHORIZATION_FILE WEBHOOK_CONCURENT_CALL=WEBHOOK_CONCURRENT_CALLS WEBHOOK_SECRETS=WEBHOOK_SECRET
    LOG_TYPE=LOG_TYPES WINDOWS=WINDOW
"""


def _dotenv(folder: Path, content: str | bytes) -> Path:
    path = folder / ".env"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _source(settings: Settings, name: str) -> str:
    return next(row.source for row in settings.rows() if row.name == name)


def _errors(dotenv: Path, **environ: str) -> tuple[str, ...]:
    return examine(Role.RUN, {**ENOUGH, **environ}, dotenv).errors


def test_the_environment_wins_over_dotenv_and_each_value_knows_its_source(tmp_path: Path) -> None:
    dotenv = _dotenv(tmp_path, "# ours\nexport WINDOW=7\nBATCH_SIZE='8'\r\nOTHER_PROGRAM=1\n")
    settings = load(Role.RUN, {**ENOUGH, "BATCH_SIZE": "9"}, dotenv)
    assert (settings.loop.window, settings.polling.batch_size) == (7, 9)
    assert _source(settings, "WINDOW") == str(dotenv)
    assert _source(settings, "BATCH_SIZE") == "environment"
    assert _source(settings, "STOP_GRACE") == "default"


def test_what_dotenv_says_in_vain_is_noted_where_a_person_looks_at_the_settings(tmp_path: Path) -> None:
    """In the shell of the README's trial, whose exports win over the `.env` of one's own tenant."""
    dotenv = _dotenv(tmp_path, "WINDOW=7\nBATCH_SIZE=8\nAUTH0_DOMAIN=acme.eu.auth0.com\nOTHER_PROGRAM=1\n")
    environ = {**ENOUGH, "AUTH0_DOMAIN": "trial.eu.auth0.com", "BATCH_SIZE": "8", "WINDOW": "9", "OTHER_PROGRAM": "2"}
    (note,) = examine(Role.RUN, environ, dotenv).notes
    assert note.startswith(".env has other values for AUTH0_DOMAIN, WINDOW, but the environment wins")
    assert load(Role.RUN, environ, dotenv).notes() == ()


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    """Compose passes on `WINDOW: ${WINDOW:-}` as an empty text."""
    dotenv = _dotenv(tmp_path, "WINDOW=7\nLOG_FORMAT=\nLOG_LEVEL\nWEBHOK_URL=\n")
    settings = load(Role.RUN, {**ENOUGH, "WINDOW": "", "AUTHORIZATION_FILE": "", "WEBHOOK_SECRET": ""}, dotenv)
    assert settings.loop.window == 7


def test_the_current_directory_has_the_dotenv_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _dotenv(tmp_path, "WINDOW=7\n")
    monkeypatch.chdir(tmp_path)
    assert load(Role.CONSUME, ENOUGH).loop.window == 7
    assert load(Role.CONSUME, ENOUGH, None).loop.window == 1000
    monkeypatch.setenv("WINDOW", "5")
    monkeypatch.setenv("WEBHOOK_URL", "http://localhost:1/")
    assert load(Role.CONSUME).loop.window == 5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("WINDOW=7\n{'json': 1}\n", "line 2 cannot be understood"),
        ("WINDOW='7\n", "line 1 cannot be understood"),
        ("WINDOW=7".encode("utf-16"), "is not UTF-8 text"),
        ("WINDOW=7".encode("utf-16-le"), "is no text file"),
        (b"WINDOW=\xff", "is not UTF-8 text"),
        (None, "cannot be read (Is a directory)"),  # Docker makes a folder of a mount whose source is missing
    ],
)
def test_a_damaged_dotenv_is_one_line(tmp_path: Path, content: str | bytes | None, said: str) -> None:
    dotenv = tmp_path if content is None else _dotenv(tmp_path, content)
    (line,) = _errors(dotenv)
    assert line.startswith(f"{dotenv}: {said}")


def test_a_damaged_line_does_not_hide_the_others(tmp_path: Path) -> None:
    dotenv = _dotenv(tmp_path, "!!! what\nWINDOW=0\n")
    assert [line.removeprefix(f"{dotenv}: ").split(" ")[0] for line in _errors(dotenv)] == ["line", "WINDOW='0'"]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert load(Role.RUN, ENOUGH, _dotenv(tmp_path, b"\xef\xbb\xbfWINDOW=7\n")).loop.window == 7


@pytest.mark.parametrize("quote", ["", "'"])
def test_json_needs_no_quotes_in_dotenv_and_may_have_them(tmp_path: Path, quote: str) -> None:
    dotenv = _dotenv(tmp_path, f'WEBHOOK_HEADERS={quote}{{"X-Api-Key": "a#b $c"}}{quote}\n')
    assert load(Role.RUN, ENOUGH, dotenv).webhook.headers == (("X-Api-Key", "a#b $c"),)


@pytest.mark.parametrize("name", [option.name for option in OPTIONS.values() if option.secret])
def test_every_secret_can_come_from_a_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b" hush \r\n")
    rows = examine(Role.RUN, {f"{name}_FILE": str(file)}, None).rows
    assert next(row[1:3] for row in rows if row.name == name) == ("***", f"file {file}")


@pytest.mark.parametrize(
    ("content", "secret"), [("hush", "hush"), ("hush\n", "hush"), (" hush \r\n", " hush "), ("hush\n\n", None), ("hé", "hé")]
)
def test_one_line_end_after_a_secret_is_ignored(tmp_path: Path, content: str, secret: str | None) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content.encode())
    environ = {**ENOUGH, "AUTH0_CLIENT_SECRET": "", "AUTH0_CLIENT_SECRET_FILE": str(file)}
    if secret is None:
        assert "cannot be seen" in examine(Role.PRODUCE, environ, None).errors[0]
    else:
        settings = load(Role.PRODUCE, environ, None)
        assert (settings.auth0.client_secret, settings.secrets()) == (secret, (secret,))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (b"\xff", "the file is not UTF-8 text"),
        (b"x" * 70000, "the file is larger than 65536 bytes"),
        ("é".encode() * 40000, "the file is larger than 65536 bytes"),
    ],
)
def test_a_secret_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    line = error(AUTH0_CLIENT_SECRET="", AUTH0_CLIENT_SECRET_FILE=str(file))
    assert line.startswith(f"AUTH0_CLIENT_SECRET_FILE='{file}' (environment): {said}; ")


def test_a_secret_that_cannot_be_read_has_its_row_too() -> None:
    rows = examine(Role.CONSUME, {"WEBHOOK_URL": "http://localhost/", "AUTHORIZATION_FILE": "/no/such"}, None).rows
    assert [row[1:3] for row in rows if row.name == "AUTHORIZATION"] == [("(unreadable)", "AUTHORIZATION_FILE")]
    assert [row.name for row in rows] == [row.name for row in examine(Role.CONSUME, {}, None).rows]


@pytest.mark.parametrize("pointer", ["/", "/" + "x" * 5000])
def test_a_path_that_is_no_file_is_one_line(pointer: str) -> None:
    assert not errors(Role.OBSERVABILITY, AUTHORIZATION_FILE=pointer)
    assert "the file cannot be read (" in error(AUTHORIZATION_FILE=pointer)


@pytest.mark.parametrize("path", ["/a\0b", "/\udd00"])
def test_a_path_that_no_file_can_have_is_one_line(path: str) -> None:
    assert "is no path that a file can have" in error(AUTHORIZATION_FILE=path)
    assert "is no path that a file can have" in error(WEBHOOK_CA_FILE=path)


def test_a_secret_in_the_place_of_its_path_is_not_shown() -> None:
    assert "hush" not in error(AUTHORIZATION_FILE="Bearer hush")


def test_a_secret_and_its_file_together_are_refused_and_both_sources_named(tmp_path: Path) -> None:
    dotenv = _dotenv(tmp_path, "AUTHORIZATION=Bearer a\n")
    (line,) = _errors(dotenv, AUTHORIZATION_FILE="/run/secrets/authorization")
    assert line.startswith("AUTHORIZATION_FILE='/run/secrets/authorization' (environment): AUTHORIZATION is set too")
    assert str(dotenv) in line


_LINES = st.sampled_from(
    ["WINDOW=7", "WEBHOOK_URL=http://[::1", "LOG_LEVEL=info", "AUTH0_DOMAIN=<x>", "=", "'", "export A", "A=${A}"]
)
_CONTENTS = st.lists(_LINES | st.text(max_size=20), max_size=6).map("\n".join).map(str.encode) | st.binary(max_size=60)
_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=[]), max_size=30)
_ENVIRON = st.dictionaries(st.sampled_from(sorted(OURS)) | st.text("AUTH0_WEBKOCL", min_size=1, max_size=20), _TEXTS, max_size=6)


@given(st.sampled_from(Role), _CONTENTS, _ENVIRON)
@settings(max_examples=150, deadline=None)
def test_whatever_is_set_is_read_or_named_in_lines(role: Role, content: bytes, environ: dict[str, str]) -> None:
    with TemporaryDirectory() as folder:
        found = examine(role, environ, _dotenv(Path(folder), content))
    assert bool(found.errors) == bool(found.to_change)
    for text in (*found.errors, *found.notes, *found.to_change, *(field for row in found.rows for field in row)):
        visible(text).encode()
    assert all("; " in line or line.startswith(tuple(ENOUGH)) for line in found.errors if " is not a setting" not in line)


# -- names


@pytest.mark.parametrize(("name", "meant"), [pair.split("=") for pair in MEANT.split()])
def test_a_near_miss_is_refused_with_a_suggestion(name: str, meant: str) -> None:
    said = f"{name} is not a setting; did you mean {meant}? (set in environment)"
    assert error(**{name: "1"}) == said
    assert error(Role.OBSERVABILITY, **{name: "1"}) == said, "a near miss of another role is refused too"


@pytest.mark.parametrize("name", sorted(LATER))
def test_a_name_of_a_later_release_is_refused_rather_than_ignored(name: str) -> None:
    assert name not in our_names()
    found = error(**{name: "1"})
    assert found.startswith(f"{name} is not supported by this release yet")
    assert found.endswith("; remove it (set in environment)")


def test_the_payload_of_rules_is_refused_with_the_reason() -> None:
    assert "only rules in Python, which a later release has" in error(RULES_PAYLOAD="event")


def test_foreign_names_are_no_errors() -> None:
    assert errors(**dict.fromkeys(FOREIGN.split(), "anything")) == ()
    assert errors(METRICS_PORT="tcp://10.96.0.10:80") == (), "what Kubernetes sets for a service called metrics"


@pytest.mark.parametrize("role", [Role.RUN, Role.PRODUCE, Role.CONSUME])
def test_what_begins_like_our_names_is_named_in_one_note(tmp_path: Path, role: Role) -> None:
    dotenv = _dotenv(tmp_path, "AUTH0_WEBHOOKS_IMAGE=registry/a:1\nAUTH0_WEBHOOKS_RULES_IMAGE=registry/b:1\nWEBHOOK_TEAM=x\n")
    settings = load(role, {**ENOUGH, **dict.fromkeys(FOREIGN.split(), "hush")}, dotenv)
    (note,) = settings.notes()
    named = {name for name in FOREIGN.split() if f" {name} (environment)" in note}
    assert named == set(UNKNOWN.split())
    assert f"WEBHOOK_TEAM ({dotenv})" in note
    assert "hush" not in note
    assert "IMAGE" not in note


def test_a_command_beside_the_processes_does_not_repeat_that_note() -> None:
    assert not load(Role.LOG, {"WEBHOOK_TEAM": "x"}, None).notes()


def test_the_variables_that_the_documentation_names_are_none_that_are_warned_of() -> None:
    """Those of Docker and Compose stand in the same `.env`."""
    documents = "".join((ROOT / name).read_text() for name in ("docs/docker.md", "README.md", "docs/operations.md"))
    names = set(re.findall(r"(?:WEBHOOK|AUTH0|KAFKA)_[A-Z0-9_]+", documents)) - {"KAFKA_SSL_", "KAFKA_SASL_"}
    assert names
    assert load(Role.RUN, ENOUGH | dict.fromkeys(names - our_names() - LATER, "x"), None).notes() == ()


@given(st.from_regex(r"(WEBHOOK|AUTH0|KAFKA)_[A-Z0-9_]{0,20}", fullmatch=True))
def test_a_name_like_ours_is_read_or_refused_or_named_or_of_others(name: str) -> None:
    found = examine(Role.RUN, ENOUGH | {name: "x"}, None)
    known = name in OURS or any(name in line for line in found.errors)
    image = name in ("AUTH0_WEBHOOKS_IMAGE", "AUTH0_WEBHOOKS_RULES_IMAGE")
    others = image or "_SERVICE_" in name or "_PORT_" in name or name.endswith(("_PORT", "_"))
    assert known or others or any(f" {name} (environment)" in note for note in found.notes)


_letters = st.sampled_from(string.ascii_uppercase[:3])
_short = st.text(_letters, max_size=7)
_slip = st.tuples(st.integers(0, 40), st.sampled_from(["insert", "remove", "replace"]), st.sampled_from("AEIOU_"))


def _distance(one: str, other: str) -> int:
    """Levenshtein's distance, by its definition."""
    row = list(range(len(other) + 1))
    for count, letter in enumerate(one, start=1):
        diagonal, row[0] = row[0], count
        for column, against in enumerate(other, start=1):
            diagonal, row[column] = row[column], min(diagonal + (letter != against), row[column] + 1, row[column - 1] + 1)
    return row[-1]


@given(_short, _short, st.integers(0, 4))
def test_the_bounded_distance_is_that_of_levenshtein(one: str, other: str, most: int) -> None:
    assert within_distance(one, other, most) == (_distance(one, other) <= most)


@given(st.sampled_from(sorted(OURS)), st.lists(_slip, min_size=1, max_size=3))
def test_of_the_names_within_two_slips_the_nearest_is_meant(name: str, slips: list[tuple[int, str, str]]) -> None:
    typed = name
    for place, slip, letter in slips:
        at = place % (len(typed) or 1)
        typed = typed[:at] + ("" if slip == "remove" else letter) + typed[at + (slip != "insert") :]
    near = [(_distance(typed, own), own) for own in OURS]
    within = [(slips, own) for slips, own in near if slips <= (2 if len(own) >= 8 else 1)]
    assert nearest(typed, OURS) == (min(within)[1] if within else None)
    assert within or len(slips) > 1, "one slip is always noticed"
