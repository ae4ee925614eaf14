"""`rules`: Auth0 Rules on one's own machine."""

from __future__ import annotations

from admin.cli.commands.rules import check, install, show, trial
from admin.cli.help import Commands

commands = Commands("rules", "Look at Auth0 Rules, check and test them.")

commands.command("list")(show.list_rules)
commands.command("show")(show.show_rule)
commands.command("check")(check.check_rules)
commands.command("test")(trial.try_rules)
commands.command("install")(install.install_modules)
