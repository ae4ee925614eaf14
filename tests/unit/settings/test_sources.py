"""Environment, `.env`, and files that hold secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.settings import Role, Settings, examine, load
from tests.unit.settings.cases import ENOUGH


def _dotenv(folder: Path, content: str | bytes) -> Path:
    path = folder / ".env"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _source(settings: Settings, name: str) -> str:
    return next(row.source for row in settings.rows() if row.name == name)


def _problems(dotenv: Path, **environ: str) -> tuple[str, ...]:
    return examine(Role.RUN, {**ENOUGH, **environ}, dotenv)[1]


def test_the_environment_wins_over_dotenv_and_each_value_knows_its_source(tmp_path: Path) -> None:
    dotenv = _dotenv(tmp_path, "# ours\nexport WINDOW=7\nBATCH_SIZE='8'\r\nOTHER_PROGRAM=1\n")
    settings = load(Role.RUN, {**ENOUGH, "BATCH_SIZE": "9"}, dotenv)
    assert (settings.loop.window, settings.auth0.batch_size) == (7, 9)
    assert _source(settings, "WINDOW") == str(dotenv)
    assert _source(settings, "BATCH_SIZE") == "environment"
    assert _source(settings, "STOP_GRACE") == "default"


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    """Compose hands on `WINDOW: ${WINDOW:-}` as an empty text."""
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
    ],
)
def test_a_damaged_dotenv_is_one_line(tmp_path: Path, content: str | bytes, said: str) -> None:
    dotenv = _dotenv(tmp_path, content)
    (line,) = _problems(dotenv)
    assert line.startswith(f"{dotenv}: {said}")


def test_a_damaged_line_does_not_hide_the_others(tmp_path: Path) -> None:
    dotenv = _dotenv(tmp_path, "!!! what\nWINDOW=0\n")
    assert [line.removeprefix(f"{dotenv}: ").split(" ")[0] for line in _problems(dotenv)] == ["line", "WINDOW='0'"]


def test_a_folder_where_dotenv_should_be_is_one_line(tmp_path: Path) -> None:
    """Docker makes a folder of a mount whose source is missing."""
    (line,) = _problems(tmp_path)
    assert "cannot be read (Is a directory)" in line


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert load(Role.RUN, ENOUGH, _dotenv(tmp_path, b"\xef\xbb\xbfWINDOW=7\n")).loop.window == 7


@pytest.mark.parametrize(
    "name", ["AUTH0_CLIENT_SECRET", "AUTHORIZATION", "KAFKA_SASL_PASSWORD", "WEBHOOK_SECRET", "WEBHOOK_HEADERS"]
)
def test_every_secret_can_come_from_a_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b" hush \r\n")
    rows, _ = examine(Role.RUN, {f"{name}_FILE": str(file)}, None)
    assert next(row[1:3] for row in rows if row.name == name) == ("***", f"file {file}")


@pytest.mark.parametrize(
    ("content", "secret"), [("hush", "hush"), ("hush\n", "hush"), (" hush \r\n", " hush "), ("hush\n\n", "hush\n"), ("hé", "hé")]
)
def test_one_line_end_after_a_secret_is_ignored(tmp_path: Path, content: str, secret: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content.encode())
    environ = {**ENOUGH, "AUTH0_CLIENT_SECRET": "", "AUTH0_CLIENT_SECRET_FILE": str(file)}
    _, problems = examine(Role.PRODUCE, environ, None)
    if "\n" in secret:
        assert "cannot be seen" in problems[0]
    else:
        settings = load(Role.PRODUCE, environ, None)
        assert settings.auth0.client_secret == secret
        assert settings.secrets() == (secret,)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (b"\xff", "the file is not UTF-8 text"),
        (b"x" * 70000, "the file is larger than 65536 bytes"),
    ],
)
def test_a_secret_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    (line,) = _problems(tmp_path / "none", AUTH0_CLIENT_SECRET="", AUTH0_CLIENT_SECRET_FILE=str(file))
    assert line.startswith(f"AUTH0_CLIENT_SECRET_FILE='{file}' (environment): {said}; ")


@pytest.mark.parametrize("pointer", ["/", "/" + "x" * 5000])
def test_a_path_that_is_no_file_is_one_line(pointer: str) -> None:
    (line,) = examine(Role.OURSELVES, {}, None)[1] or _problems(Path("none"), AUTHORIZATION_FILE=pointer)
    assert "the file cannot be read (" in line


def test_a_secret_in_the_place_of_its_path_is_not_shown() -> None:
    (line,) = _problems(Path("none"), AUTHORIZATION_FILE="Bearer hush")
    assert "hush" not in line


def test_a_secret_and_its_file_together_are_refused_and_both_sources_named(tmp_path: Path) -> None:
    dotenv = _dotenv(tmp_path, "AUTHORIZATION=Bearer a\n")
    (line,) = _problems(dotenv, AUTHORIZATION_FILE="/run/secrets/authorization")
    assert line.startswith("AUTHORIZATION_FILE='/run/secrets/authorization' (environment): AUTHORIZATION is set too")
    assert str(dotenv) in line


@pytest.mark.parametrize("quote", ["", "'"])
def test_json_needs_no_quotes_in_dotenv_and_may_have_them(tmp_path: Path, quote: str) -> None:
    dotenv = _dotenv(tmp_path, f'WEBHOOK_HEADERS={quote}{{"X-Api-Key": "a#b $c"}}{quote}\n')
    assert load(Role.RUN, ENOUGH, dotenv).webhook.headers == (("X-Api-Key", "a#b $c"),)
