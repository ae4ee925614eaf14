"""Named places where a test kills this process by SIGKILL, as a crash would, at the worst moment.

`FAULT_AT=name:n` kills at the n-th pass of that point, `FAULT_AT=name:n+0.002` two milliseconds after it, in the middle of
what follows. Without the variable, as always outside of `tests/faults`, a point is a call of a function that does nothing.

    consumer    after-poll             records came, none is taken yet
                request-sent           a call was handed to the webhook client
                answered               its response is 200, and nothing is recorded yet
                marked                 its events are completed in the ledger, and not committed
                inside-commit          the position is on its way to the transport
                after-commit           it is stored
                in-revoked             partitions are about to go; open calls were not waited for yet
                drained                they were, and their positions are not committed yet
                before-seek            a partition was assigned and its position read
                letter-acknowledged    a dead letter is stored; its event is not completed yet
    rules       chain-started          rules are about to run on an event
                chain-ended            they ran, and the event waits for its call
    producer    page-read              a page came, and nothing of it is stored
                ahead-read             the page after it came, too, while it is being published
                before-publish         its events are about to be sent
                record-acknowledged    one of them is stored
                page-acknowledged      all of them are, and the checkpoint is not
                checkpoint-written     the checkpoint is stored, and the poller does not know it yet
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable
from typing import Final, NoReturn

CONSUMER: Final = (
    "after-poll",
    "request-sent",
    "answered",
    "marked",
    "inside-commit",
    "after-commit",
    "in-revoked",
    "drained",
    "before-seek",
    "letter-acknowledged",
)
#: Of a consumer with rules.
RULES: Final = ("chain-started", "chain-ended")
PRODUCER: Final = ("page-read", "ahead-read", "before-publish", "record-acknowledged", "page-acknowledged", "checkpoint-written")
VARIABLE: Final = "FAULT_AT"
_FORM: Final = re.compile(r"([a-z-]+):([1-9][0-9]*)(?:\+([0-9.]+))?")


def _do_nothing(_name: str) -> None:
    pass


def _armed(text: str) -> Callable[[str], None]:
    """Raises ValueError for what is no failpoint: a test that kills no process would prove nothing."""
    form = _FORM.fullmatch(text)
    if form is None or form[1] not in CONSUMER + RULES + PRODUCER:
        raise ValueError(f"{VARIABLE}={text}: not NAME:PASS or NAME:PASS+SECONDS with a NAME of shared/failpoints.py")
    wanted, left, delay = form[1], int(form[2]), float(form[3] or 0)

    def at(name: str) -> None:
        nonlocal left
        if name != wanted:
            return
        left -= 1
        if left:
            return
        if delay:
            threading.Timer(delay, _die, (name,)).start()
        else:
            _die(name)

    return at


def _die(name: str) -> NoReturn:
    os.write(2, f"killed at {name}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a process outlived its SIGKILL")


#: `failpoints.at("marked")`: bound once, by its module, so that a test can bind it again in a process that it forked.
at: Callable[[str], None] = _armed(os.environ[VARIABLE]) if VARIABLE in os.environ else _do_nothing
