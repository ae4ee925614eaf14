"""What is derived from the declarations of the settings: `docs/configuration.md` and `.env.example`, as text."""

from __future__ import annotations

import inspect
import textwrap
from typing import Final

from shared.parsers import text_of
from shared.settings import GROUPS, Group, Role
from shared.settings.names import LATER
from shared.settings.option import Option

_INTRODUCTION: Final = """\
# Configuration

<!-- Generated: auth0-webhooks config docs > docs/configuration.md -->

Settings are environment variables. A file `.env` in the current directory is read too; where both set a name, the environment
wins. `auth0-webhooks config show` prints every setting, where it comes from and whether all is well, secrets masked; with
`--changed` only those that do not have their default.

- An empty value counts as not set.
- Durations are seconds, without a unit; fractions are allowed.
- A **secret** can be given in a file instead: `NAME_FILE` holds its path, and one line end after the secret is ignored. Setting
  both is an error.
- Each process reads the settings of its role only, and refuses to start with a line for every mistake in them (exit code 2).
- A variable that is nearly one of these names is taken for a mistake and refused with a suggestion. Other names that begin with
  `WEBHOOK_`, `AUTH0_` or `KAFKA_` are ignored, and a warning names them (not those that Kubernetes sets for its services, and not
  `AUTH0_WEBHOOKS_IMAGE` and `AUTH0_WEBHOOKS_RULES_IMAGE`). All other names are ignored.
- A placeholder that was pasted from an example (`…`, or a word in `<>`) is refused.
"""
_HEAD: Final = """\
# Settings of auth0-webhooks: copy this file to .env and fill in what has no # in front. What is commented out shows the
# default, or an example where there is none. docs/configuration.md says more. Generated: auth0-webhooks config example
"""


def document() -> str:
    """`docs/configuration.md`."""
    return "\n".join([_INTRODUCTION, *map(_section, GROUPS), _old_names(), _later()])


def example() -> str:
    """`.env.example`: required settings blank, everything else commented out."""
    return "\n".join([_HEAD, *map(_block, GROUPS)])


def _section(group: type[Group]) -> str:
    rows = "\n".join(map(_row, group.options.values()))
    head = "| name | value | default | |\n|---|---|---|---|"
    return f"## {group.title}\n\n{_says(group)}\n\nRead by {_roles(group)}.\n\n{head}\n{rows}\n"


def _says(group: type[Group]) -> str:
    """Returns its docstring; Python 3.13 takes the indentation of further lines away, the ones before it do not."""
    return inspect.cleandoc(group.__doc__ or "")


def _row(option: Option) -> str:
    value = f"{option.parser.says}{'; **secret**' if option.secret else ''}"
    default = f"`{text}`" if (text := text_of(option.default)) else option.unset
    return f"| `{option.name}` | {value} | {'**required**' if option.required else default} | {option.sentence} |"


def _roles(group: type[Group]) -> str:
    others = {
        Role.LOG: "the commands that look at the log",
        Role.RULES: "the commands that read rules",
        Role.OBSERVABILITY: "all other commands",
    }
    words = [others.get(role, f"`{role}`") for role in Role if role in group.roles]
    return " and ".join(", ".join(words).rsplit(", ", 1))


def _old_names() -> str:
    options = (option for group in GROUPS for option in group.options.values() if option.old_name)
    lines = (f"- `{option.old_name}`: `{option.name}`" for option in options)
    return "\n".join(["## Old names\n", "Still read, with a line in the log:\n", *lines, ""])


def _later() -> str:
    names = ", ".join(f"`{name}`" for name in sorted(LATER) if not name.endswith("_FILE"))
    text = (
        f"Planned, and refused until a release acts on them, so that no process relies on a setting that does nothing: {names}."
    )
    return f"## Not in this release\n\n{text}\n"


def _block(group: type[Group]) -> str:
    lines = "\n".join(map(_assignment, group.options.values()))
    return f"{_comment(f'--- {group.title}: {_says(group)}')}\n\n{lines}"


def _assignment(option: Option) -> str:
    line = f"{option.name}=" if option.required else f"# {option.name}={'' if option.secret else option.example}"
    return f"{_comment(f'{option.sentence} Value: {option.parser.says}.')}\n{line}\n"


def _comment(text: str) -> str:
    return textwrap.fill(text.replace("`", ""), width=120, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
