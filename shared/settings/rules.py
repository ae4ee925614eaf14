"""The options of the rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from shared.parsers import choice, flag, parser, seconds
from shared.settings.option import Derived, Group, Option, Role
from shared.words import OnBroken, OnError


@parser("path of a folder")
def _folder(text: str) -> Path:
    return Path(text)


@parser("path of a file")
def _file(text: str) -> Path:
    """Who reads it says what is wrong with it."""
    return Path(text)


class RulesSettings(Group):
    """Auth0 Rules: JavaScript functions that run on the events of logins, between the log and your webhook."""

    title: ClassVar = "Rules"
    roles: ClassVar = frozenset({Role.RUN, Role.CONSUME, Role.RULES, Role.RULES_TEST})

    folder: Annotated[Path | None, Option("RULES_DIR", _folder, example="acme-rules", unset="off")] = None
    """The folder with the rules: a file `NAME.js` each, and `rules.yaml` if they need one."""
    modules_given: Annotated[
        Path | None,
        Option(
            "RULES_MODULES",
            _folder,
            example="/var/lib/auth0-webhooks/modules",
            unset="`.modules` in `RULES_DIR`",
            derived=Derived("RULES_DIR", lambda text: str(Path(text) / ".modules")),
        ),
    ] = None
    """The folder that `auth0-webhooks rules install` puts the modules of the rules into."""
    configuration: Annotated[Path | None, Option("RULES_CONFIGURATION", _file, example="rules-configuration.json")] = None
    """A file with the `configuration` of the rules: a JSON object, or lines as in `.env`. Its values are secrets."""
    timeout: Annotated[float, Option("RULES_TIMEOUT", seconds(most=3600))] = 20.0
    """How long all rules of one event may take together, what goes on after their callbacks included."""
    fetch_user: Annotated[bool, Option("RULES_FETCH_USER", flag)] = True
    """Whether rules get the user as Auth0 has it (scope `read:users`), or only what the event says of it."""
    on_error: Annotated[OnError, Option("RULES_ON_ERROR", choice(*OnError))] = OnError.DELIVER
    """What becomes of an event on which a rule failed, took too long or crashed; `rules.yaml` may say otherwise for a rule."""
    on_broken: Annotated[OnBroken, Option("RULES_ON_BROKEN", choice(*OnBroken))] = OnBroken.STOP
    """What a rule that cannot be loaded means for the start: `stop` ends the process, `skip` runs the others."""

    def modules(self, folder: Path) -> Path:
        """Returns the folder of the modules, for rules in this folder."""
        return self.modules_given or folder / ".modules"
