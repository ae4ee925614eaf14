"""`rules install`: the modules that rules need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from admin.cli.commands.rules.show import DIRECTORY, Json
from admin.cli.options import argument
from admin.cli.output import say, show_json, show_table

if TYPE_CHECKING:
    from admin.actions.rules.install import Installation, ModuleRow


def install_modules(
    folder: Annotated[Path | None, argument(DIRECTORY, "The folder with the rules; by default RULES_DIR.")] = None,
    as_json: Json = False,
) -> None:
    """Install the modules that the rules need.

    npm brings them into RULES_MODULES. Exact versions of Auth0's time, and only those that are
    missing. What rules need beyond them stands in `modules:` of
    `rules.yaml`. A module that cannot be had is listed with its rules; `auth0-webhooks rules check` fails on it.

    Examples:
      auth0-webhooks rules install
      auth0-webhooks rules install ./acme-rules --json
    """
    from dataclasses import asdict

    from admin.actions.rules.install import install_modules as install
    from admin.cli.context import rules_settings

    result = install(rules_settings(), folder)
    if as_json:
        show_json(asdict(result))
    else:
        _show(result)


def _show(result: Installation) -> None:
    rows = [*_cells("installed", result.installed), *_cells("present", result.present), *_cells("left out", result.left_out)]
    if rows:
        show_table(("module", "version", "", "rules"), rows)
    for row in result.left_out:
        say(f"\n{row.module} is left out (for {', '.join(row.rules)}): {row.reason}")
    counts = f"{len(result.installed)} installed, {len(result.present)} present, {len(result.left_out)} left out"
    say(f"{result.folder}: {counts}" if rows else "the rules need no modules")


def _cells(word: str, rows: Sequence[ModuleRow]) -> list[tuple[object, ...]]:
    return [(row.module, row.version or "-", word, ", ".join(row.rules)) for row in rows]
