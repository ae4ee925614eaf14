"""Log ids as a person types them: whole, or the beginning of one, where no other begins like it. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from shared.errors import ConfigurationError
from shared.text import visible

#: Characters of a beginning. An unset variable of a shell is empty, and must not mean the only id that there is.
SHORTEST: Final = 4
_NAMED: Final = 5


def may_mean(given: str, log_id: str) -> bool:
    """Whether `given` is this id or, if it is unique, its beginning."""
    return log_id == given or (len(given) >= SHORTEST and log_id.startswith(given))


def resolve(given: str, known: Collection[str]) -> str | None:
    """Returns the id that `given` is or begins; None if there is none. Raises `ConfigurationError` if it begins several."""
    if given in known:
        return given
    meant = sorted({log_id for log_id in known if may_mean(given, log_id)})
    if len(meant) > 1:
        names = ", ".join(map(visible, meant[:_NAMED]))
        more = f" and {len(meant) - _NAMED} more" if len(meant) > _NAMED else ""
        raise ConfigurationError(
            [f"{visible(given)} begins {len(meant)} log ids: {names}{more}. Nothing was done: give more of it"]
        )
    return meant[0] if meant else None
