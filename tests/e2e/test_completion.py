"""What the shell completes from the log itself."""

from __future__ import annotations

from collections.abc import Callable

from simulator.tenant_log import TenantLog
from tests.e2e.stack import Stack, simple
from tests.support import faults
from tests.support.listed_log import ListedLog

POISON = f"900{3:053d}"


def _completed(stack: Stack, line: str, **settings: str) -> list[str]:
    """As bash asks for it, with the cursor at the end of the line."""
    asked = {"_AUTH0_WEBHOOKS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    process = stack.start(**asked, **settings)
    assert process.wait(40) == 0, process.text
    return process.text.split()


def test_ids_of_dead_letters_are_completed_and_a_log_that_cannot_be_read_completes_nothing(
    stack_of: Callable[[TenantLog], Stack],
) -> None:
    stack = stack_of(ListedLog(simple(range(9))))
    stack.receiver.script.add(faults.status(422), when=lambda call: call.log_id == POISON)
    assert stack.start("run", "--once", WEBHOOK_MAX_ATTEMPTS="1").wait(60) == 0
    for command in ("show", "retry", "purge"):
        assert _completed(stack, f"auth0-webhooks dead-letters {command} 900") == [POISON]
    assert _completed(stack, "auth0-webhooks dead-letters show 901") == []
    broken = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "SQLITE_PATH": "nowhere.db"}
    assert _completed(stack, "auth0-webhooks dead-letters show 900", **broken) == []
    assert "limit_wc" in _completed(stack, "auth0-webhooks tail --type limit_")
