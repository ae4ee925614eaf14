"""One chain on one login, from the log entry to what is delivered of it: in the pipeline as in `rules test`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.login import Login, Logins
from rules.pipeline.chains import Chain
from rules.pipeline.member import ReportedRun, reported
from rules.runner import RuleRunner


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRun(ReportedRun):
    #: As the chain got it.
    login: Login


async def run_login(
    runner: RuleRunner,
    logins: Logins,
    chain: Chain,
    entry: Mapping[str, Any],
    log_id: str,
    *,
    within: float,
    profile: Mapping[str, Any] | None = None,
    over: Mapping[str, Any] | None = None,
    wanted: Sequence[str] | None = None,
) -> LoginRun:
    """`within` in seconds, for all of it; `profile` and `over` as for `Logins.of`, `wanted` as for `RuleRunner.run`.

    Raises `ProfileUnavailable`.
    """
    deadline = time.monotonic() + within
    login = await logins.of(entry, log_id, chain, within=within, profile=profile, over=over)
    left = max(0.0, deadline - time.monotonic())
    run = await runner.run([rule.name for rule in chain], login.user, login.context, event=log_id, timeout=left, wanted=wanted)
    report = reported(login.user, run)
    return LoginRun(login=login, run=report.run, member=report.member)
