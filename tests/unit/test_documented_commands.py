"""Every command that the README, docs/ and the demo tell people to type is one that works: resolved, without running it.

`tests/e2e/test_first_steps.py` runs those of the README's first minutes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from admin.cli.commands.demo import NEXT
from shared.settings import GROUPS
from tests.support.command_line import PROGRAM, mistake
from tests.support.shell_text import blocks, commands, spans, unmarked

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = {
    path.name: path.read_text() for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
}
#: Words that stand for a value in the docs → a value.
MEANT: Final = {
    "LOG_ID": "90020261120101112345000000000000001223372036854775807",
    "N": "12",
    "PORT": "8081",
    "TYPE": "fp",
    "CODE": "503",
    "FILE": "log.json",
}
NAMES: Final = {name for group in GROUPS for option in group.options.values() for name in option.names}
SECRETS: Final = {
    f"{name}_FILE" for group in GROUPS for option in group.options.values() if option.secret for name in option.names
}
OTHERS: Final = {
    "BUILD_NETWORK",
    "COMPOSE_FILE",
    "PORT",
    "SOAK_MINUTES",
    "PYTHON",
    "BENCH",
}  # of the compose file, examples and the Makefile
MAKEFILE: Final = (ROOT / "Makefile").read_text()
TARGETS: Final = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
COMPOSE_FILES: Final = {path.name: yaml.safe_load(path.read_text()) for path in ROOT.glob("docker-compose*.yml")}
SERVICES: Final[dict[str, Any]] = {name: s for file in COMPOSE_FILES.values() for name, s in file["services"].items()}
EXTRAS: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def resolve(words: list[str]) -> str:
    """Returns what is wrong with a command; empty if nothing is."""
    for index, word in enumerate(words):
        name, assigned, value = word.partition("=")
        if not assigned or not name.isupper():
            return _resolve(words[index:])
        if name not in NAMES | SECRETS | OTHERS:
            return f"{name} is no setting"
        if name == "RULES_DIR" and _is_source(value):
            return f"{value} is source code of ours in a clone, no folder of rules"
    return ""


def _is_source(path: str) -> bool:
    return bool(path) and (ROOT / path.split("/")[0]).is_dir() and not path.startswith(("/", "."))


def _resolve(words: list[str]) -> str:
    program, *arguments = words
    check = CHECKS.get(program)
    return check(arguments) if check else f"{program} is not known here: add it to CHECKS"


def _ours(arguments: list[str]) -> str:
    if {"-h", "--help", "--install-completion", "--version"} & set(arguments):
        return _path([word for word in arguments if not word.startswith("-")])
    if arguments[0] == "rules" and (source := [word for word in arguments[2:] if _is_source(word)]):
        return f"{source} is source code of ours in a clone, no folder of rules"
    return mistake(*(MEANT.get(word.strip("[]."), word) for word in arguments))


def _path(path: list[str]) -> str:
    command = PROGRAM
    for name in path:
        command = getattr(command, "commands", {}).get(name)
    return "" if command else f"no command {path}"


def _is_name(words: list[str]) -> bool:
    return words[0] == "auth0-webhooks" and not _path(words[1:])


def _make(arguments: list[str]) -> str:
    targets = {word for word in arguments if "=" not in word}
    settings = {word.partition("=")[0] for word in arguments if "=" in word}
    missing = targets - TARGETS | {name for name in settings if f"$({name})" not in MAKEFILE}
    return f"no {missing} in the Makefile" if missing else ""


def _docker(arguments: list[str]) -> str:
    match arguments:
        case ["compose", *rest]:
            return _compose(rest)
        case ["run", *rest] if "auth0-webhooks" in rest:
            return _ours(rest[rest.index("auth0-webhooks") + 1 :])
        case ["build" | "run" | "pull" | "kill" | "stop", *_]:
            return ""
    return f"docker {arguments} is not known here"


#: Options of docker compose that these pages use → whether a value follows.
OPTIONS: Final = {
    "--profile": True, "--env-file": True, "--scale": True, "--detach": False, "--volumes": False, "--follow": False,
    "--rm": False, "--no-deps": False, "-f": True, "--force-recreate": False,
}  # fmt: skip


def _compose(arguments: list[str]) -> str:
    words = iter(arguments)
    plain: list[str] = []
    for word in words:
        if (plain[:1] in (["run"], ["exec"]) and len(plain) > 1) or not word.startswith("-"):
            plain.append(word)
        elif word not in OPTIONS:
            return f"docker compose has no {word}, or it is not known here"
        elif OPTIONS[word] and (wrong := _value(word, next(words))):
            return wrong
    action, *rest = plain
    if action not in {"up", "down", "logs", "exec", "pause", "unpause", "run", "build"}:
        return f"docker compose {action} is not known here"
    services, rest = (rest[:1], rest[1:]) if action in {"run", "exec"} else (rest, [])
    if unknown := set(services) - SERVICES.keys():
        return f"no service {unknown}"
    return _ours(rest) if action == "run" else ""


def _value(option: str, value: str) -> str:
    profiles = {
        profile for file in COMPOSE_FILES.values() for s in file["services"].values() for profile in s.get("profiles", ())
    }
    if option == "-f" and value not in COMPOSE_FILES:
        return f"no file {value}"
    if option == "--profile" and value not in profiles:
        return f"no profile {value}"
    return f"no service in {value}" if option == "--scale" and value.partition("=")[0] not in SERVICES else ""


def _project(arguments: list[str]) -> str:
    """Of `uv tool install`, `pipx install` and `pip install`: this folder, or packages of others."""
    wrong = [extra for word in arguments for extra in re.findall(r"^(?:\.|auth0-webhooks)\[(.*)\]$", word) if extra not in EXTRAS]
    return f"no extra {wrong}" if wrong or "install" not in arguments else ""


def _copied(arguments: list[str]) -> str:
    return "" if (ROOT / arguments[0]).is_file() else f"no file {arguments[0]}"


def _exported(arguments: list[str]) -> str:
    return resolve(arguments)


def _sourced(arguments: list[str]) -> str:
    return "" if arguments in ([".venv/bin/activate"], ["venv/bin/activate"]) else f"nothing makes {arguments}"


def _taken(_arguments: list[str]) -> str:
    return ""


CHECKS: Final[dict[str, Callable[[list[str]], str]]] = {
    "auth0-webhooks": _ours,
    "make": _make,
    "docker": _docker,
    "uv": _project,
    "pipx": _project,
    "pip": _project,
    "venv/bin/pip": _project,
    "cp": _copied,
    "export": _exported,
    ".": _sourced,
    **dict.fromkeys(("python3", "test", "openssl", "sqlite3", "kafka-acls.sh"), _taken),
}


def _all() -> Iterator[tuple[str, str]]:
    """Yields each page's name and each script: a block, or a command in the running text that is more than a command's name."""
    for page, text in PAGES.items():
        yield from ((page, script) for script in blocks(text))
        yield from ((page, script) for script in spans(text) if not _is_name(script.split()))
    yield "the demo", "\n".join(re.findall(r"^ {7}(?! )(.+)$", NEXT, re.MULTILINE))


SCRIPTS: Final = list(_all())


@pytest.mark.parametrize(("page", "script"), SCRIPTS)
def test_a_documented_command_is_one_that_works(page: str, script: str) -> None:
    assert [f"{page}: {words}: {wrong}" for words in commands(script) if words and (wrong := resolve(words))] == []


@pytest.mark.parametrize(("page", "script"), SCRIPTS)
def test_a_documented_command_has_nothing_to_replace_that_does_not_look_like_it(page: str, script: str) -> None:
    assert not re.search(r"…|<\w+>|\.\.\.", script), page


@pytest.mark.parametrize("page", PAGES)
def test_blocks_of_commands_are_marked_as_such(page: str) -> None:
    assert unmarked(PAGES[page]) == []


@pytest.mark.parametrize(
    "script",
    [
        "auth0-webhooks statsu", "auth0-webhooks run --onec", "auth0-webhooks config show --help --nothing extra", "make tests",
        "docker compose --profile dmeo up", "docker compose up --scale consumers=5", "docker compose logs produce",
        "docker compose run --rm topics topics mend", "WEBHOOK_ULR=http://x auth0-webhooks run", "export AUTH0_DOMIAN=x",
        "uv tool install '.[sped]'", "cp .env.exmaple .env", ". bin/activate", "wget x",
        "export RULES_DIR=rules", "auth0-webhooks rules check rules", "auth0-webhooks rules test rules/a.js",
        "cd x && make demo2", "make DEMO=1 demo",
    ],
)  # fmt: skip
def test_a_command_that_does_not_work_is_noticed(script: str) -> None:
    assert [wrong for words in commands(script) if (wrong := resolve(words))]


def test_make_check_runs_what_is_run_before_a_change_lands() -> None:
    (check,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    run = (ROOT / ".ci" / "run").read_text()
    assert re.findall(r"\$\(MAKE\) (\S+)", check) == list(dict.fromkeys(re.findall(r"^(?:.* )?make (\S+)", run, re.MULTILINE)))
