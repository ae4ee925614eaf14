"""What is derived from the declarations of the settings: `docs/configuration.md` and `.env.example`, as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from shared.settings import GROUPS, Group, Role
from shared.settings.names import LATER
from shared.settings.option import Declaration, Option
from shared.settings.parsers import text_of

_INTRODUCTION: Final = """\
# Configuration

<!-- Generated: auth0-webhooks config docs > docs/configuration.md -->

Settings are environment variables. A file `.env` in the current directory is read too; where both set a name, the environment
wins. `auth0-webhooks config show` prints what holds and where it comes from, secrets masked.

- An empty value counts as not set.
- Durations are seconds, without a unit; fractions are allowed.
- A **secret** can be given in a file instead: `NAME_FILE` holds its path, and one line end after the secret is ignored. Setting
  both is an error.
- Each process reads the settings of its role only, and refuses to start with a line for every mistake in them (exit code 2).
- A variable that is nearly one of these names is taken for a mistake and refused with a suggestion; other foreign names are left
  alone.
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
    rows = "\n".join(_row(declared) for declared in group.declarations())
    head = "| name | value | default | |\n|---|---|---|---|"
    return f"## {group.title}\n\n{group.__doc__}\n\nRead by {_roles(group)}.\n\n{head}\n{rows}\n"


def _row(declared: Declaration) -> str:
    option = declared.option
    value = f"{option.kind.says}{'; **secret**' if option.secret else ''}"
    return f"| `{option.name}` | {value} | {_default(declared)} | {option.sentence} |"


def _default(declared: Declaration) -> str:
    default = text_of(declared.default)
    if declared.required:
        return "**required**"
    return f"`{default}`" if default else declared.option.unset


def _roles(group: type[Group]) -> str:
    commands = [f"`{role}`" for role in Role if role in group.roles and role not in (Role.LOG, Role.OURSELVES)]
    others = {Role.LOG: "the commands that look at the log", Role.OURSELVES: "all other commands"}
    more = [words for role, words in others.items() if role in group.roles]
    return " and ".join(", ".join([*commands, *more]).rsplit(", ", 1))


def _old_names() -> str:
    lines = (f"- `{option.old_name}`: `{option.name}`" for option in _options() if option.old_name)
    return "\n".join(["## Old names\n", "Still read, with a line in the log:\n", *lines, ""])


def _later() -> str:
    names = ", ".join(f"`{name}`" for name in sorted(LATER) if not name.endswith("_FILE"))
    text = f"Planned, and refused until a release acts on them, so that nobody relies on what does nothing: {names}."
    return f"## Not in this release\n\n{text}\n"


def _options() -> Iterator[Option]:
    return (declared.option for group in GROUPS for declared in group.declarations())


def _block(group: type[Group]) -> str:
    entries = "\n".join(map(_assignment, group.declarations()))
    return f"{_comment(f'--- {group.title}: {group.__doc__}')}\n\n{entries}"


def _assignment(declared: Declaration) -> str:
    option = declared.option
    line = f"{option.name}=" if declared.required else f"# {option.name}={'' if option.secret else declared.example}"
    return f"{_comment(f'{option.sentence} Value: {option.kind.says}.')}\n{line}\n"


def _comment(text: str) -> str:
    return textwrap.fill(text.replace("`", ""), width=120, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
