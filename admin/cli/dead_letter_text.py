"""What people and programs are shown of dead letters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from admin.cli.output import say, show_table
from admin.cli.usage import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from admin.actions.dead_letters import Choice, Chosen
    from shared.transport.port import DeadLetter

#: Rows of a table without `--limit`.
_SHOWN: Final = 100

#: Of the table; `rules` only where they ran on one of its events.
_HEADS: Final = {
    "log_id": "log id",
    "type": "type",
    "user": "user",
    "time": "set aside",
    "attempts": "attempts",
    "last_outcome": "last outcome",
    "rules": "rules",
    "reason": "reason",
}


def how_many(found: Sequence[DeadLetter]) -> str:
    return f"{len(found)} dead letter{'' if len(found) == 1 else 's'}"


def named(found: Sequence[DeadLetter]) -> str:
    """For the question: a single one by its whole id, of which perhaps only the beginning was typed."""
    return f"the dead letter {found[0].log_id}" if len(found) == 1 else how_many(found)


def none_found(found: Chosen, choice: Choice) -> str:
    if not found.others:
        return "there is no dead letter"
    others = "1 other" if found.others == 1 else f"{found.others} others"
    return f"no dead letter matches {_options_of(choice)}; there {'is' if found.others == 1 else 'are'} {others}"


def _options_of(choice: Choice) -> str:
    moments = (("--since", choice.since), ("--until", choice.until))
    given = [f"--type {code}" for code in choice.types]
    given += [f"{name} {moment.isoformat(timespec='seconds')}" for name, moment in moments if moment]
    return " ".join([*given, *([f"--reason {quoted(choice.reason)}"] if choice.reason else [])])


def fields_of(dead_letter: DeadLetter) -> dict[str, object]:
    from admin.actions.dead_letters import outcome_of, rules_of, type_of, user_of

    return {
        "log_id": dead_letter.log_id,
        "type": type_of(dead_letter),
        "user": user_of(dead_letter),
        "time": datetime.fromtimestamp(dead_letter.time, UTC).isoformat(timespec="seconds"),
        "attempts": dead_letter.attempts,
        "status": dead_letter.status,
        "last_outcome": outcome_of(dead_letter),
        "reason": dead_letter.reason,
        "rules_ran": rules_of(dead_letter) is not None,
        "partition": dead_letter.partition,
    }


def show_dead_letters(found: Chosen, choice: Choice, limit: int | None) -> None:
    """`limit`: rows at most; None: 100."""
    limit = limit or _SHOWN
    if not found.dead_letters:
        say(none_found(found, choice))
        return
    rows = [{**fields, "rules": "ran" if fields["rules_ran"] else ""} for fields in map(fields_of, found.dead_letters[:limit])]
    heads = {name: head for name, head in _HEADS.items() if name != "rules" or any(fields["rules"] for fields in rows)}
    show_table(list(heads.values()), ([fields[name] or "-" for name in heads] for fields in rows), whole=("log id", "user"))
    more = len(found.dead_letters) - limit
    say(how_many(found.dead_letters) if more <= 0 else f"and {more} more; --limit {limit + more} lists all")
