"""`NAME.json` beside `NAME.js`, as Auth0's Deploy CLI exports a rule: its order, and whether it is enabled.

{"enabled": true, "name": "mixpanel", "order": 2, "script": "./mixpanel.js", "stage": "login_success"}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rules.loading.files import FileUnusable
from rules.loading.json_file import read_object

_LARGEST: Final = 100_000
_STAGE: Final = "login_success"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedRule:
    #: None: not said.
    order: float | None
    enabled: bool


def read_exported(path: Path) -> ExportedRule | None:
    """Returns what the file beside a rule says; None where there is no file. Raises `FileUnusable`.

    An enabled rule of another stage is refused: Auth0 ran it at another time and with other arguments.
    """
    if not path.exists():
        return None
    rule = read_object(path, _LARGEST, "an exported rule")
    order, enabled, stage = rule.get("order"), rule.get("enabled", True), rule.get("stage", _STAGE)
    if not isinstance(enabled, bool):
        raise FileUnusable(f"{path}: `enabled` must be true or false")
    if order is not None and (not isinstance(order, int | float) or isinstance(order, bool) or order != order):
        raise FileUnusable(f"{path}: `order` must be a number")
    if enabled and stage != _STAGE:
        what = f"the stage {stage[:60]!r}" if isinstance(stage, str) else "a stage that is no text"
        raise FileUnusable(
            f"{path}: has {what}; only rules of the stage {_STAGE!r} run here: set `enabled` to false, or remove it"
        )
    _check_script(path, rule)
    return ExportedRule(order=order, enabled=enabled)


def _check_script(path: Path, rule: dict[str, Any]) -> None:
    """The export of a rule names the file with its code, which here has to be the one beside it."""
    script = rule.get("script", "")
    if isinstance(script, str) and script.endswith(".js") and script.removeprefix("./") != f"{path.stem}.js":
        raise FileUnusable(f"{path}: `script` is {script[:80]!r}, and must be './{path.stem}.js', the file beside it")
